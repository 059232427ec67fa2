"""Importing sheets, looking things up, and who changed what."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.lab import cells
from map_assets.lab.records import CannotUndo
from map_assets.lab.registry import Registry
from map_assets.lab.sheet import SheetProblems
from map_assets.vocabulary.errors import BadSheet
from map_assets.vocabulary.subject import Insertion, Subject

ANIMALS = (
    "subject_id,username,cage_number,date_of_birth,sex,animal_source,"
    "water_restriction_number,wr_start_date,wr_start_weight\n"
)
DL25 = "407513,daveliu,148636,2017-10-13,M,Jackson Labs,dl25,2018-01-22,25.5\n"
PLACES = (
    "water_restriction_number,subject_id,session_date,behaviour_time,insertion_number,skull_reference,"
    "ap_location,ml_location,depth,theta,phi,beta,brain_area,hemisphere,drift_presence,alignment_confidence,"
    "number_of_landmarks,insertion_comment,good_period,project\n"
)
PLACE = "dl25,407513,2018-02-25,102508,1,Bregma,2500,-1500,-1000,15,180,0,ALM,left,no,yes,6,,0-200;230-290;400-end,\n"
KEY = "dl25_20180225_102508"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path}/data/registry.db")


@pytest.fixture
def sheet(tmp_path: Path) -> object:
    def write(text: str, name: str = "sheet.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def problems(registry: Registry, path: Path, **facts: object) -> tuple[str, ...]:
    before = (registry.version(), registry.subjects(), registry.history())
    with pytest.raises(SheetProblems) as found:
        registry.import_sheet(path, who="tester", **facts)
    assert (registry.version(), registry.subjects(), registry.history()) == before
    assert isinstance(found.value, BadSheet)
    return found.value.problems


# -- animals -----------------------------------------------------------------------------------------------------------
def test_the_real_animal_of_the_lab_is_imported_and_found_in_any_case(registry, sheet) -> None:
    report = registry.import_sheet(sheet(ANIMALS + DL25), who="tester")
    assert (report.kind, report.n_new, report.n_same, report.n_changed) == ("animals", 1, 0, 0)
    animal = Subject("407513", "dl25", "M", "Mus musculus", date(2017, 10, 13), source="Jackson Labs", person="daveliu")
    assert registry.subject_of("dl25") == registry.subject_of("DL25") == animal
    assert registry.subjects() == [animal]
    assert registry.subject_of("dl2") is None


def test_a_person_is_named_in_full_once_registered(registry, sheet) -> None:
    registry.import_sheet(sheet(ANIMALS + DL25), who="tester")
    mark = registry.fingerprint("dl25")
    assert registry.import_sheet(sheet('username,fullname\ndaveliu,"Liu, Dave"\n'), who="tester").kind == "people"
    assert registry.subject_of("dl25").person == "Liu, Dave"
    assert registry.fingerprint("dl25") != mark


def test_the_same_sheet_again_changes_nothing(registry, sheet) -> None:
    path = sheet(ANIMALS + DL25)
    assert registry.import_sheet(path, who="tester").import_id == 1
    version = registry.version()
    again = registry.import_sheet(path, who="tester")
    assert (again.n_new, again.n_same, again.import_id) == (0, 1, None)
    assert registry.version() == version


def test_a_row_that_differs_is_a_conflict_unless_it_is_an_update(registry, sheet) -> None:
    registry.import_sheet(sheet(ANIMALS + DL25), who="tester")
    path = sheet(ANIMALS + DL25.replace(",M,", ",F,").replace("25.5", "26"))
    assert problems(registry, path) == (
        "row 2, sex: it is F, and subjects 407513 has M",
        "row 2, wr_start_weight: it is 26.0, and water restrictions 407513 has 25.5",
    )
    report = registry.import_sheet(path, who="corrector", update=True, now=NOON)
    assert (report.n_new, report.n_same, report.n_changed) == (0, 0, 1)
    assert registry.subject_of("dl25").sex == "F"
    edit = next(one for one in registry.history("dl25") if one.action == "set")
    assert (edit.field, edit.old, edit.new, edit.who, edit.at, edit.sheet_row) == (
        "sex",
        "M",
        "F",
        "corrector",
        NOON,
        2,
    )
    assert (edit.file, len(str(edit.sha256))) == ("sheet.csv", 64)


def test_a_blank_cell_is_unknown_and_erases_nothing(registry, sheet) -> None:
    registry.import_sheet(sheet(ANIMALS + "5,,,,,,,,\n"), who="tester")
    assert registry.subjects() == []
    registry.import_sheet(sheet(ANIMALS + DL25), who="tester")
    registry.import_sheet(sheet(ANIMALS + "407513,,,,,,dl25,,\n"), who="tester", update=True)
    assert registry.subject_of("dl25").sex == "M"
    assert registry.import_sheet(sheet(ANIMALS + "6,,,,,,x6,,\n"), who="tester").n_new == 1
    assert registry.subject_of("x6") == Subject("6", "x6")


def test_every_problem_of_every_row_is_listed_and_nothing_is_imported(registry, sheet) -> None:
    rows = [
        DL25,
        "407514,daveliu,1,13.10.2017,male,x,dl_26,2018-01-22,heavy\n",
        ",daveliu,1,2017-10-13,M,x,dl27,2018-01-22,25\n",
        "407516,daveliu,1,2017-02-30,M,x,dl28,2017-01-01,-3\n",
        "407517,daveliu,1,2017-10-13,M,x,DL25,2018-01-22,25\n",
        "407513,daveliu,1,2017-10-13,M,x,dl29,2018-01-22,25\n",
        "407518,daveliu,1,2017-10-13,M,x,dl30,2016-01-22,#N/A,surplus\n",
    ]
    assert problems(registry, sheet(ANIMALS + "".join(rows))) == (
        "row 3, date_of_birth: '13.10.2017' is no date; expected YYYY-MM-DD",
        "row 3, sex: 'male' is no sex; expected M, F or Unknown",
        "row 3, water_restriction_number: 'dl_26' is no animal's name: letters, digits and hyphens, as in SC022",
        "row 3, wr_start_weight: 'heavy' is no number; expected one with a decimal point, as in 25.5",
        "row 4, subject_id: it is blank",
        "row 5, date_of_birth: 2017-02-30 does not exist",
        "row 5, wr_start_weight: -3 is not above zero",
        "row 6, water_restriction_number: DL25 is subject 407513 in row 2",
        "row 7, subject_id: row 2 tells of the same subjects 407513",
        "row 8, wr_start_weight: the spreadsheet shows the error #N/A",
        "row 8, column 10: 'surplus' stands below no header",
        "row 8, wr_start_date: 2016-01-22 is before the date of birth, 2017-10-13",
    )


def test_a_name_for_an_animal_that_had_none_is_an_update(registry, sheet) -> None:
    registry.import_sheet(sheet(ANIMALS + "407513,,,,,,,,\n"), who="tester")
    path = sheet(ANIMALS + "407513,,,,,,dl25,,\n")
    said = "row 2, water_restriction_number: it is dl25, and water restrictions 407513 has nothing there"
    assert problems(registry, path) == (said,)
    assert registry.import_sheet(path, who="tester", update=True).n_changed == 1
    assert registry.subject_of("dl25").subject_id == "407513"


def test_an_animals_name_belongs_to_one_subject_whatever_its_case(registry, sheet) -> None:
    registry.import_sheet(sheet(ANIMALS + DL25), who="tester")
    path = sheet(ANIMALS + "9,,,,,,DL25,,\n")
    expected = "row 2, water_restriction_number: DL25 is registered as subject 407513 (case makes no difference)"
    assert problems(registry, path, update=True) == (expected,)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_headers_and_delimiters_may_be_as_spreadsheets_save_them(registry, sheet, delimiter: str, mark: str) -> None:
    text = "\r\n".join(
        [" Subject ID ;WATER restriction-number; Sex;wr start date", "407513;dl25;m;2018/01/22", ";;;", ""]
    )
    report = registry.import_sheet(sheet(mark + text.replace(";", delimiter)), who="tester")
    assert report.n_new == 1
    assert registry.subject_of("dl25").sex == "M"


def test_a_column_that_means_nothing_is_named_in_the_report(registry, sheet) -> None:
    report = registry.import_sheet(sheet("subject_id,water_restriction_number,mood\n7,x7,good\n"), who="tester")
    assert report.messages == ("column mood is not used",)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sheet.csv", "", "it holds nothing"),
        ("sheet.csv", ANIMALS, "a header and no rows"),
        ("sheet.csv", "a,b\n1,2\n", "of no known kind"),
        (
            "sheet.csv",
            "subject_id,subject id,water_restriction_number\n1,2,3\n",
            "column subject_id stands there twice",
        ),
        ("sheet.xlsx", "no workbook", "no Excel workbook"),
        ("sheet.docx", "x", ".csv or .xlsx"),
        ("sheet.csv", 'subject_id,water_restriction_number\n"1,x', "no table of cells"),
    ],
)
def test_a_file_that_is_no_sheet_of_ours_is_refused_in_a_sentence(
    registry, sheet, name: str, text: str, said: str
) -> None:
    assert said in problems(registry, sheet(text, name))[0]


def test_a_file_that_is_not_there_or_no_utf8_is_refused_in_a_sentence(registry, tmp_path: Path) -> None:
    assert "cannot be read" in problems(registry, tmp_path / "nothing.csv")[0]
    (tmp_path / "latin.csv").write_bytes("subject_id,water_restriction_number\n1,Käfig".encode("latin-1"))
    assert "CSV UTF-8" in problems(registry, tmp_path / "latin.csv")[0]


def test_a_workbook_is_read_with_its_own_dates_and_numbers(registry, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "notes"
    page = book.create_sheet("animals")
    page.append(
        ["Subject ID", "username", "date_of_birth", "sex", "water_restriction_number", "wr_start_weight", "cage"]
    )
    page.append([407513, "daveliu", datetime(2017, 10, 13), "M", "dl25", 25.5, 148636.0])
    page.append([None, "  ", None])
    book.save(tmp_path / "lab.xlsx")
    report = registry.import_sheet(tmp_path / "lab.xlsx", "animals", who="tester")
    assert (report.n_new, report.messages) == (1, ())
    assert registry.subject_of("dl25").date_of_birth == date(2017, 10, 13)
    assert [edit.new for edit in registry.history() if edit.field == "cage_number"] == ["148636"]
    assert "only 'notes', 'animals'" in problems(registry, tmp_path / "lab.xlsx", sheet="rats")[0]
    assert "it holds nothing" in problems(registry, tmp_path / "lab.xlsx")[0]


def test_rigs_are_imported(registry, sheet) -> None:
    report = registry.import_sheet(sheet("rig,room,rig_description\nRRig2,2w.334,recording\n"), who="tester")
    assert (report.kind, report.n_new) == ("rigs", 1)


# -- insertions --------------------------------------------------------------------------------------------------------
@pytest.fixture
def with_animal(registry, sheet) -> Registry:
    registry.import_sheet(sheet(ANIMALS + DL25), who="tester")
    return registry


def test_an_insertion_is_found_by_its_session(with_animal, sheet) -> None:
    mark = with_animal.fingerprint("dl25")
    assert with_animal.import_sheet(sheet(PLACES + PLACE), who="tester").kind == "insertions"
    found = Insertion(
        "dl25", date(2018, 2, 25), "102508", 1, "Bregma", 2500.0, -1500.0, -1000.0, 15.0, 180.0, 0.0, "ALM", "left"
    )
    assert with_animal.insertions_of(KEY) == [found]
    assert with_animal.insertions_of("dl25_20180225_160000") == []
    assert with_animal.insertions_of("dl25_20180226_102508") == []
    assert with_animal.fingerprint("dl25") != mark


def test_a_row_that_names_the_time_goes_before_one_that_names_the_day(with_animal, sheet) -> None:
    rows = PLACE.replace("102508", "").replace("2500", "2000") + PLACE
    with_animal.import_sheet(sheet(PLACES + rows), who="tester")
    assert [one.ap_um for one in with_animal.insertions_of(KEY)] == [2500.0]
    assert [one.ap_um for one in with_animal.insertions_of("dl25_20180225_160000")] == [2000.0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "2500,-1500,-1000",
            "2.5,-1.5,-1",
            "row 2, ap_location, ml_location, depth: all are below 20, which looks like mm",
        ),
        ("2500,-1500,-1000", "2.5,,", "looks like mm"),
        ("left", "right", "is on the other side"),
        ("left", "middle", "no hemisphere"),
        ("dl25,", "dl26,", "dl26 is not registered; import the animal first"),
        ("407513", "407514", "it is 407514, and dl25 is registered as 407513"),
        ("dl25,407513", ",9", "9 is not registered"),
        ("dl25,407513", ",", "neither it nor subject_id"),
        (",1,Bregma", ",0,Bregma", "it counts from 1"),
        (",1,Bregma", ",1.5,Bregma", "no whole number"),
        ("Bregma", "nose", "expected Bregma or Lambda"),
        ("102508", "256161", "expected HHMMSS"),
        ("no,yes", "maybe,yes", "neither yes nor no"),
        ("230-290", "190-290", "are not in order"),
        ("230-290", "x-290", "no periods"),
        ("15,180,0", "15,nan,0", "no finite number"),
    ],
)
def test_a_place_that_cannot_be_right_is_refused(with_animal, sheet, old: str, new: str, said: str) -> None:
    (problem,) = problems(with_animal, sheet(PLACES + PLACE.replace(old, new, 1)))
    assert said in problem


def test_an_insertion_may_name_only_the_subject_or_only_the_animal(with_animal, sheet) -> None:
    with_animal.import_sheet(sheet(PLACES + PLACE.replace("dl25,407513", ",407513")), who="tester")
    report = with_animal.import_sheet(sheet(PLACES + PLACE.replace("dl25,407513", "DL25,")), who="tester")
    assert report.n_same == 1


# -- history -----------------------------------------------------------------------------------------------------------
def test_an_import_can_be_undone_and_the_undo_too(with_animal, sheet) -> None:
    number = with_animal.import_sheet(sheet(PLACES + PLACE), who="tester").import_id
    before = with_animal.fingerprint("dl25")
    version = with_animal.version()
    undo = with_animal.undo(number, "corrector", "wrong day", NOON)
    assert with_animal.insertions_of(KEY) == []
    assert with_animal.version() > version
    last = with_animal.history("dl25")[-1]
    assert (last.action, last.who, last.why, last.file) == ("remove", "corrector", "wrong day", None)
    with_animal.undo(undo, "corrector", "it was right")
    assert with_animal.fingerprint("dl25") == before


def test_undoing_an_update_brings_the_old_values_back(with_animal, sheet) -> None:
    before = with_animal.subject_of("dl25")
    path = sheet(ANIMALS + "407513,susu,,2017-11-13,F,,dl26,,\n")
    number = with_animal.import_sheet(path, who="tester", update=True).import_id
    assert with_animal.subject_of("dl26").person == "susu"
    assert with_animal.subject_of("dl25") is None
    with_animal.undo(number, "tester", "wrong animal")
    assert with_animal.subject_of("dl25") == before


def test_what_a_later_import_touched_cannot_be_undone(with_animal, sheet) -> None:
    with_animal.import_sheet(sheet(ANIMALS + DL25.replace(",M,", ",F,")), who="tester", update=True)
    with pytest.raises(CannotUndo, match="import 2 has changed subjects"):
        with_animal.undo(1, "tester", "why")
    assert with_animal.subject_of("dl25").sex == "F"


def test_an_animal_with_insertions_of_another_import_cannot_be_undone(with_animal, sheet) -> None:
    with_animal.import_sheet(sheet(PLACES + PLACE), who="tester")
    with pytest.raises(CannotUndo, match="probe_insertions of another import"):
        with_animal.undo(1, "tester", "why")


def test_an_undo_whose_name_was_given_away_is_refused(with_animal, sheet) -> None:
    number = with_animal.import_sheet(sheet(ANIMALS + "407513,,,,,,dl26,,\n"), who="tester", update=True).import_id
    with_animal.import_sheet(sheet(ANIMALS + "9,,,,,,dl25,,\n"), who="tester")
    with pytest.raises(CannotUndo, match="has its key or name now"):
        with_animal.undo(number, "tester", "why")
    assert with_animal.subject_of("dl26").subject_id == "407513"


def test_an_import_is_undone_once_and_one_that_never_was_not_at_all(with_animal) -> None:
    with_animal.undo(1, "tester", "why")
    assert with_animal.subjects() == []
    with pytest.raises(CannotUndo, match="import 2"):
        with_animal.undo(1, "tester", "why")
    with pytest.raises(CannotUndo, match="no import 99"):
        with_animal.undo(99, "tester", "why")


def test_history_is_of_one_animal_or_of_all(with_animal, sheet) -> None:
    with_animal.import_sheet(sheet(ANIMALS + "9,,,,,,x9,,\n"), who="tester")
    assert {edit.row for edit in with_animal.history("X9")} == {"9"}
    assert {edit.row for edit in with_animal.history()} == {"9", "407513"}
    assert with_animal.history("x10") == []


def test_check_names_what_is_missing_and_is_silent_when_nothing_is(with_animal, sheet) -> None:
    with_animal.import_sheet(sheet(ANIMALS + "9,,,,,,,,\n"), who="tester")
    said = " ".join(with_animal.check())
    for part in ("9 has no water-restriction name", "9 has no date of birth", "9 has no known sex", "daveliu"):
        assert part in said
    with_animal.undo(2, "tester", "why")
    with_animal.import_sheet(sheet('username,fullname\ndaveliu,"Liu, Dave"\n'), who="tester")
    assert with_animal.check() == []
    with_animal.import_sheet(sheet(PLACES + PLACE.replace("2018-02-25", "2016-02-25")), who="tester")
    assert with_animal.check() == ["Insertion 1 of subject 407513 on 2016-02-25 is before its birth."]


def test_two_imports_at_once_leave_one_animal(registry, sheet) -> None:
    path = sheet(ANIMALS + DL25)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: registry.import_sheet(path, who="tester"), range(4)))
    assert sorted(report.n_new for report in reports) == [0, 0, 0, 1]
    assert registry.version() == 1


def test_the_registry_shares_a_database_with_the_ledger(registry, tmp_path: Path) -> None:
    with registry.engine.connect() as connection:
        connection.exec_driver_sql("create table ledger_files (id integer)")
        connection.commit()
    registry.close()
    assert Registry(f"sqlite:///{tmp_path}/data/registry.db").subjects() == []


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.datetimes(), st.dates(), st.times())
)
@pytest.mark.parametrize(
    "read",
    [
        *(cells.plain, cells.animal, cells.subject_id, cells.day, cells.clock_time, cells.real, cells.positive),
        *(cells.angle, cells.whole, cells.ordinal, cells.sex, cells.yes_or_no, cells.hemisphere),
        *(cells.skull_reference, cells.good_periods),
    ],
)
def test_any_cell_is_read_or_refused_in_a_sentence(read, cell: object) -> None:
    try:
        assert read(cell) is not None
    except cells.BadCell as error:
        assert str(error)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500)), min_size=1, max_size=4), st.booleans())
def test_good_periods_read_what_they_write(gaps: list[tuple[int, int]], is_open: bool) -> None:
    periods, last = [], 0
    for gap, length in gaps:
        periods.append(f"{last + gap}-{last + gap + length}")
        last += gap + length
    text = ";".join(periods) + (f";{last}-end" if is_open else "")
    assert cells.good_periods(cells.good_periods(text.replace(";", " , "))) == text
