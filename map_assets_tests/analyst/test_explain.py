"""Where a row comes from, who the animals are, and that asking changes nothing."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.errors import NoRegistry, NoSuchRow
from map_assets.analyst.lab import Lab
from map_assets.lab.registry import Registry
from map_assets.lab.sorting_choices import SortingChoices
from map_assets.lab.tables import INSERTIONS
from map_assets.shares.ledger import Ledger
from map_assets.store import Store
from map_assets.vocabulary.errors import BadConfiguration

HEADER = "subject_id,username,cage_number,date_of_birth,sex,animal_source,water_restriction_number,wr_start_date,wr_start_weight\n"


@pytest.fixture
def known(small: ModuleType, tmp_path: Path) -> Lab:
    """A lab of one session whose database tells how its tables were made."""
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.WHOLE)
    small.write_ephys(store, small.WHOLE)
    small.write_stats(store, small.WHOLE)
    (tmp_path / "map_assets.toml").write_text('[store]\nroot = "store"\n[registry]\nurl = "sqlite:///registry.db"\n')
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    registry = Registry(url)
    for sex in "MF":
        sheet = tmp_path / "animals.csv"
        sheet.write_text(f"{HEADER}440022,susu,148,2018-11-20,{sex},Jackson Labs,SC022,2019-01-10,24.5\n")
        registry.import_sheet(sheet, who="susu", update=True)
    SortingChoices(registry).choose(small.WHOLE, 1, "curated", who="dave", why="the other one is not curated")
    registry.close()
    ledger = Ledger(url)

    def ended(stage: str, made: list[str], inputs: dict[str, str], **more: str) -> None:
        detail = json.dumps({"made": made, "blocked": "", "inputs": inputs, **more})
        ledger.record_stage(small.WHOLE, stage, "0" * 64, "done", detail, datetime(2026, 1, 2, tzinfo=UTC))

    versions = {name: store.version(name, small.WHOLE) for name in ("units", "spikes", "trials")}
    ended("behavior", ["trials", "licks"], {})
    ended("units", ["units", "spikes"], {})
    ended("unit_stats", ["unit_stats"], versions, code="2", package="0.1.0", parameters='{"isi_limit_s": 0.0025}')
    ledger.close()
    return open_lab(tmp_path)


def test_a_row_is_explained_down_to_the_tables_it_was_made_from(known: Lab, small: ModuleType) -> None:
    found = known.explain("unit_stats", {"session": small.WHOLE, "probe": 1, "unit_id": 7})
    assert found.row["rate_hz"] == 0.5 and found.row["unit_id"] == 7
    assert [step.table for step in found.steps] == ["unit_stats", "units", "spikes", "trials"]
    (step, *_) = found.steps
    assert (step.stage, step.code, step.package) == ("unit_stats", "2", "0.1.0")
    assert step.version == Store(known.root).version("unit_stats", small.WHOLE)
    assert step.inputs == ("units", "spikes", "trials")
    text = str(found)
    assert 'parameters {"isi_limit_s": 0.0025}' in text and "has changed since" not in text


def test_an_input_that_changed_since_is_told(known: Lab, small: ModuleType) -> None:
    small.write_ephys(Store(known.root), small.WHOLE, depth_rank=[1, 2, 3, 4, 5])
    found = known.explain("unit_stats", small.WHOLE)
    assert [step.table for step in found.steps if step.has_changed] == ["units"]
    assert "which has changed since" in str(found)


def test_what_people_corrected_is_told_with_who_and_why(known: Lab, small: ModuleType) -> None:
    corrections = known.session(small.WHOLE).explain("units", probe=1, unit_id=7).corrections
    assert [(one.about, one.who) for one in corrections] == [("registry", "susu"), ("sorting", "dave")]
    assert corrections[0].what.startswith("subjects sex") and corrections[1].why == "the other one is not curated"


def test_files_come_with_their_hashes(known: Lab, small: ModuleType, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "registry.db") as database:
        database.execute(
            "insert into ledger_shares values ('rig1', 'behavior', '/mnt', null, 0, null, '', 1, 1, 1, 1, 'good', '', 1)"
        )
        names = "share, relpath, size, mtime_ns, ctime_ns, inode, first_seen_us, last_change_seen_us, still_since_us"
        database.execute(
            f"insert into ledger_files ({names}, settled, session, state, role, by, sha256) values "
            "('rig1', 'a.mat', 7, 1, 1, 1, 1, 1, 1, 1, ?, 'ingested', 'behavior', 'behavior', 'beef')",
            [small.WHOLE],
        )
    found = known.explain("trials", {"session": small.WHOLE, "trial": 3})
    assert [(file.share, file.path, file.size, file.sha256) for file in found.files] == [("rig1", "a.mat", 7, "beef")]
    assert known.explain("units", small.WHOLE).files == ()


def test_a_store_alone_tells_versions_and_says_what_is_not_known(lab: Lab, small: ModuleType) -> None:
    found = lab.explain("trials", {"session": small.WHOLE, "trial": 3})
    assert [step.table for step in found.steps] == ["trials"]
    assert found.row["trial"] == 3 and "Only the store is known here" in str(found)


@pytest.mark.parametrize(
    ("key", "said"),
    [({"trial": 3}, "named by its session"), ({"probe": 3}, "has no probe"), ({"trial": 11}, "no row of .*trial 11")],
)
def test_a_row_that_is_not_there_is_refused(key: dict, said: str, lab: Lab, small: ModuleType) -> None:
    whole = key if "session" in said else {"session": small.WHOLE, **key}
    with pytest.raises(NoSuchRow, match=said):
        lab.explain("trials", whole)


def test_the_animals_are_a_table_for_sql_too(known: Lab) -> None:
    assert known.subjects()[["subject", "animal", "sex"]].values.tolist() == [["440022", "SC022", "F"]]
    found = known.sql("select s.session, date_diff('day', u.date_of_birth, s.start_time::date) as age from sessions s "
                      "join subjects u using (animal)")  # fmt: skip
    assert found["age"].tolist() == [100]


def test_without_a_database_the_animals_are_not_known(lab: Lab) -> None:
    with pytest.raises(NoRegistry, match=r"map_assets\.toml"):
        lab.subjects()
    with pytest.raises(NoRegistry):
        lab.sql("select * from subjects")


def test_a_store_finds_the_configuration_of_the_folder_above(known: Lab, tmp_path: Path) -> None:
    assert open_lab(tmp_path / "store").subjects()["animal"].tolist() == ["SC022"]


def test_asking_writes_nothing_into_the_database_and_makes_none(known: Lab, small: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    before = file.read_bytes()
    known.subjects(), known.explain("units", small.WHOLE)
    assert file.read_bytes() == before
    file.unlink()
    assert len(known.subjects()) == 0 and known.explain("units", small.WHOLE).corrections == ()
    assert not file.exists()


def test_a_database_that_cannot_be_read_is_told(known: Lab, tmp_path: Path) -> None:
    for path in tmp_path.glob("registry.db*"):
        path.unlink()
    (tmp_path / "registry.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(BadConfiguration, match="cannot be read"):
        known.subjects()


def test_insertions_show_where_a_unit_was_aimed(small: ModuleType, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.WHOLE)
    small.write_ephys(store, small.WHOLE)
    row = {"session": small.WHOLE, "probe": 1, "brain_area": "ALM", "hemisphere": "left"}
    store.write(INSERTIONS, small.WHOLE, INSERTIONS.from_rows([row]))
    units = open_lab(store.root).units()
    assert units.groupby("probe")["brain_area"].first().isna().tolist() == [False, True]
