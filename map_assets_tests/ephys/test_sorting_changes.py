"""What became of units is told from the spikes that they share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys import spike_overlap
from map_assets.ephys.sorting_changes import TOLERANCE_S, find_changes
from map_assets.ephys.spike_overlap import count_shared, stream_of
from map_assets.ephys.tables import OTHER_SPIKES, SORTING_CHANGES, SORTINGS, SPIKES

SESSION = "SC022_20190303_151010"
RATE_HZ = 30000.0
TOLERANCE = round(TOLERANCE_S * RATE_HZ)
Trains = Mapping[int, np.ndarray]


def changes(before: Trains, after: Trains, *, rate_hz: float | None = RATE_HZ, probe: int = 1) -> list[dict]:
    """The report on two versions of one probe."""
    row = {"session": SESSION, "probe": probe, "sorter": "ks", "curation": "raw", "n_units": 0, "n_spikes": 0}
    row |= {"sample_rate_hz": rate_hz, "has_metrics": False, "folder": "f", "first_seen": 0, "is_on_share": True}
    names = [{"sorting": "ks-new", "is_current": True}, {"sorting": "ks-old", "is_current": False}]
    key = {"session": SESSION, "probe": probe}
    found = find_changes(
        SESSION,
        SORTINGS.from_rows([{**row, **name} for name in names]),
        SPIKES.from_rows([{**key, "unit_id": unit, "samples": train} for unit, train in after.items()]),
        OTHER_SPIKES.from_rows(
            [{**key, "sorting": "ks-old", "unit_id": unit, "samples": train} for unit, train in before.items()]
        ),
    )
    assert SORTING_CHANGES.check(found).equals(found)
    return found.to_pylist()


def told(rows: list[dict]) -> set[tuple]:
    return {(row["unit_id"], row["current_unit_id"], row["change"]) for row in rows}


def merged(*trains: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate(trains))


@st.composite
def recordings(draw: st.DrawFn) -> dict[int, np.ndarray]:
    """Units of a few to some hundred spikes; some fall on one sample."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(4, 300), min_size=4, max_size=8))
    return {unit * 3: np.sort(rng.choice(60_000, size, replace=False)) for unit, size in enumerate(sizes)}


@settings(max_examples=40, deadline=None)
@given(recordings(), st.randoms(use_true_random=False))
def test_every_kind_of_curation_is_found_as_such(before: dict[int, np.ndarray], random: object) -> None:
    cut, first, second, gone, *rest = random.sample(sorted(before), len(before))
    after = {unit: before[unit] for unit in rest}
    is_half = np.arange(len(before[cut])) % 2 == 0
    after |= {100: before[cut][is_half], 101: before[cut][~is_half], 102: merged(before[first], before[second])}
    expected = {(unit, unit, "same") for unit in rest}
    expected |= {(cut, 100, "split"), (cut, 101, "split"), (first, 102, "merged"), (second, 102, "merged")}
    found = changes(before, after)
    assert told(found) == expected | {(gone, None, "lost")}
    for row in found:
        if row["change"] in {"split", "merged", "same"}:
            assert row["n_shared"] == min(row["n_spikes"], row["n_current_spikes"])
    backwards = {
        (current, unit, {"split": "merged", "merged": "split"}.get(kind, kind)) for unit, current, kind in expected
    }
    assert told(changes(after, before)) == backwards | {(None, gone, "new")}


@settings(max_examples=30, deadline=None)
@given(recordings())
def test_units_that_only_got_other_numbers_are_the_same(before: dict[int, np.ndarray]) -> None:
    found = changes(before, {unit + 1000: train for unit, train in before.items()})
    assert told(found) == {(unit, unit + 1000, "same") for unit in before}
    assert {row["share"] for row in found} == {row["current_share"] for row in found} == {1.0}


def test_another_sorters_spikes_are_met_within_the_tolerance_and_not_beyond() -> None:
    rng = np.random.default_rng(1)
    before = {unit: np.sort(rng.choice(3_000_000, 2000, replace=False)) * 30 for unit in range(6)}
    near = {unit: train + rng.integers(-TOLERANCE, TOLERANCE + 1, len(train)) for unit, train in before.items()}
    far = {unit: train + TOLERANCE + 2 for unit, train in before.items()}
    assert told(changes(before, near)) == {(unit, unit, "same") for unit in before}
    assert {row["change"] for row in changes(before, far)} == {"lost", "new"}
    assert {row["change"] for row in changes(before, near, rate_hz=None)} == {"lost", "new"}


def test_a_unit_that_lost_or_won_many_spikes_is_changed() -> None:
    train = np.arange(1000) * 100
    other = np.arange(500) * 200 + 50
    found = changes({1: train, 2: other}, {1: train[:700], 2: other})
    assert told(found) == {(1, 1, "changed"), (2, 2, "same")}
    (row,) = [row for row in found if row["unit_id"] == 1]
    assert (row["n_shared"], row["share"], row["current_share"]) == (700, 0.7, 1.0)


def test_a_version_without_units_has_lost_or_won_them_all() -> None:
    assert told(changes({1: np.array([5])}, {})) == {(1, None, "lost")}
    assert told(changes({}, {1: np.array([5])})) == {(None, 1, "new")}


def test_probes_are_compared_each_with_itself_and_one_sorting_with_nothing() -> None:
    assert find_changes(SESSION, None, None, None).num_rows == 0
    assert changes({1: np.array([5])}, {1: np.array([5])}, probe=4)[0]["probe"] == 4


@settings(max_examples=60, deadline=None)
@given(recordings(), recordings(), st.integers(0, 40), st.booleans())
def test_spikes_are_counted_as_pair_by_pair(
    one: dict[int, np.ndarray], other: dict[int, np.ndarray], tolerance: int, is_crowded: bool
) -> None:
    if is_crowded:
        one, other = ({unit: np.sort(train // 50) for unit, train in trains.items()} for trains in (one, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spike_overlap, "_SPIKES_A_CHUNK", 50)
        patch.setattr(spike_overlap, "_PAIRS_A_CHUNK", 70)
        if tolerance % 2:
            patch.setattr(spike_overlap, "_MOST_CELLS", 3)
        streams = [
            stream_of(np.concatenate([*t.values()]), np.array([len(x) for x in t.values()])) for t in (one, other)
        ]
        found = count_shared(*streams, tolerance)
    expected = {}
    for i, left in enumerate(one.values()):
        for j, right in enumerate(other.values()):
            is_near = np.abs(left[:, None] - right[None, :]) <= tolerance
            n = min(is_near.any(1).sum(), is_near.any(0).sum())
            if n:
                expected[i, j] = n
    assert (
        dict(zip(zip(found.unit.tolist(), found.other.tolist(), strict=True), found.n_shared.tolist(), strict=True))
        == expected
    )


def test_samples_too_large_to_be_packed_are_sorted_all_the_same() -> None:
    far = 1 << 60
    found = changes({1: np.array([5, far]), 2: np.array([7])}, {1: np.array([5, far]), 2: np.array([7])})
    assert told(found) == {(1, 1, "same"), (2, 2, "same")}


def test_a_stream_that_stands_still_is_compared_without_looking_at_all_its_pairs() -> None:
    train = np.zeros(50_000, np.int64)
    stream = stream_of(train, np.array([len(train)]))
    overlap = count_shared(stream, stream, 0)
    assert 0 < overlap.n_shared[0] <= len(train)
    assert len(changes({1: train}, {1: train})) <= 2


def test_the_report_is_small_and_its_ids_rise() -> None:
    trains = {unit: np.arange(10) * 1000 + unit for unit in range(50)}
    rows = changes(trains, trains)
    assert [row["change_id"] for row in rows] == list(range(50))
    assert pa.array([row["change"] for row in rows]).unique().to_pylist() == ["same"]
