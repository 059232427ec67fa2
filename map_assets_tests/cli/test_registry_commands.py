"""What people enter is taken in, looked at, and taken back from the terminal."""

from __future__ import annotations

from collections.abc import Callable

from small_laboratory import Terminal

Check = Callable[[str], str]


def imported(lab: Terminal) -> dict[str, object]:
    (report,) = lab("registry", "import", str(lab.root / "registry" / "animals.csv"), "--who", "rivera", "--json").rows
    return report


def test_a_sheet_is_taken_in_once(own_lab: Terminal) -> None:
    first = imported(own_lab)
    assert (first["kind"], first["n_new"], first["n_same"]) == ("animals", 1, 0)
    again = imported(own_lab)
    assert (again["n_new"], again["n_same"], again["import_id"]) == (0, 1, None)
    subject = own_lab.services.registry.subject_of("MK041")
    assert subject is not None
    assert subject.subject_id == "990041"


def test_a_sheet_that_differs_is_refused_until_it_is_an_update(own_lab: Terminal, one_sentence: Check) -> None:
    imported(own_lab)
    sheet = own_lab.root / "registry" / "animals.csv"
    sheet.write_text(sheet.read_text().replace(",M,", ",F,"))
    assert "sex" in one_sentence(own_lab("registry", "import", str(sheet), code=1).err)
    (report,) = own_lab("registry", "import", str(sheet), "--update", "--json").rows
    assert report["n_changed"] == 1
    changes = [row for row in own_lab("registry", "history", "MK041", "--json").rows if row["field"] == "sex"]
    assert [(row["old"], row["new"]) for row in changes] == [(None, "M"), ("M", "F")]


def test_an_import_can_be_undone_and_the_history_says_by_whom_and_why(own_lab: Terminal) -> None:
    number = str(imported(own_lab)["import_id"])
    own_lab("registry", "undo", number, "--why", "last year's sheet", "--who", "okafor")
    assert own_lab.services.registry.subject_of("MK041") is None
    last = own_lab("registry", "history", "--json").rows[-1]
    assert (last["who"], last["why"], last["action"]) == ("okafor", "last year's sheet", "remove")
    assert "okafor" in own_lab("registry", "history").out


def test_an_undo_needs_a_reason_and_an_import(own_lab: Terminal, one_sentence: Check) -> None:
    imported(own_lab)
    one_sentence(own_lab("registry", "undo", "1", "--why", " ", code=1).err)
    assert "77" in one_sentence(own_lab("registry", "undo", "77", "--why", "wrong", code=1).err)


def test_check_fails_where_something_is_odd_and_names_it(own_lab: Terminal) -> None:
    sheet = own_lab.root / "registry" / "animals.csv"
    head, row = sheet.read_text().splitlines()
    at = head.split(",").index("date_of_birth")
    cells = row.split(",")
    sheet.write_text("\n".join([head, ",".join([*cells[:at], "", *cells[at + 1 :]])]))
    imported(own_lab)
    assert "date of birth" in str(own_lab("registry", "check", "--json", code=1).rows)


def test_check_succeeds_where_nothing_is_odd(own_lab: Terminal) -> None:
    imported(own_lab)
    own_lab("registry", "import", str(own_lab.root / "registry" / "people.csv"))
    assert own_lab("registry", "check", "--json").rows == []


def test_a_registry_that_is_not_there_and_a_sheet_that_is_not_there(new_lab: Terminal, one_sentence: Check) -> None:
    one_sentence(new_lab("registry", "check", code=1).err)
    assert not (new_lab.root / "data").exists()
    assert "no.csv" in one_sentence(new_lab("registry", "import", str(new_lab.root / "no.csv"), code=1).err)
