"""Opening a laboratory: what it finds, what it loads, and that it leaves no trace."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType

import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.errors import NoSuchSession
from map_assets.store import Store
from map_assets.vocabulary.errors import BadConfiguration, NoSuchTable


def test_a_store_a_lab_folder_its_file_and_the_configuration_all_open(
    store_root: Path, small: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "map_assets.toml"
    file.write_text(f'[store]\nroot = "{store_root}"\n')
    assert open_lab(store_root).sessions()["session"].tolist() == small.ALL
    assert open_lab(str(tmp_path)).root == open_lab(file).root == store_root
    monkeypatch.setenv("MAP_ASSETS_CONFIG", str(file))
    assert open_lab().root == store_root


def test_the_embedded_default_under_data_opens_too(store_root: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "map_assets.toml").write_text(f'[store]\nroot = "{store_root}"\n')
    assert open_lab(tmp_path).root == store_root


def test_a_lab_in_which_nothing_has_happened_yet_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lab = open_lab()
    assert len(lab.sessions()) == len(lab.table("units")) == len(lab.units()) == 0
    assert lab.sql("select count(*) as n from trials")["n"].tolist() == [0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("where", "said"), [("nothing_here", "no store"), (".", "no store")])
def test_what_is_no_lab_is_refused_in_words(
    where: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadConfiguration, match=said):
        open_lab(where)


def test_an_unknown_session_is_told_its_neighbours(store_root: Path, small: ModuleType) -> None:
    with pytest.raises(NoSuchSession, match=f"near it: {small.WHOLE}"):
        open_lab(store_root).session("sc022_20190228_151011")


def test_the_door_is_light_and_needs_no_dagster(store_root: Path) -> None:
    code = f"""
import sys
for name in ("dagster", "dagster_shared", "dagster_webserver"):
    sys.modules[name] = None
import map_assets.analyst
lab = map_assets.analyst.open_lab({str(store_root)!r})
slow = {{"pandas", "pyarrow", "numpy", "duckdb", "pynwb", "h5py", "matplotlib", "scipy", "pydantic", "sqlalchemy"}}
assert not slow & set(sys.modules), slow & set(sys.modules)
assert len(lab.sessions()) == 3 and len(lab.sql("select * from trials")) == 117
assert not {{"pynwb", "h5py", "matplotlib", "scipy"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_reading_everything_changes_nothing(
    store_root: Path, small: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {
            str(path.relative_to(store_root)): (path.stat().st_mtime_ns, path.stat().st_nlink)
            for path in store_root.rglob("*")
        }

    before = state()
    monkeypatch.chdir(tmp_path)
    lab = open_lab(store_root)
    for name in lab.tables()["table"]:
        lab.table(name), lab.describe(name), lab.sql(f"select * from {name}")
    lab.units()
    session = lab.session(small.WHOLE)
    session.psth(1, 7), session.coverage(), session.figure("behavior_performance"), session.nwb()
    repr(lab), repr(session)
    assert state() == before
    assert list(tmp_path.iterdir()) == []


def test_as_of_sees_what_stood_then(small: ModuleType, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.OTHER)
    small.write_figures(store, small.OTHER, red=10)
    between = datetime.now(UTC)
    small.write_behavior(store, small.WHOLE)
    small.write_ephys(store, small.OTHER)
    small.write_figures(store, small.OTHER, red=99)

    now = open_lab(store.root)
    then = open_lab(store.root, as_of=between)
    assert now.sessions()["session"].tolist() == [small.WHOLE, small.OTHER]
    assert then.sessions()["session"].tolist() == [small.OTHER]
    assert then.sql("select distinct session from trials")["session"].tolist() == [small.OTHER]
    assert now.sql("select count(*) as n from units")["n"].tolist() == [5]
    assert then.sql("select count(*) as n from units")["n"].tolist() == [0]
    with pytest.raises(NoSuchTable, match="as of"):
        then.session(small.OTHER).spike_times(1, 7)
    with pytest.raises(NoSuchSession):
        then.session(small.WHOLE)
    assert then.session(small.OTHER).figure("behavior_performance").png == small.png(10)
    assert now.session(small.OTHER).figure("behavior_performance").png == small.png(99)
    assert "units" not in then.session(small.OTHER).tables()
    assert "as of" in repr(then)
    assert len(open_lab(store.root, as_of="2001-01-01").sessions()) == 0


def test_an_instant_may_be_text_and_is_utc_without_a_zone(store_root: Path) -> None:
    def as_of(instant: datetime | str) -> datetime | None:
        return open_lab(store_root, as_of=instant).as_of

    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert as_of("2026-03-01T12:00") == as_of("2026-03-01T07:00-05:00") == as_of(datetime(2026, 3, 1, 12)) == noon
    assert as_of(noon.astimezone(timezone(timedelta(hours=-5)))) == noon
    with pytest.raises(BadConfiguration, match="no instant"):
        as_of("last Tuesday")


def test_half_written_tables_are_not_seen(small: ModuleType, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.WHOLE)
    (store.root / "tables" / "trials" / f".{small.OTHER}.parquet.123.part").write_bytes(b"PAR1 half")
    lab = open_lab(store.root)
    assert len(lab.table("trials")) == len(lab.sql("select * from trials")) == 39
