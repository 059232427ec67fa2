"""Where each trial's spikes stand, against a plain loop and on the borders."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.tables import CLOCK_MAPS, PROBES, SPIKES
from map_assets.ephys.trial_spikes import make_trial_spikes
from map_assets.vocabulary.clock import ClockMap

RATE_HZ = 30000.0


def clock_row(clock: ClockMap | None, matched: list[int], **changes: Any) -> dict[str, Any]:
    lists = ("matched_ephys_trials", "unmatched_behavior_trials", "unmatched_ephys_trials", "anchor_trials")
    lists += ("anchor_probe_s", "anchor_session_s", "anchor_residual_s")
    row = {"session": "s", "probe": 1, "n_anchors": 2, "matched_trials": matched, **{name: [] for name in lists}}
    if clock is not None:
        row |= {"offset_s": clock.offset_s, "drift_ppm": clock.drift_ppm, "observed_from_s": clock.offset_s}
    return row | changes


def clocks(*rows: dict[str, Any]) -> pa.Table:
    return CLOCK_MAPS.from_rows(rows)


def probes(rate_hz: float | None = RATE_HZ, probe: int = 1) -> pa.Table:
    return PROBES.from_rows([{"session": "s", "probe": probe, "sample_rate_hz": rate_hz, "folder": "x"}])


def spikes(trains: dict[int, Any], probe: int = 1) -> pa.Table:
    rows = [{"session": "s", "probe": probe, "unit_id": unit, "samples": list(train)} for unit, train in trains.items()]
    return SPIKES.from_rows(rows)


def indexed(table: pa.Table) -> dict[tuple[int, int], tuple[int, int]]:
    return {(row["unit_id"], row["trial"]): (row["first_spike"], row["n_spikes"]) for row in table.to_pylist()}


def test_a_spike_on_a_boundary_belongs_to_the_trial_that_starts_there(make: SimpleNamespace) -> None:
    trials = make.trials_table([{"trial": k, "start_s": 1.0 * k, "stop_s": k + 0.5} for k in (1, 2, 3)])
    train = [29999, 30000, 59999, 60000, 60000, 90000, 104999, 105000]
    found = make_trial_spikes(
        "s", spikes({4: train}), trials, clocks(clock_row(ClockMap(0.0, 0.0), [1, 2, 3])), probes()
    )
    assert indexed(found) == {(4, 1): (1, 2), (4, 2): (3, 2), (4, 3): (5, 2)}


def test_a_boundary_between_two_samples_parts_them(make: SimpleNamespace) -> None:
    trials = make.trials_table([{"trial": k, "start_s": k + 1e-5, "stop_s": k + 0.5} for k in (1, 2)])
    train = [30000, 30001, 60000, 60001]
    found = make_trial_spikes("s", spikes({4: train}), trials, clocks(clock_row(ClockMap(0.0, 0.0), [1, 2])), probes())
    assert indexed(found) == {(4, 1): (1, 2), (4, 2): (3, 1)}


def test_a_boundary_is_exact_under_drift(make: SimpleNamespace) -> None:
    clock = ClockMap(-17.3, 20.0)
    edges = np.array([0, 270001, 123456789])
    start_s = clock.session_s(edges / RATE_HZ)
    trials = make.trials_table([{"trial": k + 1, "start_s": at, "stop_s": at + 5.0} for k, at in enumerate(start_s)])
    train = np.sort(np.r_[edges[1:] - 1, edges, edges[1:] + 1])
    found = make_trial_spikes("s", spikes({0: train}), trials, clocks(clock_row(clock, [1, 2, 3])), probes())
    assert indexed(found) == {(0, 1): (0, 2), (0, 2): (2, 3), (0, 3): (5, 2)}


def test_a_silent_unit_has_rows_with_no_spikes(make: SimpleNamespace) -> None:
    trials = make.trials_table([{"trial": k, "start_s": 5.0 * k} for k in (1, 2)])
    found = make_trial_spikes(
        "s", spikes({0: [], 1: [400000]}), trials, clocks(clock_row(ClockMap(0.0, 0.0), [1, 2])), probes()
    )
    assert indexed(found) == {(0, 1): (0, 0), (0, 2): (0, 0), (1, 1): (0, 0), (1, 2): (0, 1)}


def test_an_unmatched_trial_has_no_rows_and_ends_the_one_before_it(make: SimpleNamespace) -> None:
    trials = make.trials_table([{"trial": k, "start_s": 1.0 * k} for k in (1, 2, 3)])
    train = [45000, 75000, 105000]
    found = make_trial_spikes("s", spikes({0: train}), trials, clocks(clock_row(ClockMap(0.0, 0.0), [1, 3])), probes())
    assert indexed(found) == {(0, 1): (0, 1), (0, 3): (2, 1)}


@pytest.mark.parametrize(
    ("observed", "trials_seen"),
    [
        ({"observed_from_s": 1.0}, [1, 2, 3]),
        ({"observed_from_s": 1.001}, [2, 3]),
        ({"observed_to_s": 3.5}, [1, 2, 3]),
        ({"observed_to_s": 3.4}, [1, 2]),
        ({"observed_to_s": 2.9}, [1]),
        ({"observed_from_s": 1.5, "observed_to_s": 2.9}, []),
    ],
)
def test_only_trials_that_lie_whole_within_the_recording_are_listed(
    make: SimpleNamespace, observed: dict[str, float], trials_seen: list[int]
) -> None:
    trials = make.trials_table([{"trial": k, "start_s": 1.0 * k, "stop_s": k + 0.5} for k in (1, 2, 3)])
    row = clock_row(ClockMap(0.0, 0.0), [1, 2, 3], **observed)
    found = make_trial_spikes("s", spikes({0: [1, 2]}), trials, clocks(row), probes())
    assert [trial for _, trial in indexed(found)] == trials_seen


def test_a_session_of_one_trial_runs_to_its_stop(make: SimpleNamespace) -> None:
    trials = make.trials_table([{"trial": 1, "start_s": 0.0, "stop_s": 2.0}])
    found = make_trial_spikes(
        "s", spikes({0: [0, 59999, 60000]}), trials, clocks(clock_row(ClockMap(0.0, 0.0), [1])), probes()
    )
    assert indexed(found) == {(0, 1): (0, 2)}


def test_a_probe_without_clock_or_rate_has_no_rows(make: SimpleNamespace) -> None:
    trials = make.trials_table([{"trial": 1, "start_s": 0.0}])
    good, bad = clocks(clock_row(ClockMap(0.0, 0.0), [1])), clocks(clock_row(None, [1], n_anchors=0))
    assert make_trial_spikes("s", spikes({0: [1]}), trials, bad, probes()).num_rows == 0
    assert make_trial_spikes("s", spikes({0: [1]}), trials, good, probes(None)).num_rows == 0
    assert make_trial_spikes("s", spikes({0: [1]}, probe=2), trials, good, probes()).num_rows == 0
    assert make_trial_spikes("s", spikes({0: [1]}), trials, good, probes()).num_rows == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_index_agrees_with_a_plain_loop(data: st.DataObject) -> None:
    from map_assets.behavior.tables import TRIALS

    n = data.draw(st.integers(1, 8))
    lengths = data.draw(st.lists(st.integers(2, 50), min_size=n, max_size=n))
    starts = (np.r_[0, np.cumsum(lengths)[:-1]] + data.draw(st.integers(0, 30))) / 10
    numbers = np.cumsum(data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n)))
    clock = ClockMap(data.draw(st.floats(-5, 0)), data.draw(st.floats(-80, 80)))
    texts = {"instruction": "left", "outcome": "hit"} | dict.fromkeys(
        ("early_lick", "is_auto_water", "is_free_water"), False
    )
    counts = dict.fromkeys(("n_samples", "n_delays", "n_go_cues"), 1)
    rows = [
        {"session": "s", "trial": int(k), "start_s": t, "stop_s": t + 0.1, "until_s": end, **texts, **counts}
        for k, t, end in zip(numbers, starts, [*starts[1:], starts[-1] + 0.1], strict=True)
    ]
    matched = [int(k) for k in numbers if data.draw(st.booleans())]
    trains = {unit: sorted(data.draw(st.lists(st.integers(0, 900_000), max_size=30))) for unit in (2, 40, 41)}
    found = make_trial_spikes("s", spikes(trains), TRIALS.from_rows(rows), clocks(clock_row(clock, matched)), probes())
    expected = {}
    for unit, train in trains.items():
        at_s = clock.session_s(np.array(train) / RATE_HZ)
        for k, row in enumerate(rows):
            stop_s = rows[k + 1]["start_s"] if k + 1 < n else row["stop_s"]
            held = np.flatnonzero((at_s >= row["start_s"] - 1e-8) & (at_s < stop_s - 1e-8))
            if row["trial"] in matched:
                first = int(held[0]) if len(held) else int(np.count_nonzero(at_s < row["start_s"] - 1e-8))
                expected[unit, row["trial"]] = (first, len(held))
    assert indexed(found) == expected


def test_the_spikes_of_a_trial_are_found_without_copying_them(make: SimpleNamespace) -> None:
    trials = make.trials_table([{"trial": k, "start_s": 1.0 * k} for k in range(1, 40)])
    trains = {unit: np.sort(np.random.default_rng(unit).integers(0, 40 * 30000, 500)) for unit in range(20)}
    table = make_trial_spikes(
        "s", spikes(trains), trials, clocks(clock_row(ClockMap(0.0, 0.0), list(range(1, 40)))), probes()
    )
    assert table.num_rows == 20 * 39
    for row in table.to_pylist()[::37]:
        train = trains[row["unit_id"]]
        stop = row["trial"] + 1 if row["trial"] < 39 else 43
        held = train[(train >= row["trial"] * 30000) & (train < stop * 30000)]
        np.testing.assert_array_equal(train[row["first_spike"] : row["first_spike"] + row["n_spikes"]], held)
