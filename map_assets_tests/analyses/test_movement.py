"""Firing at licks to targets in different directions, on trains whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from map_assets.analyses.movement import _kruskal, make_direction_tuning
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.trains import Spiking
from map_assets.behavior.tables import BLOCK_PORTS, LICKS

SESSION = "ML05_20210315_101010"
RATE_HZ = 30000.0
PARAMETERS = read_parameters().direction_tuning
N_BLOCKS, N_TRIALS, N_LICKS = 45, 4, 6
AROUND = {
    "mtl-6": 0.0,
    "mtl-9": 45.0,
    "mtl-8": 90.0,
    "mtl-7": 135.0,
    "mtl-4": 180.0,
    "mtl-1": -135.0,
    "mtl-2": -90.0,
    "mtl-3": -45.0,
}


def grid() -> tuple[pa.Table, list[int]]:
    """Blocks of all nine targets in turn, as on a number pad: 6 stands right, 8 up."""
    target = [at % 9 + 1 for at in range(N_BLOCKS)]
    rows = [
        {
            "session": SESSION,
            "block": at + 1,
            "port": f"mtl-{one}",
            "position_x": 60_000.0 + 2_500 * ((one - 1) % 3),
            "position_y": 50_000.0,
            "position_z": 40_000.0 + 1_500 * ((one - 1) // 3),
        }
        for at, one in enumerate(target)
    ]
    return BLOCK_PORTS.from_rows(rows), target


def session_of(trials_of: Callable) -> tuple[pa.Table, pa.Table]:
    n = N_BLOCKS * N_TRIALS
    block = np.repeat(np.arange(1, N_BLOCKS + 1), N_TRIALS)
    trials = trials_of(np.arange(n) * 5.0, block=block.tolist(), outcome=["N/A"] * n, instruction=["none"] * n)
    licks = LICKS.from_rows(
        {"session": SESSION, "trial": at + 1, "lick_id": k, "time_s": 5.0 * at + 2 + 0.2 * k, "port": "middle"}
        for at in range(n)
        for k in range(N_LICKS)
    )
    return trials, licks


def train_of(rate_of_block: np.ndarray, seed: int) -> list[int]:
    """Spikes around licks alone."""
    rng = np.random.default_rng(seed)
    spikes = [
        5.0 * at + 2 + 0.2 * k - 0.05 + rng.uniform(0, 0.15, rng.poisson(rate_of_block[at // N_TRIALS] * 0.15))
        for at in range(N_BLOCKS * N_TRIALS)
        for k in range(N_LICKS)
    ]
    return np.unique(np.round(np.concatenate(spikes) * RATE_HZ).astype(int)).tolist()


def test_a_unit_that_likes_a_direction_is_found_with_it(trials_of: Callable, tables_of: Callable) -> None:
    trials, licks = session_of(trials_of)
    ports, target = grid()
    angle = np.radians([AROUND.get(f"mtl-{one}", np.nan) for one in target])
    up_right = np.nan_to_num(20 + 15 * np.cos(angle - np.radians(45)), nan=20.0)
    trains = {(1, 1): train_of(up_right, 1), (1, 2): train_of(np.full(N_BLOCKS, 20.0), 2)}
    made = tables_of(trials, trains)
    tuned, flat = make_direction_tuning(SESSION, Spiking(*made.all), licks, ports, PARAMETERS, "1").to_pylist()
    assert tuned["is_tuned"]
    assert tuned["preferred_port"] == "mtl-9"
    assert tuned["preferred_direction_deg"] == pytest.approx(45, abs=10)
    assert tuned["direction_index"] == pytest.approx(0.375, abs=0.07)
    assert dict(zip(tuned["port"], tuned["rate_hz"], strict=True))["mtl-9"] == pytest.approx(35, abs=4)
    assert tuned["n_licks"] == [N_BLOCKS // 9 * N_TRIALS * N_LICKS] * 9
    assert tuned["n_blocks"] == [5] * 9
    assert not flat["is_tuned"]
    assert flat["effect"] < tuned["effect"]


def test_a_unit_that_changes_from_block_to_block_is_not_tuned_at_more_than_the_nominal_rate(
    trials_of: Callable, tables_of: Callable
) -> None:
    trials, licks = session_of(trials_of)
    ports, _ = grid()
    rng = np.random.default_rng(3)
    trains = {(1, unit): train_of(rng.uniform(5, 35, N_BLOCKS), unit) for unit in range(150)}
    made = tables_of(trials, trains)
    found = make_direction_tuning(SESSION, Spiking(*made.all), licks, ports, PARAMETERS, "1")
    assert (found["p"].to_numpy() < 0.05).sum() <= stats.binom.ppf(0.9999, 150, 0.05)
    assert sum(found["is_tuned"].to_pylist()) <= 1


def test_the_test_is_kruskals_and_wallis(trials_of: Callable, tables_of: Callable) -> None:
    rng = np.random.default_rng(4)
    groups = [rng.poisson(3, (5, n)).astype(float) for n in (6, 4, 9)]
    h, p, _ = _kruskal(groups)
    for unit in range(5):
        expected = stats.kruskal(*(group[unit] for group in groups))
        assert (h[unit], p[unit]) == pytest.approx((expected.statistic, expected.pvalue))
    assert _kruskal([np.ones((1, 4)), np.ones((1, 5))])[1].tolist() == [1.0]


def test_one_target_is_not_tested_and_says_so_and_other_tasks_have_no_rows(
    trials_of: Callable, tables_of: Callable
) -> None:
    trials, licks = session_of(trials_of)
    ports, _ = grid()
    one = ports.set_column(ports.column_names.index("port"), "port", pa.array(["mtl-5"] * N_BLOCKS))
    made = tables_of(trials, {(1, 1): [60_000, 150_000]})
    (row,) = make_direction_tuning(SESSION, Spiking(*made.all), licks, one, PARAMETERS, "1").to_pylist()
    assert row["is_tuned"] is None
    assert row["reason"] == "fewer than two targets with 2 blocks each"
    assert row["preferred_direction_deg"] is None
    foraging = BLOCK_PORTS.from_rows({"session": SESSION, "block": 1, "port": one} for one in ("left", "right"))
    assert make_direction_tuning(SESSION, Spiking(*made.all), licks, foraging, PARAMETERS, "1").num_rows == 0
    unseen = tables_of(trials, {(1, 1): [60_000]}, observed={})
    (row,) = make_direction_tuning(SESSION, Spiking(*unseen.all), licks, ports, PARAMETERS, "1").to_pylist()
    assert (row["port"], row["preferred_port"]) == ([], None)
