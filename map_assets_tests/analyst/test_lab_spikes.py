"""Spikes on the session clock and around events, counted again by hand."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.analyses.conditions import DELAY_RESPONSE
from map_assets.analyses.psth import make_psth
from map_assets.analyst import open_lab
from map_assets.analyst.errors import BadQuery, NoSessionClock, NoSuchEvent, NoSuchUnit
from map_assets.analyst.lab import Lab
from map_assets.analyst.session import LabSession
from map_assets.analyst.spikes import Trains, bin_edges_s, cut
from map_assets.store import Store
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.errors import NoSuchTable


@pytest.fixture
def session(lab: Lab, small: ModuleType) -> LabSession:
    return lab.session(small.WHOLE)


def by_hand(small: ModuleType, column: str, window: tuple[float, float]) -> dict[tuple[int, int, int], np.ndarray]:
    """Spikes around an event for every unit and observed trial, one after the other."""
    trials = small.trial_table()
    return {
        (probe, unit_id, trial): times_s[(times_s >= at_s + window[0]) & (times_s < at_s + window[1])] - at_s
        for (probe, unit_id), times_s in small.SPIKE_SECONDS.items()
        for trial, at_s in zip(trials["trial"], trials[column], strict=True)
        if at_s is not None and trial >= small.FIRST_TRIAL[probe]
    }


def test_spike_times_are_session_seconds(session: LabSession, small: ModuleType) -> None:
    for (probe, unit_id), expected in small.SPIKE_SECONDS.items():
        np.testing.assert_allclose(session.spike_times(probe, unit_id), expected, rtol=0, atol=1e-9)
    session.spike_times(1, 7)[:] = 0
    assert session.spike_times(1, 7)[-1] > 200


@pytest.mark.parametrize(
    ("event", "column", "window"),
    [
        ("go", "go_s", (-3.0, 3.0)),
        ("sample", "sample_s", (0.0, 0.65)),
        ("delay", "delay_s", (-0.5, 1.0)),
        ("start", "start_s", (0.0, 6.0)),
        ("photostim_onset_s", "photostim_onset_s", (-20.0, 20.0)),
    ],
)
def test_aligned_spikes_are_those_counted_by_hand(
    event: str, column: str, window: tuple[float, float], session: LabSession, small: ModuleType
) -> None:
    expected = by_hand(small, column, window)
    aligned = session.aligned_spikes(event, window=window)
    rows = list(zip(aligned.probe.tolist(), aligned.unit_id.tolist(), aligned.trial.tolist(), strict=True))
    assert rows == sorted(expected)
    assert len(aligned) == len(rows) and aligned.window == window
    for row, times_s in zip(rows, aligned.to_list(), strict=True):
        np.testing.assert_allclose(times_s, expected[row], rtol=0, atol=1e-9)
    assert aligned.times_s.size == aligned.n_spikes.sum() == aligned.offsets[-1] > 100
    np.testing.assert_array_equal(np.bincount(aligned.row, minlength=len(aligned)), aligned.n_spikes)
    at_s = dict(zip(small.trial_table()["trial"], small.trial_table()[column], strict=True))
    assert aligned.event_s.tolist() == [at_s[trial] for trial in aligned.trial.tolist()]


def test_unobserved_trials_have_no_row_and_silent_units_have_empty_ones(session: LabSession, small: ModuleType) -> None:
    aligned = session.aligned_spikes(probe=2)
    assert set(aligned.trial.tolist()) == set(range(10, 41)) - {small.SKIPPED}
    silent = session.aligned_spikes(probe=1, unit_id=12)
    assert len(silent) == 38 and silent.times_s.size == 0
    assert [times_s.size for times_s in silent.to_list()] == [0] * 38
    assert session.spike_times(1, 12).size == 0


def test_trials_are_chosen_by_number_mask_or_query(session: LabSession, small: ModuleType) -> None:
    trials = session.trials()

    def chosen(wanted: object) -> list[int]:
        return session.aligned_spikes(probe=1, unit_id=7, trials=wanted).trial.tolist()

    hits = trials.loc[(trials["outcome"] == "hit") & trials["go_s"].notna(), "trial"].tolist()
    assert chosen("outcome == 'hit'") == chosen(trials["outcome"] == "hit") == hits
    assert chosen((trials["outcome"] == "hit").to_numpy()) == chosen((trials["outcome"] == "hit").tolist()) == hits
    assert chosen([30, 2, 999, small.WITHOUT_GO]) == [2, 30]
    assert chosen("photostim_power_mw > 1 and instruction == 'left'") == [5, 15, 25, 35]
    unknown = pd.array([True, None] * 19 + [True], "boolean")
    assert set(chosen(unknown)) == set(trials["trial"][::2]) - {small.WITHOUT_GO}
    assert chosen([]) == []
    with pytest.raises(ValueError, match=r"3 values.*39 trials"):
        chosen([True, False, True])
    with pytest.raises(ValueError, match="whole numbers"):
        chosen([1.5])
    with pytest.raises(BadQuery, match="outcom"):
        chosen("outcom == 'hit'")


def test_no_trial_at_all_is_an_empty_answer(session: LabSession) -> None:
    aligned = session.aligned_spikes(trials="outcome == 'ignore'")
    assert len(aligned) == 0 and aligned.to_list() == [] and aligned.offsets.tolist() == [0]
    psth = session.psth(1, 7, condition="outcome == 'ignore'")
    assert psth.attrs["n_trials"] == 0 and psth["rate_hz"].isna().all()


def test_what_is_not_there_is_said(session: LabSession, lab: Lab, small: ModuleType) -> None:
    with pytest.raises(NoSuchEvent, match="near it: photostim_onset"):
        session.aligned_spikes("photostim_duration")
    with pytest.raises(NoSuchUnit, match="no unit 99"):
        session.spike_times(1, 99)
    with pytest.raises(NoSuchUnit, match="no unit 99"):
        session.psth(1, 99)
    with pytest.raises(NoSuchUnit, match="no sorted probe 5"):
        session.aligned_spikes(probe=5)
    with pytest.raises(NoSuchUnit, match="name the probe"):
        session.aligned_spikes(unit_id=7)
    with pytest.raises(NoSuchTable, match="has no table units"):
        lab.session(small.BEHAVIOR_ONLY).spike_times(1, 7)
    with pytest.raises(ValueError, match="empty"):
        session.aligned_spikes(window=(1.0, 1.0))


def test_a_probe_off_the_session_clock_is_said_to_be(small: ModuleType, tmp_path) -> None:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.WHOLE)
    small.write_ephys(store, small.WHOLE)
    small.written(
        store, small.CLOCK_MAPS, small.WHOLE, {"probe": [1, 2], "offset_s": [1.0, None], "drift_ppm": [0.0, None]}
    )
    session = open_lab(store.root).session(small.WHOLE)
    assert session.spike_times(1, 7).size
    with pytest.raises(NoSessionClock, match=r"Probe 2 .* no clock map"):
        session.spike_times(2, 7)
    small.written(store, small.PROBES, small.WHOLE, {"probe": [1, 2], "sample_rate_hz": [None, None]})
    with pytest.raises(NoSessionClock, match="no sample rate"):
        open_lab(store.root).session(small.WHOLE).spike_times(1, 7)


def test_a_psth_is_the_mean_over_trials_counted_by_hand(session: LabSession, small: ModuleType) -> None:
    trials = small.trial_table()
    hits = {number for number, outcome in zip(trials["trial"], trials["outcome"], strict=True) if outcome == "hit"}
    window, edges = (-1.0, 2.0), np.linspace(-1.0, 2.0, 31)
    expected = by_hand(small, "go_s", window)
    rates = np.array(
        [
            np.histogram(times_s, edges)[0] / 0.1
            for (probe, unit_id, trial), times_s in expected.items()
            if (probe, unit_id) == (1, 7) and trial in hits
        ]
    )
    psth = session.psth(1, 7, condition="outcome == 'hit'", window=window, bin_s=0.1)
    np.testing.assert_allclose(psth["time_from_event_s"], (edges[1:] + edges[:-1]) / 2)
    np.testing.assert_allclose(psth["rate_hz"], rates.mean(axis=0))
    np.testing.assert_allclose(psth["sem_hz"], rates.std(axis=0, ddof=1) / np.sqrt(len(rates)))
    assert psth.attrs["n_trials"] == len(rates) == 25
    assert psth.attrs["columns"]["rate_hz"]["unit"] == "Hz"
    burst = psth.set_index("time_from_event_s")["rate_hz"]
    assert burst.idxmax() in {burst.index[10], burst.index[11]} and burst.max() > 35


def test_a_psth_agrees_with_the_table_that_the_analysis_makes(session: LabSession, lab: Lab, small: ModuleType) -> None:
    names = ("units", "spikes", "trial_spikes", "trials", "clock_maps", "probes")
    tables = {name: lab.arrow(name, small.WHOLE) for name in names}
    rows = make_psth(small.WHOLE, *tables.values()).to_pylist()
    holds = {condition.name: condition.holds(tables["trials"]) for condition in DELAY_RESPONSE}
    assert sum(row["n_trials"] > 0 for row in rows) > 5
    for row in rows:
        psth = session.psth(row["probe"], row["unit_id"], condition=holds[row["condition"]])
        assert psth.attrs["n_trials"] == row["n_trials"]
        if row["n_trials"]:
            np.testing.assert_allclose(psth["rate_hz"], row["rate_hz"], rtol=1e-9)


def test_one_trial_has_a_rate_and_no_error_of_the_mean(session: LabSession) -> None:
    psth = session.psth(1, 7, condition=[2])
    assert psth["rate_hz"].notna().all() and psth["sem_hz"].isna().all()


@pytest.mark.parametrize("bin_s", [0.07, 0.0, -0.1, 100.0])
def test_bins_fill_the_window(bin_s: float, session: LabSession) -> None:
    assert bin_edges_s((-3.0, 3.0), 0.04).size == 151
    with pytest.raises(ValueError, match="whole number of bins"):
        session.psth(1, 7, bin_s=bin_s)


def test_coverage_tells_observed_from_unobserved(session: LabSession, lab: Lab, small: ModuleType) -> None:
    coverage = session.coverage()
    assert list(coverage.columns) == ["session", "probe", "trial", "is_observed"]
    assert len(coverage) == 2 * 39
    assert (coverage["is_observed"] == ((coverage["probe"] == 1) | (coverage["trial"] >= 10))).all()
    with pytest.raises(NoSuchTable):
        lab.session(small.BEHAVIOR_ONLY).coverage()


def test_a_spike_on_a_bound_belongs_to_what_begins_there() -> None:
    trains = Trains(np.array([0]), np.array([0, 3]), np.array([30_000, 45_000, 60_000]), 30_000.0, ClockMap(0.1, 20.0))
    at_s = trains.of(0)[:2]
    times_s, n_spikes = cut(trains, np.array([0, 0]), at_s, (0.0, at_s[1] - at_s[0]))
    assert n_spikes.tolist() == [1, 1]
    np.testing.assert_allclose(np.concatenate(times_s), 0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 400), max_size=30), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 400)), max_size=20),
    st.tuples(st.integers(-50, 20), st.integers(21, 60)),
)
def test_cutting_is_the_same_as_comparing_each_spike(
    trains: list[list[int]], rows: list[tuple[int, int]], window: tuple[int, int]
) -> None:
    sorted_trains = [np.sort(np.array(train, int)) for train in trains]
    rows = sorted(row for row in rows if row[0] < len(trains))
    offsets = np.r_[0, np.cumsum([len(train) for train in trains])]
    unit, at_s = np.array([row[0] for row in rows], int), np.array([row[1] for row in rows]) / 64
    from_s, to_s = window[0] / 64, window[1] / 64
    all_trains = Trains(np.arange(len(trains)), offsets, np.concatenate(sorted_trains), 64.0, ClockMap(0.0, 0.0))
    times_s, n_spikes = cut(all_trains, unit, at_s, (from_s, to_s))
    relative_s = [sorted_trains[index] / 64 - at for index, at in zip(unit, at_s, strict=True)]
    expected = [times[(times >= from_s) & (times < to_s)] for times in relative_s]
    assert n_spikes.tolist() == [len(cut_out) for cut_out in expected]
    np.testing.assert_array_equal(np.concatenate([np.empty(0), *times_s]), np.concatenate([np.empty(0), *expected]))
