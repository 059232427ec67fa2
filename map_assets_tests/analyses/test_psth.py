"""psth, against counting one spike after the other."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from map_assets.analyses.checks import psth_conserves_spikes
from map_assets.analyses.conditions import DELAY_RESPONSE
from map_assets.analyses.masks import Usable
from map_assets.analyses.psth import bin_starts_s, make_psth
from map_assets.analyses.tables import PSTH

SESSION = "SC022_20190228_151010"


def _rows(table: pa.Table) -> dict[tuple[int, int, str], dict]:
    return {(row["probe"], row["unit_id"], row["condition"]): row for row in table.to_pylist()}


def _bin_by_bin(train: list[int], go_s: list[float], offset: float, drift: float) -> list[int]:
    """Count spikes in each bin, exactly, one spike, bin and trial after the other."""
    counts = [0] * 150
    stretch = 1 + Fraction(drift) / 10**6
    for go in go_s:
        for sample in train:
            from_go = Fraction(offset) + Fraction(sample, 30000) * stretch - Fraction(go)
            if -3 <= from_go < 3:
                counts[(from_go + 3) // Fraction(4, 100)] += 1
    return counts


@pytest.mark.parametrize("seed", range(4))
def test_random_trains_agree_with_counting_one_by_one(trials_of: Callable, tables_of: Callable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 10
    # Trials so short that windows overlap, two without go cue.
    start = np.cumsum(rng.uniform(2, 5, n))
    go = start + rng.uniform(1, 2, n)
    trials = trials_of(
        start,
        go_s=[None if k in (3, 7) else value for k, value in enumerate(go)],
        outcome=rng.choice(["hit", "miss", "ignore"], n, p=[0.6, 0.3, 0.1]).tolist(),
        instruction=rng.choice(["left", "right"], n).tolist(),
        early_lick=(rng.random(n) < 0.1).tolist(),
        photostim_onset_s=[1.0 if value < 0.1 else None for value in rng.random(n)],
    )
    clock = {1: (-0.31, 35.0), 2: (1.7, -12.0)}
    trains = {(p, u): np.sort(rng.integers(0, 45 * 30000, 120)).tolist() for p in (2, 1) for u in (9, 0, 4)}
    observed = {key: (rng.permutation(n)[: rng.integers(0, n)] + 1).tolist() for key in trains}
    made = tables_of(trials, trains, clock=clock, observed=observed)
    table = make_psth(SESSION, *made.all)
    PSTH.check(table)
    found = _rows(table)
    assert len(found) == len(trains) * len(DELAY_RESPONSE)
    for condition in DELAY_RESPONSE:
        holds = condition.holds(trials)
        for key, train in trains.items():
            mine = [k for k in range(n) if holds[k] and k not in (3, 7) and k + 1 in observed[key]]
            row = found[(*key, condition.name)]
            assert row["n_trials"] == len(mine)
            if not mine:
                assert row["rate_hz"] == []
                continue
            expected = _bin_by_bin(train, [float(go[k]) for k in mine], *clock[key[0]])
            assert np.rint(np.array(row["rate_hz"]) * len(mine) * 0.04).astype(int).tolist() == expected
            assert row["rate_hz"] == pytest.approx(np.array(expected) / len(mine) / 0.04)
    assert psth_conserves_spikes(table).passed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edge=st.integers(0, 150), nudge=st.integers(-1, 1), go_ms=st.integers(3001, 4_000_000))
@example(edge=50, nudge=0, go_ms=4001)  # here floating-point time is a little late
def test_a_spike_on_an_edge_belongs_to_the_bin_that_the_edge_begins(
    trials_of: Callable, tables_of: Callable, edge: int, nudge: int, go_ms: int
) -> None:
    sample = go_ms * 30 - 90_000 + edge * 1200 + nudge
    made = tables_of(trials_of([go_ms / 1000 - 2]), {(1, 1): [sample]})
    rate = _rows(make_psth(SESSION, *made.all))[1, 1, "good_noearlylick_hit"]["rate_hz"]
    bin_ = (edge * 1200 + nudge) // 1200
    expected = [25.0 if k == bin_ else 0.0 for k in range(150)]
    assert rate == pytest.approx(expected)


def test_bins_are_150_half_open_ones_of_40_ms_around_the_go_cue(trials_of: Callable, tables_of: Callable) -> None:
    starts = bin_starts_s()
    assert (len(starts), starts[0], starts[75], starts[-1]) == (150, -3.0, 0.0, 2.96)
    made = tables_of(trials_of([0]), {(1, 1): [1]})
    row = make_psth(SESSION, *made.all).to_pylist()[0]
    assert row["bin_start_from_go_s"] == starts.tolist()
    assert row["bin_width_s"] == 0.04


def test_a_silent_trial_counts_and_an_unobserved_one_does_not(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of([0, 100, 200])
    spike = {(1, 1): [round(2.01 * 30000)], (1, 2): [round(2.01 * 30000)], (1, 3): []}
    made = tables_of(trials, spike, observed={(1, 1): [1, 2, 3], (1, 2): [1], (1, 3): [1, 2]})
    found = _rows(make_psth(SESSION, *made.all))
    peak = [found[1, unit, "good_noearlylick_hit"]["rate_hz"][75] for unit in (1, 2, 3)]
    assert peak == pytest.approx([25 / 3, 25.0, 0.0])
    assert [found[1, unit, "good_noearlylick_hit"]["n_trials"] for unit in (1, 2, 3)] == [3, 1, 2]


def test_every_unit_and_condition_has_a_row_also_without_trials_or_clock(
    trials_of: Callable, tables_of: Callable
) -> None:
    made = tables_of(trials_of([0]), {(1, 1): [60000], (2, 1): [60000]})
    no_clock = made.clock_maps.to_pylist()
    no_clock[1] |= {"offset_s": None, "drift_ppm": None}
    made.clock_maps = pa.Table.from_pylist(no_clock, made.clock_maps.schema)
    found = _rows(make_psth(SESSION, *made.all))
    assert len(found) == 2 * len(DELAY_RESPONSE)
    assert found[1, 1, "good_noearlylick_left_hit"]["n_trials"] == 1
    assert found[1, 1, "good_noearlylick_right_hit"] | {} == {
        "session": SESSION,
        "probe": 1,
        "unit_id": 1,
        "condition": "good_noearlylick_right_hit",
        "n_trials": 0,
        "bin_start_from_go_s": bin_starts_s().tolist(),
        "bin_width_s": 0.04,
        "rate_hz": [],
        "smoothing_sd_s": 0.0,
    }
    assert {found[2, 1, one.name]["n_trials"] for one in DELAY_RESPONSE} == {0}


def test_no_units_give_an_empty_table(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of([0]), {(1, 1): [1]})
    made.units = made.units.slice(0, 0)
    assert make_psth(SESSION, *made.all).num_rows == 0


def test_averages_of_broken_spikes_or_unequal_sides_are_noticed(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of([0, 10], instruction=["left", "right"])
    made = tables_of(trials, {(1, 1): [60000, 60001, 360500]})
    table = make_psth(SESSION, *made.all)
    assert psth_conserves_spikes(table).passed

    def spoiled(condition: str, rate: float) -> pa.Table:
        rows = table.to_pylist()
        for row in rows:
            if row["condition"] == condition:
                row["rate_hz"][75] = rate
        return PSTH.check(pa.Table.from_pylist(rows, table.schema))

    assert psth_conserves_spikes(spoiled("good_noearlylick_hit", 10.0)).figures["n_broken"] == 1
    unequal = psth_conserves_spikes(spoiled("good_noearlylick_left_hit", 250.0))
    assert not unequal.passed
    assert unequal.figures == {"n_averages": len(DELAY_RESPONSE), "n_broken": 0, "n_unequal": 1}


def test_a_probes_worth_of_units_takes_no_time_per_trial(trials_of: Callable, tables_of: Callable) -> None:
    """100 units, 300 trials, 2 million spikes; a loop over units and trials would take minutes here."""
    import time

    rng = np.random.default_rng(0)
    trials = trials_of(np.arange(300) * 6.0)
    made = tables_of(trials, {(1, 0): [1]})
    spikes = {"session": [SESSION] * 100, "probe": [1] * 100, "unit_id": np.arange(100)}
    samples = np.sort(rng.integers(0, 1800 * 30000, (100, 20_000)), axis=1)
    lists = pa.ListArray.from_arrays(np.arange(101, dtype=np.int32) * 20_000, samples.ravel())
    units = pa.concat_tables([made.units] * 100)
    units = units.set_column(units.schema.get_field_index("unit_id"), units.schema.field("unit_id"), [np.arange(100)])
    rows = {"session": [SESSION] * 30_000, "probe": [1] * 30_000, "unit_id": np.repeat(np.arange(100), 300)}
    rows |= {"trial": np.tile(np.arange(1, 301), 100), "first_spike": [0] * 30_000, "n_spikes": [1] * 30_000}
    start = time.perf_counter()
    table = make_psth(
        SESSION, units, pa.table(spikes | {"samples": lists}), pa.table(rows), trials, made.clock_maps, made.probes
    )
    assert time.perf_counter() - start < 3
    mean = np.mean([row["rate_hz"] for row in table.to_pylist() if row["condition"] == "good_noearlylick_hit"])
    assert mean == pytest.approx(20_000 / 1800, rel=0.01)


def test_smoothing_keeps_the_mean_and_spreads_a_spike(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of([0]), {(1, 1): [60010]})
    raw, smooth = (
        _rows(make_psth(SESSION, *made.all, smoothing_sd_s=sd))[1, 1, "good_noearlylick_hit"] for sd in (0.0, 0.08)
    )
    assert np.sum(smooth["rate_hz"]) == pytest.approx(np.sum(raw["rate_hz"]))
    assert np.argmax(smooth["rate_hz"]) == np.argmax(raw["rate_hz"]) == 75
    assert smooth["rate_hz"][75] == pytest.approx(0.04 / (0.08 * np.sqrt(2 * np.pi)) * raw["rate_hz"][75], rel=1e-3)
    assert smooth["smoothing_sd_s"] == 0.08


def test_trials_that_people_left_out_are_not_averaged(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of([0, 10, 20]), {(1, 1): [60010, 360010, 660010], (1, 2): [60010]})
    left_out = pa.table({"probe": [1], "unit_id": [2], "first_trial": [1], "last_trial": [1]})
    good = pa.table({"probe": [1, 2], "first_trial": [1, 9], "last_trial": [2, 9]})
    found = _rows(make_psth(SESSION, *made.all, usable=Usable(good, left_out)))
    assert found[1, 1, "good_noearlylick_hit"]["n_trials"] == 2
    assert found[1, 2, "good_noearlylick_hit"]["n_trials"] == 1
    assert sum(found[1, 2, "good_noearlylick_hit"]["rate_hz"]) == 0
