"""The jaw's phase and the units that follow it, on movements whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from map_assets.analyses.checks_movement import movements_are_whole, tuning_conserves_spikes
from map_assets.analyses.circular import kuiper_p, rayleigh_p, vector_p
from map_assets.analyses.jaw_oscillation import make_jaw_oscillation, oscillation
from map_assets.analyses.jaw_phase import make_jaw_phase, moving_points
from map_assets.analyses.masks import Usable
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.trains import Spiking
from map_assets.tracking.tables import TRACKING

SESSION = "SC022_20190228_151010"
RATE_HZ = 30000.0
CAMERA_HZ = 250.0
JAW_HZ = 7.0
PARAMETERS = read_parameters()


def jaw_angle(at_s: np.ndarray) -> np.ndarray:
    """The truth: the angle of the jaw at session times, rad; each trial of 5 s begins elsewhere in the cycle."""
    return 2 * np.pi * JAW_HZ * at_s + 1.7 * np.floor(at_s / 5)


def tracking_of(start_s: np.ndarray, y_of: Callable[[np.ndarray], np.ndarray], **changes: Any) -> pa.Table:
    rows = []
    for trial, start in enumerate(start_s, 1):
        time = start + np.arange(int(4.8 * CAMERA_HZ)) / CAMERA_HZ
        y = y_of(time)
        row = {
            "session": SESSION,
            "trial": trial,
            "camera": "side",
            "feature": "jaw",
            "n_frames": len(time),
            "rate_hz": CAMERA_HZ,
            "frame": np.arange(len(time)),
            "frame_s": time,
            "x_px": np.zeros(len(time)),
            "y_px": y,
            "likelihood": np.ones(len(time)),
            "file": "a.csv",
        }
        rows.append(row | {name: change(time) for name, change in changes.items()})
    return TRACKING.from_rows(rows)


def chewing(at: np.ndarray) -> np.ndarray:
    """A jaw that opens quickly and closes slowly: it spends unequal times in its phases."""
    return 205 + 10 * np.cos(jaw_angle(at)) + 4 * np.cos(2 * jaw_angle(at) - 1)


def trains_following(
    n_trials: int, preferred: dict[int, float | None], rate_hz: float, depth: float, seed: int
) -> dict:
    rng = np.random.default_rng(seed)
    trains = {}
    for unit, phase in preferred.items():
        at = np.sort(rng.uniform(0, n_trials * 5, rng.poisson(n_trials * 5 * rate_hz * (1 + depth))))
        share = np.ones(len(at)) if phase is None else 1 + depth * np.cos(jaw_angle(at) - phase)
        kept = at[rng.random(len(at)) * (1 + depth) < share]
        trains[(1, unit)] = np.unique(np.round(kept * RATE_HZ).astype(int)).tolist()
    return trains


def oscillations(tracking: pa.Table, **changes: Any) -> pa.Table:
    return make_jaw_oscillation(SESSION, tracking, PARAMETERS.jaw.model_copy(update=changes), "1")


def test_a_unit_that_follows_the_jaw_is_found_with_its_phase(trials_of: Callable, tables_of: Callable) -> None:
    start = np.arange(60) * 5.0
    truth = {0: 0.0, 1: 2.0, 2: -2.5, 3: None}
    made = tables_of(trials_of(start), trains_following(60, truth, 15.0, 0.6, 1), clock={1: (0.0, 0.0)})
    jaw = oscillations(tracking_of(start, lambda at: 205 + 10 * np.cos(jaw_angle(at))))
    table = make_jaw_phase(SESSION, Spiking(*made.all), jaw, PARAMETERS.jaw_phase, "1")
    assert tuning_conserves_spikes(table).passed
    assert not tuning_conserves_spikes(table.set_column(5, "n_spikes", pa.array([1] * 4))).passed
    found = table.to_pylist()
    for row in found[:3]:
        off = np.angle(np.exp(1j * (row["preferred_phase_rad"] - truth[row["unit_id"]])))
        assert abs(off) < 0.15
        assert row["is_tuned"]
        assert row["vector_length"] == pytest.approx(0.3, abs=0.07)  # half of the depth
        assert max(row["p"], row["rayleigh_p"], row["kuiper_p"]) < 1e-6
        assert np.mean(row["rate_hz"]) == pytest.approx(15, abs=2)
        assert np.dot(row["rate_hz"], row["moving_in_bin_s"]) == pytest.approx(row["n_spikes"])
    assert found[3]["p"] > 1e-3


def test_units_that_do_not_follow_are_called_tuned_at_the_nominal_rate_though_the_jaw_dwells(
    trials_of: Callable, tables_of: Callable
) -> None:
    start = np.arange(40) * 5.0
    rng = np.random.default_rng(3)
    # spikes in bursts of three: they are no independent observations
    bursts = {
        (1, unit): np.unique(
            np.round((rng.uniform(0, 200, 500)[:, None] + np.array([0, 0.003, 0.006])).ravel() * RATE_HZ).astype(int)
        ).tolist()
        for unit in range(1000)
    }
    made = tables_of(trials_of(start), bursts)
    jaw = oscillations(tracking_of(start, chewing))
    found = make_jaw_phase(SESSION, Spiking(*made.all), jaw, PARAMETERS.jaw_phase, "1")
    low, high = stats.binom.interval(0.9999, 1000, 0.05)
    assert low <= (found["p"].to_numpy() < 0.05).sum() <= high
    assert sum(found["is_tuned"].to_pylist()) <= 2
    assert (found["rayleigh_p"].to_numpy() < 0.05).mean() > 0.1  # which takes each spike for one


def test_the_filtered_jaw_keeps_its_phase_up_to_a_cut_and_is_not_filtered_across() -> None:
    start = np.array([0.0, 5.0])

    def unsure(time: np.ndarray) -> np.ndarray:
        return np.where((time % 5 > 2.0) & (time % 5 < 2.5), 0.1, 1.0)

    whole = tracking_of(start, lambda at: 205 + 10 * np.cos(jaw_angle(at)))
    # the hidden stretch holds nonsense, which must not leak
    cut = tracking_of(
        start,
        lambda at: np.where(unsure(at) < 0.5, 9000.0, 205 + 10 * np.cos(jaw_angle(at))),
        likelihood=unsure,
    )
    points = moving_points(oscillations(cut))
    assert len(np.unique(points.run)) == 4
    assert movements_are_whole(oscillations(cut)).passed
    assert not movements_are_whole(oscillations(cut).slice(1)).passed  # which begins with the third movement
    off = np.angle(np.exp(1j * (points.phase_rad - jaw_angle(points.time_s))))
    assert np.abs(off).max() < 0.35
    assert np.abs(off).mean() < 0.08
    assert not ((points.time_s % 5 > 1.901) & (points.time_s % 5 < 2.599)).any()
    assert len(np.unique(moving_points(oscillations(whole)).run)) == 2


def test_short_gaps_are_bridged_but_tell_no_phase() -> None:
    def unsure(time: np.ndarray) -> np.ndarray:
        return np.where((time > 2.0) & (time < 2.014), 0.1, 1.0)

    points = moving_points(oscillations(tracking_of(np.zeros(1), chewing, likelihood=unsure)))
    assert len(np.unique(points.run)) == 2
    assert not ((points.time_s > 2.003) & (points.time_s < 2.011)).any()


def test_videos_that_run_on_into_the_next_trial_tell_each_instant_once(
    trials_of: Callable, tables_of: Callable
) -> None:
    start = np.arange(20) * 4.5  # and videos of 4.8 s
    points = moving_points(oscillations(tracking_of(start, chewing)))
    assert (np.diff(points.time_s) > 0).all()
    assert (np.diff(points.run) >= 0).all()
    made = tables_of(trials_of(start), {(1, 1): list(range(0, 2_700_000, 30_000))})
    (row,) = make_jaw_phase(
        SESSION, Spiking(*made.all), oscillations(tracking_of(start, chewing)), PARAMETERS.jaw_phase, "1"
    ).to_pylist()
    assert row["n_runs"] == 20
    assert row["n_spikes"] <= 90


def test_a_still_jaw_has_no_phase_and_units_say_why_they_are_not_tested(
    trials_of: Callable, tables_of: Callable
) -> None:
    start = np.arange(20) * 5.0
    still = oscillations(tracking_of(start, lambda at: 205 + np.random.default_rng(0).normal(0, 0.3, len(at))))
    made = tables_of(trials_of(start), {(1, 1): list(range(0, 3_000_000, 10_000)), (1, 2): [5]})
    (row, _) = make_jaw_phase(SESSION, Spiking(*made.all), still, PARAMETERS.jaw_phase, "1").to_pylist()
    assert row["moving_s"] == 0
    assert (row["rate_hz"], row["p"], row["is_tuned"]) == ([], None, None)
    assert row["reason"] == "observed in fewer than 10 movements of the jaw"
    moved = oscillations(tracking_of(start, chewing))
    rows = make_jaw_phase(SESSION, Spiking(*made.all), moved, PARAMETERS.jaw_phase, "1").to_pylist()
    assert [one["reason"] for one in rows] == [None, "fewer than 50 spikes during movements"]
    nobody = make_jaw_phase(SESSION, Spiking(*made.all), moved.slice(0, 0), PARAMETERS.jaw_phase, "1").to_pylist()
    assert nobody[0]["n_runs"] == 0


def test_only_usable_trials_count(trials_of: Callable, tables_of: Callable) -> None:
    start = np.arange(40) * 5.0
    made = tables_of(trials_of(start), trains_following(40, {0: 1.0}, 20.0, 0.5, 5))
    jaw = oscillations(tracking_of(start, chewing))
    good = pa.table({"probe": [1], "first_trial": [1], "last_trial": [15]})
    args = (SESSION, Spiking(*made.all), jaw, PARAMETERS.jaw_phase, "1")
    (whole,) = make_jaw_phase(*args).to_pylist()
    (part,) = make_jaw_phase(*args, usable=Usable(good)).to_pylist()
    assert (whole["n_runs"], part["n_runs"]) == (40, 15)
    assert part["moving_s"] == pytest.approx(whole["moving_s"] * 15 / 40, rel=0.01)


def test_rayleigh_and_kuiper_are_uniform_under_chance_and_small_otherwise() -> None:
    rng = np.random.default_rng(7)
    samples = rng.random((2000, 60))
    for p in (
        np.array([rayleigh_p(2 * np.pi * one) for one in samples]),
        np.array([kuiper_p(one) for one in samples]),
    ):
        assert stats.kstest(p[p < 0.5], "uniform", (0, 0.5)).pvalue > 0.001
        assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.05)
    crowded = rng.normal(0.5, 0.1, 60) % 1
    assert rayleigh_p(2 * np.pi * crowded) < 1e-6
    assert kuiper_p(crowded) < 1e-6
    assert kuiper_p((crowded + 0.5) % 1) == pytest.approx(kuiper_p(crowded), rel=1e-6)  # wherever the circle is cut


def test_vectors_by_chance_have_uniform_p() -> None:
    rng = np.random.default_rng(8)
    mixed = np.array([[2.0, 0.0], [1.5, 0.5]])
    chance = rng.normal(size=(3000, 30, 2)) @ mixed + 4
    p = vector_p(rng.normal(size=(3000, 2)) @ mixed + 4, chance)
    assert stats.kstest(p, "uniform").pvalue > 0.001
    assert vector_p(np.ones((1, 2)), np.ones((1, 30, 2))).tolist() == [1.0]


def test_the_filter_does_not_delay() -> None:
    time = np.arange(2000) / CAMERA_HZ
    _, amplitude, phase = oscillation(100 + 3 * np.cos(2 * np.pi * 6 * time), CAMERA_HZ, (3.0, 15.0))
    middle = slice(500, 1500)
    assert amplitude[middle] == pytest.approx(np.full(1000, 3.0), rel=0.01)
    off = np.angle(np.exp(1j * (phase - 2 * np.pi * 6 * time)))[middle]
    assert np.abs(off).max() < 0.01
