"""A probe that is traced again has a new tracing, the older one is kept whole, and corrections hold for the one they were made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.ccf import track_tables as tt
from map_assets.ccf.corrections import shanks_without_line
from map_assets.ccf.tables import ELECTRODE_POSITIONS, PROBE_TRACKS
from map_assets.ccf.tracing_checks import shifts_move_every_shank
from map_assets.ccf.tracing_versions import settle_tracings
from map_assets.store import Store
from map_assets.vocabulary.tracing import TracingCorrection

SESSION = "SC022_20190228_151010"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITTEN = (
    *(tt.TRACED_POSITIONS, tt.TRACED_TRACKS, tt.TRACING_CHANGES),
    *(ELECTRODE_POSITIONS, PROBE_TRACKS, tt.TRACINGS),
)


def positions(ml_um: float = 4000.0, probe: int = 1, n: int = 10, shanks: int = 1) -> pa.Table:
    """Contacts 20 um apart straight up from a tip at 4000 um of depth."""
    shank, contact = np.divmod(np.arange(n * shanks), n)
    columns = {
        "session": [SESSION] * n * shanks,
        "probe": np.full(n * shanks, probe),
        "position_id": np.arange(n * shanks),
    }
    columns |= {
        "shank": shank,
        "contact": contact,
        "ccf_ap_um": 5000.0 + 250 * shank,
        "ccf_dv_um": 4000.0 - 20 * contact,
    }
    columns |= {
        "ccf_ml_um": np.full(n * shanks, ml_um),
        "format": ["landmarks"] * n * shanks,
        "file": ["a"] * n * shanks,
    }
    return ELECTRODE_POSITIONS.from_columns(columns)


def track(probe: int = 1, ml_um: float = 4000.0, n: int = 5) -> pa.Table:
    """Points from a depth of 500 um to 4000 um."""
    columns = {"session": [SESSION] * n, "probe": np.full(n, probe), "shank": np.zeros(n, int), "point": np.arange(n)}
    columns |= {"ccf_ap_um": np.full(n, 5000.0), "ccf_dv_um": np.linspace(500, 4000, n), "ccf_ml_um": np.full(n, ml_um)}
    return PROBE_TRACKS.from_columns(columns | {"file": ["b"] * n})


class Lab:
    """A store in which a session's histology is read again and again."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.now = NOON

    def past(self, name: str) -> Iterator[pa.Table]:
        found = self.store.read_if_there(name, SESSION)
        if found is not None:
            yield found
        for written, _, _ in reversed(self.store.history(name, SESSION)):
            yield self.store.read(name, SESSION, as_of=written)

    def read(self, *tables: pa.Table, failed: tuple[int, ...] = (), corrections: tuple = ()) -> dict[str, pa.Table]:
        self.now += timedelta(days=1)
        read: dict[str, list[pa.Table]] = {}
        for table in tables:
            name = "probe_tracks" if "point" in table.column_names else "electrode_positions"
            read.setdefault(name, []).append(table)
        whole = {name: pa.concat_tables(parts) for name, parts in read.items()}
        made = settle_tracings(SESSION, whole, failed, past=self.past, corrections=corrections, now=self.now)
        assert set(made) == {table.name for table in WRITTEN}
        for table in WRITTEN:
            self.store.write(table, SESSION, made[table.name])
        return made


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def correction(tracing: str, kind: str, number: int = 1, amount_um: float | None = None, probe: int = 1) -> Any:
    return TracingCorrection(number, SESSION, probe, tracing, kind, amount_um, "rivera", "okafor", "seen", NOON)


def names(made: Mapping[str, pa.Table]) -> dict[str, bool]:
    rows = made["tracings"].to_pylist()
    return {row["tracing"]: row["is_current"] for row in rows}


def test_what_is_read_first_is_the_only_tracing_and_reads_the_same_again(lab: Lab) -> None:
    made = lab.read(positions(), track())
    (row,) = made["tracings"].to_pylist()
    assert (row["is_current"], row["is_on_share"], row["first_seen"]) == (True, True, NOON + timedelta(days=1))
    assert (row["n_positions"], row["n_track_points"], row["formats"]) == (10, 5, "landmarks")
    assert made["electrode_positions"].equals(positions())
    assert made["probe_tracks"].equals(track())
    again = lab.read(positions(), track())
    assert all(again[name].equals(table) for name, table in made.items())
    assert again["tracing_changes"].num_rows == 0


def test_a_second_tracing_keeps_the_first_whole_and_says_how_far_places_moved(lab: Lab) -> None:
    first = lab.read(positions(), track())
    second = lab.read(positions(ml_um=4030.0), track())
    assert list(names(second).values()) == [True, False]
    assert second["electrode_positions"].equals(positions(ml_um=4030.0))
    (old,) = names(first)
    kept = second["traced_positions"].filter(pc.field("tracing") == old)
    assert kept.equals(first["traced_positions"])
    changes = {row["kind"]: row for row in second["tracing_changes"].to_pylist()}
    moved = changes["positions"]
    assert (moved["change"], moved["n_compared"], moved["moved_max_um"]) == ("moved", 10, 30.0)
    assert (moved["moved_ap_um"], moved["moved_dv_um"], moved["moved_ml_um"]) == (0.0, 0.0, 30.0)
    assert changes["track"]["change"] == "same"
    third = lab.read(positions(), track())
    assert names(third)[old]
    assert third["tracings"].filter(pc.field("tracing") == old)["first_seen"].to_pylist() == [NOON + timedelta(days=1)]
    assert third["tracings"].num_rows == 2


def test_a_tracing_that_was_mirrored_is_called_so(lab: Lab) -> None:
    lab.read(positions(), track())
    made = lab.read(positions(ml_um=7400.0), track(ml_um=7400.0))
    assert [row["change"] for row in made["tracing_changes"].to_pylist()] == ["mirrored", "mirrored"]
    assert made["tracing_changes"]["moved_median_um"].to_pylist() == [3400.0, 3400.0]


def test_a_tracing_that_only_grows_is_not_a_second_one(lab: Lab) -> None:
    lab.read(positions())
    made = lab.read(positions(), track())
    assert made["tracings"].num_rows == 1
    assert made["tracing_changes"].num_rows == 0
    four = lab.read(positions(shanks=4), track())
    assert four["tracings"].num_rows == 1
    assert names(four) == names(made)
    assert four["tracings"]["first_seen"].to_pylist() == [NOON + timedelta(days=1)]


def test_a_shank_whose_file_is_gone_stays_as_it_was_traced(lab: Lab) -> None:
    whole = positions(shanks=4)
    first = lab.read(whole, track())
    without_third = whole.filter(pc.field("shank") != 2)
    for read in ([without_third, track()], [without_third], [track()], [whole, track()]):
        made = lab.read(*read)
        assert made["electrode_positions"].equals(whole)
        assert made["probe_tracks"].equals(track())
        assert names(made) == names(first)
        assert made["tracings"]["is_on_share"].to_pylist() == [len(read) == 2 and read[0] is whole]
        assert made["tracing_changes"].num_rows == 0


def test_a_shank_that_is_traced_again_while_anothers_file_is_gone_moves_alone(lab: Lab) -> None:
    lab.read(positions(shanks=2), track())
    again = positions(ml_um=4030.0, shanks=2).filter(pc.field("shank") == 0)
    made = lab.read(again)
    rows = made["electrode_positions"]
    assert rows.filter(pc.field("shank") == 0)["ccf_ml_um"].to_pylist() == [4030.0] * 10
    assert rows.filter(pc.field("shank") == 1)["ccf_ml_um"].to_pylist() == [4000.0] * 10
    assert rows["position_id"].to_pylist() == list(range(20))
    said = [(row["kind"], row["shank"], row["change"]) for row in made["tracing_changes"].to_pylist()]
    assert said == [("positions", 0, "moved"), ("positions", 1, "same"), ("track", 0, "same")]
    assert all(lab.read(again)[name].equals(table) for name, table in made.items())


def test_a_second_shank_alone_is_numbered_behind_the_first(lab: Lab) -> None:
    whole = positions(shanks=2)
    lab.read(whole.filter(pc.field("shank") == 0))
    second = whole.filter(pc.field("shank") == 1)
    at = second.column_names.index("position_id")
    made = lab.read(second.set_column(at, second.schema.field(at), pa.array(range(10))))
    assert made["electrode_positions"].equals(whole)


def test_a_tracing_that_grew_keeps_its_corrections(lab: Lab) -> None:
    (name,) = names(lab.read(positions(ml_um=7400.0)))
    flip = (correction(name, "flip"),)
    lab.read(positions(ml_um=7400.0), corrections=flip)
    made = lab.read(positions(ml_um=7400.0), track(ml_um=7400.0), corrections=flip)
    (row,) = made["tracings"].to_pylist()
    assert (row["tracing"], row["first_seen"], row["corrections"]) == (name, NOON + timedelta(days=1), "1")
    assert row["corrections_left_out"] is None
    assert set(made["electrode_positions"]["ccf_ml_um"].to_pylist()) == {4000.0}
    assert set(made["probe_tracks"]["ccf_ml_um"].to_pylist()) == {4000.0}
    moved = lab.read(positions(ml_um=4010.0), track(ml_um=7400.0), corrections=flip)
    assert len(names(moved)) == 2
    back = lab.read(positions(ml_um=7400.0), track(ml_um=7400.0), corrections=flip)
    assert names(back)[name]


def test_a_track_that_is_followed_from_its_other_end_is_the_same(lab: Lab) -> None:
    turned = track().set_column(3, "point", pa.array(range(4, -1, -1))).take([4, 3, 2, 1, 0])
    turned = PROBE_TRACKS.check(turned.select(track().column_names).cast(track().schema))
    (name,) = names(lab.read(track()))
    made = lab.read(turned, corrections=(correction(name, "shift", amount_um=50.0),))
    assert names(made) == {name: True}
    assert made["tracings"]["corrections"].to_pylist() == ["1"]
    assert made["probe_tracks"]["ccf_dv_um"].to_pylist()[0] == pytest.approx(4050.0)


def test_a_track_that_grew_contacts_keeps_its_name_and_tells_their_format(lab: Lab) -> None:
    (name,) = names(lab.read(track()))
    made = lab.read(track(), positions())
    assert (names(made), made["tracings"]["formats"].to_pylist()) == ({name: True}, ["landmarks"])


def test_a_file_that_cannot_be_read_leaves_what_was_traced(lab: Lab) -> None:
    lab.read(positions(), track(), positions(probe=2))
    made = lab.read(track(), positions(ml_um=4100.0, probe=2), failed=(1,))
    rows = made["electrode_positions"]
    assert rows.filter(pc.field("probe") == 1).equals(positions())
    assert rows.filter(pc.field("probe") == 2).equals(positions(ml_um=4100.0, probe=2))


def test_files_that_left_the_share_leave_their_tracing(lab: Lab) -> None:
    lab.read(positions(), track(), positions(probe=2))
    made = lab.read(positions(probe=2))
    on_share = {row["probe"]: row["is_on_share"] for row in made["tracings"].to_pylist()}
    assert on_share == {1: False, 2: True}
    assert made["electrode_positions"].filter(pc.field("probe") == 1).equals(positions())
    assert made["probe_tracks"].equals(track())


def test_what_was_written_before_tracings_had_versions_is_the_first_of_them(lab: Lab) -> None:
    without = [column.name for column in ELECTRODE_POSITIONS.columns if column.name != "corrections"]
    older = settle_tracings(
        SESSION,
        {"electrode_positions": positions(ml_um=4030.0)},
        (),
        past=lambda name: [positions().select(without)] if name == "electrode_positions" else [],
        now=NOON,
    )
    assert older["tracings"].num_rows == 2
    assert older["tracing_changes"]["moved_max_um"].to_pylist() == [30.0]


def test_a_flip_mirrors_the_probe_and_every_row_says_so(lab: Lab) -> None:
    first = lab.read(positions(), track(), positions(probe=2))
    name = first["tracings"].filter(pc.field("probe") == 1)["tracing"][0].as_py()
    made = lab.read(positions(), track(), positions(probe=2), corrections=(correction(name, "flip", 7),))
    rows = made["electrode_positions"]
    assert set(rows.filter(pc.field("probe") == 1)["ccf_ml_um"].to_pylist()) == {7400.0}
    assert rows["corrections"].to_pylist() == ["7"] * 10 + [None] * 10
    assert made["probe_tracks"]["corrections"].to_pylist() == ["7"] * 5
    assert set(made["probe_tracks"]["ccf_ml_um"].to_pylist()) == {7400.0}
    assert made["traced_positions"].equals(first["traced_positions"])
    assert made["tracings"]["corrections"].to_pylist() == ["7", None]
    undone = lab.read(positions(), track(), positions(probe=2))
    assert all(undone[table].equals(first[table]) for table in first)


def test_a_shift_moves_positions_towards_the_tip_and_leaves_the_dye_where_it_was_seen(lab: Lab) -> None:
    first = lab.read(positions(shanks=2), track())
    (name,) = names(first)
    fixes = (correction(name, "shift", 1, 100.0), correction(name, "shift", 2, -30.0))
    made = lab.read(positions(shanks=2), track(), corrections=fixes)
    moved = made["electrode_positions"]["ccf_dv_um"].to_numpy() - positions(shanks=2)["ccf_dv_um"].to_numpy()
    assert np.allclose(moved, 70.0)
    assert set(made["electrode_positions"]["corrections"].to_pylist()) == {"1,2"}
    assert made["probe_tracks"].equals(track())


def test_a_shift_moves_a_track_that_places_the_contacts_itself(lab: Lab) -> None:
    (name,) = names(lab.read(track()))
    made = lab.read(track(), corrections=(correction(name, "shift", 3, 50.0),))
    assert np.allclose(made["probe_tracks"]["ccf_dv_um"].to_numpy() - track()["ccf_dv_um"].to_numpy(), 50.0)


def test_a_shank_without_a_line_stays_where_it_is_and_is_said(lab: Lab) -> None:
    lone = positions(shanks=2).slice(0, 11)
    first = lab.read(lone, track(probe=2))
    name = first["tracings"]["tracing"][0].as_py()
    made = lab.read(lone, track(probe=2), corrections=(correction(name, "shift", 3, 50.0),))
    moved = made["electrode_positions"]["ccf_dv_um"].to_numpy() - lone["ccf_dv_um"].to_numpy()
    assert np.allclose(moved, [50.0] * 10 + [0.0])
    assert made["electrode_positions"]["corrections"].to_pylist() == ["3"] * 10 + [None]
    assert made["tracings"]["shanks_not_shifted"].to_pylist() == ["2", None]
    verdict = shifts_move_every_shank(made["tracings"])
    assert (verdict.passed, verdict.figures) == (False, {"n_probes": 1})
    assert "probe 1 left shank 2" in verdict.description
    assert shifts_move_every_shank(first["tracings"]).passed
    assert shanks_without_line(lone, track(probe=2), 1) == [1]
    assert shanks_without_line(lone, track(probe=2), 1, 0) == []


def test_one_shank_is_mirrored_or_given_up_alone(lab: Lab) -> None:
    (name,) = names(lab.read(positions(shanks=3), track()))
    shanks = (replace(correction(name, "flip", 1), shank=1), replace(correction(name, "drop", 2), shank=0))
    made = lab.read(positions(shanks=3), track(), corrections=shanks)
    rows = made["electrode_positions"]
    assert rows["shank"].to_pylist() == [1] * 10 + [2] * 10
    assert rows["ccf_ml_um"].to_pylist() == [7400.0] * 10 + [4000.0] * 10
    assert made["probe_tracks"].num_rows == 0
    assert made["tracings"]["corrections"].to_pylist() == ["1,2"]
    assert made["traced_positions"].num_rows == 30
    back = lab.read(positions(shanks=3), track())
    assert back["electrode_positions"].equals(positions(shanks=3))


def test_a_correction_does_not_touch_a_tracing_that_it_was_not_made_for(lab: Lab) -> None:
    (name,) = names(lab.read(positions()))
    flip = (correction(name, "flip", 4),)
    repaired = lab.read(positions(ml_um=7400.0), corrections=flip)
    assert set(repaired["electrode_positions"]["ccf_ml_um"].to_pylist()) == {7400.0}
    current = repaired["tracings"].filter(pc.field("is_current")).to_pylist()[0]
    assert (current["corrections"], current["corrections_left_out"]) == (None, "4")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_no_tracing_that_differs_is_ever_lost(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    for number in order:
        made = lab.read(positions(ml_um=4000.0 + 10 * number))
    assert made["tracings"].num_rows == len(set(order))
    assert sum(names(made).values()) == 1
    assert set(made["electrode_positions"]["ccf_ml_um"].to_pylist()) == {4000.0 + 10 * order[-1]}
    kept = {row["ccf_ml_um"] for row in made["traced_positions"].to_pylist()}
    assert kept == {4000.0 + 10 * number for number in order}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from([None, 4000.0, 4010.0])] * 2, st.sampled_from([None, 4000.0, 4010.0])), max_size=6
    )
)
def test_whatever_comes_and_goes_each_shank_stands_as_it_was_last_traced(steps: list[tuple[float | None, ...]]) -> None:
    past: dict[str, pa.Table] = {}
    last: dict[tuple[str, int], float] = {}
    seen: set[tuple[tuple[str, int], float]] = set()
    for first, second, dye in steps:
        read: dict[str, pa.Table] = {}
        given_now = {("positions", 0): first, ("positions", 1): second, ("track", 0): dye}
        last |= {key: ml_um for key, ml_um in given_now.items() if ml_um is not None}
        seen |= {(key, ml_um) for key, ml_um in given_now.items() if ml_um is not None}
        shanks = [
            positions(ml_um=ml_um, shanks=2).filter(pc.field("shank") == shank)
            for shank, ml_um in enumerate((first, second))
            if ml_um is not None
        ]
        read |= {"electrode_positions": pa.concat_tables(shanks)} if shanks else {}
        read |= {"probe_tracks": track(ml_um=dye)} if dye is not None else {}
        past = settle_tracings(SESSION, read, past=lambda name, tables=past: [tables[name]] if tables else [], now=NOON)
        for name, table in past.items():
            next(one for one in WRITTEN if one.name == name).check(table)
        rows = past["electrode_positions"].to_pylist()
        found = {("positions", row["shank"]): row["ccf_ml_um"] for row in rows}
        found |= {("track", row["shank"]): row["ccf_ml_um"] for row in past["probe_tracks"].to_pylist()}
        assert found == last
        kept = {(("positions", row["shank"]), row["ccf_ml_um"]) for row in past["traced_positions"].to_pylist()}
        kept |= {(("track", 0), row["ccf_ml_um"]) for row in past["traced_tracks"].to_pylist()}
        assert kept == seen
