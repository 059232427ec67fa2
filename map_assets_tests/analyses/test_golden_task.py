"""Selectivity, coding direction, photostimulation and shared variability, on trains whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from map_assets.analyses.coding_direction import make_coding_direction
from map_assets.analyses.conditions import DELAY_RESPONSE, Condition
from map_assets.analyses.masks import Usable
from map_assets.analyses.noise_correlations import make_noise_correlations
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.periods import DELAY_RESPONSE as PERIODS
from map_assets.analyses.photostim_effect import make_photostim_effect
from map_assets.analyses.population import make_population_psth
from map_assets.analyses.psth import make_psth
from map_assets.analyses.selectivity import make_selectivity
from map_assets.analyses.tables_task import POPULATION_PSTH, TABLES
from map_assets.analyses.trains import Spiking
from map_assets.vocabulary.errors import BadConfiguration

SESSION = "SC022_20190228_151010"
RATE_HZ = 30000.0
PARAMETERS = read_parameters()
BY_NAME = {one.name: one for one in DELAY_RESPONSE}
TRIAL_S = 7.0


def trials_of_both_sides(trials_of: Callable, n: int, seed: int, **columns: Any) -> pa.Table:
    """Trials with a sample at 1 s, a delay at 2 s and the go cue at 3.2 s, sides by chance."""
    start = np.arange(n) * TRIAL_S
    sides = np.random.default_rng(seed).choice(["left", "right"], n).tolist()
    given = {"instruction": sides, "sample_s": start + 1, "delay_s": start + 2, "go_s": start + 3.2}
    return trials_of(start, **{**given, **columns})


def trains_of(n_units: int, n_trials: int, seed: int, rate: Callable[[int, np.ndarray], np.ndarray]) -> dict:
    """Poisson trains in bins of 10 ms; `rate` tells a unit's rate at session times."""
    rng = np.random.default_rng(seed)
    edges = np.arange(0, n_trials * TRIAL_S, 0.01)
    trains = {}
    for unit in range(n_units):
        n = rng.poisson(rate(unit, edges) * 0.01)
        at = np.repeat(edges, n) + rng.uniform(0, 0.01, n.sum())
        trains[(1, unit)] = np.unique(np.round(np.sort(at) * RATE_HZ).astype(int)).tolist()
    return trains


def spiking(made: Any) -> Spiking:
    return Spiking(*made.all)


INSERTIONS = pa.table({"probe": [1], "hemisphere": ["left"], "ml_um": [-1500.0]})


def selectivity_of(made: Any, insertions: pa.Table | None = INSERTIONS, **changes: Any) -> tuple[pa.Table, pa.Table]:
    parameters = PARAMETERS.selectivity.model_copy(update=changes)
    return make_selectivity(SESSION, spiking(made), insertions, BY_NAME[parameters.condition], parameters, "1")


def test_a_unit_that_fires_for_the_other_side_in_the_delay_is_found_so(
    trials_of: Callable, tables_of: Callable
) -> None:
    trials = trials_of_both_sides(trials_of, 60, 1)
    is_right = np.array(trials["instruction"].to_pylist()) == "right"

    def rate(unit: int, at: np.ndarray) -> np.ndarray:
        trial, in_trial = (at // TRIAL_S).astype(int), at % TRIAL_S
        is_delay = (in_trial >= 2) & (in_trial < 3.2)
        towards = is_right if unit == 0 else ~is_right
        return np.where(is_delay & towards[trial] & (unit < 2), 18.0, 8.0)

    made = tables_of(trials, trains_of(3, 60, 2, rate))
    by_period, by_unit = selectivity_of(made)
    labels = {(row["unit_id"], row["period"]): row["selectivity"] for row in by_period.to_pylist()}
    assert labels[0, "delay"] == "contra-selective"
    assert labels[1, "delay"] == "ipsi-selective"
    assert [labels[2, name] for name in ("sample", "delay", "response")] == ["non-selective"] * 3
    assert {labels[0, "sample"], labels[1, "response"]} == {"non-selective"}
    assert by_unit["selectivity"].to_pylist() == ["contra-selective", "ipsi-selective", "non-selective"]
    row = next(row for row in by_period.to_pylist() if (row["unit_id"], row["period"]) == (0, "delay"))
    assert row["rate_contra_hz"] == pytest.approx(18, abs=2)
    assert row["rate_ipsi_hz"] == pytest.approx(8, abs=1.5)
    assert row["n_left"] + row["n_right"] == 60
    assert row["effect"] > 0.8


@pytest.mark.parametrize("test", ["rank", "t"])
def test_null_units_are_called_selective_at_the_nominal_rate_and_hardly_ever_once_corrected(
    trials_of: Callable, tables_of: Callable, test: str
) -> None:
    trials = trials_of_both_sides(trials_of, 80, 3)
    rng = np.random.default_rng(4)
    end = int(80 * TRIAL_S * RATE_HZ)
    trains = {(1, unit): np.unique(rng.integers(0, end, 2000)).tolist() for unit in range(2000)}
    made = tables_of(trials, trains)
    by_period, _ = selectivity_of(made, test=test)
    for period in ("sample", "delay", "response"):
        rows = by_period.filter(pa.compute.equal(by_period["period"], period))
        n_false = int((rows["p"].to_numpy() < 0.05).sum())
        low, high = stats.binom.interval(0.9999, 2000, 0.05)
        assert low <= n_false <= high
        assert (rows["p_corrected"].to_numpy() < 0.05).sum() <= 2


def test_p_and_effect_agree_with_scipy_unit_by_unit(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of_both_sides(trials_of, 40, 5)
    made = tables_of(trials, trains_of(4, 40, 6, lambda unit, at: np.full(at.size, 3.0 + unit)))
    by_period, _ = selectivity_of(made)
    go, side = trials["go_s"].to_numpy(), np.array(trials["instruction"].to_pylist())
    for row in by_period.to_pylist():
        if row["period"] != "response":
            continue
        seconds = np.array(made.spikes.to_pylist()[row["unit_id"]]["samples"]) / RATE_HZ
        rates = np.array([((seconds >= one) & (seconds < one + 1.2)).sum() / 1.2 for one in go])
        right, left = rates[side == "right"], rates[side == "left"]
        assert row["p"] == pytest.approx(stats.mannwhitneyu(right, left, method="asymptotic").pvalue)
        pairs = np.sign(right[:, None] - left)
        assert row["effect"] == pytest.approx(pairs.mean())
        assert row["rate_right_hz"] == pytest.approx(right.mean())


def test_without_a_known_hemisphere_left_and_right_are_told_and_contra_and_ipsi_are_not(
    trials_of: Callable, tables_of: Callable
) -> None:
    trials = trials_of_both_sides(trials_of, 40, 7)
    is_right = np.array(trials["instruction"].to_pylist()) == "right"
    made = tables_of(
        trials, trains_of(1, 40, 8, lambda _, at: np.where(is_right[(at // TRIAL_S).astype(int)], 30.0, 2.0))
    )
    by_period, by_unit = selectivity_of(made, None)
    assert set(by_period["prefers"].to_pylist()) == {"right"}
    assert set(by_period["selectivity"].to_pylist()) == {None}
    assert by_unit["selectivity"].to_pylist() == [None]
    assert by_period["rate_contra_hz"].null_count == 3


def test_units_with_too_few_trials_or_no_clock_are_not_tested_and_say_why(
    trials_of: Callable, tables_of: Callable
) -> None:
    trials = trials_of_both_sides(trials_of, 6, 9)
    made = tables_of(trials, {(1, 1): [1000], (2, 1): [1000]})
    maps = made.clock_maps.to_pylist()
    maps[1] |= {"offset_s": None, "drift_ppm": None}
    made.clock_maps = pa.Table.from_pylist(maps, made.clock_maps.schema)
    by_period, by_unit = selectivity_of(made)
    reasons = by_period["reason"].to_pylist()
    assert reasons == ["fewer than 5 trials of a side"] * 3 + ["its probe has no session clock"] * 3
    assert by_unit["n_tested"].to_pylist() == [0, 0]
    assert by_unit["selectivity"].to_pylist() == [None, None]


def test_the_coding_direction_tells_held_out_trials_apart_where_units_do_and_not_where_none_does(
    trials_of: Callable, tables_of: Callable
) -> None:
    trials = trials_of_both_sides(trials_of, 80, 10)
    is_right = np.array(trials["instruction"].to_pylist()) == "right"

    def rate(is_telling: bool) -> Callable:
        def of(unit: int, at: np.ndarray) -> np.ndarray:
            trial, in_trial = (at // TRIAL_S).astype(int), at % TRIAL_S
            ramps = (in_trial >= 2) & (in_trial < 3.2) & (is_right[trial] == bool(unit % 2)) & is_telling
            return np.where(ramps, 14.0, 6.0)

        return of

    def found(is_telling: bool) -> dict[str, pa.Table]:
        made = tables_of(trials, trains_of(12, 80, 11, rate(is_telling)))
        sides = BY_NAME["good_noearlylick_left_hit"], BY_NAME["good_noearlylick_right_hit"]
        return make_coding_direction(SESSION, spiking(made), INSERTIONS, sides, PARAMETERS.coding_direction, "1")

    telling, null = found(True), found(False)
    for tables in (telling, null):
        for table in TABLES[2:5]:
            table.check(tables[table.name])
    weights = telling["coding_direction_weights"]["weight"].to_numpy()
    assert np.linalg.norm(weights) == pytest.approx(1)
    assert (weights[1::2] > 0).all()
    assert (weights[::2] < 0).all()
    ends = telling["coding_direction"].to_pandas()
    hits = ends.groupby("side").projection_hz
    assert hits.min()["right"] > hits.mean()["left"]
    assert (ends.projection_contra_hz == ends.projection_hz).all()
    separation = [tables["coding_direction_traces"]["separation"].to_pylist()[0] for tables in (telling, null)]
    assert separation[0] > 3
    assert abs(separation[1]) < 0.6  # where the same trials make and are projected, it would be near 1.5
    trace = telling["coding_direction_traces"].to_pylist()[1]
    assert trace["side"] == "right"
    assert np.mean(trace["projection_hz"][66:74]) > np.mean(trace["projection_hz"][:20]) + 5


def test_a_probe_with_too_few_units_has_no_direction(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of_both_sides(trials_of, 40, 12), {(1, 1): [1000, 2000]})
    sides = BY_NAME["good_noearlylick_left_hit"], BY_NAME["good_noearlylick_right_hit"]
    found = make_coding_direction(SESSION, spiking(made), None, sides, PARAMETERS.coding_direction, "1")
    assert [table.num_rows for table in found.values()] == [0, 0, 0]


def test_units_that_light_silences_or_drives_are_found_with_the_sign(trials_of: Callable, tables_of: Callable) -> None:
    n = 80
    start = np.arange(n) * TRIAL_S
    is_lit = np.arange(n) % 3 == 0
    trials = trials_of_both_sides(
        trials_of,
        n,
        13,
        photostim_onset_s=np.where(is_lit, start + 2, np.nan),
        photostim_duration_s=np.where(is_lit, 0.8, np.nan),
        photostim_site=["both_alm" if one else None for one in is_lit],
    )

    def rate(unit: int, at: np.ndarray) -> np.ndarray:
        trial, in_trial = (at // TRIAL_S).astype(int), at % TRIAL_S
        under = is_lit[trial] & (in_trial >= 2) & (in_trial < 2.8)
        return np.where(under, (2.0, 30.0, 10.0)[unit], 10.0)

    made = tables_of(trials, trains_of(3, n, 14, rate))
    table = make_photostim_effect(
        SESSION, spiking(made), BY_NAME["all_noearlylick_nostim"], PARAMETERS.photostim_effect, "1"
    )
    rows = table.to_pylist()
    assert [row["is_affected"] for row in rows] == [True, True, False]
    assert rows[0]["change"] == pytest.approx(-0.8, abs=0.15)
    assert rows[1]["change"] == pytest.approx(2, abs=0.5)
    assert (rows[0]["n_stim"], rows[0]["n_control"]) == (is_lit.sum(), n - is_lit.sum())
    assert (rows[0]["window_from_go_s"], rows[0]["window_s"]) == (pytest.approx(-1.2), pytest.approx(0.8))


def test_a_session_without_light_has_no_effect_of_it(trials_of: Callable, tables_of: Callable) -> None:
    made = tables_of(trials_of_both_sides(trials_of, 20, 15), {(1, 1): [1]})
    control = BY_NAME["all_noearlylick_nostim"]
    assert make_photostim_effect(SESSION, spiking(made), control, PARAMETERS.photostim_effect, "1").num_rows == 0


def test_shared_ups_and_downs_show_as_noise_correlation_and_the_sides_do_not(
    trials_of: Callable, tables_of: Callable
) -> None:
    n = 120
    trials = trials_of_both_sides(trials_of, n, 16)
    is_right = np.array(trials["instruction"].to_pylist()) == "right"
    gain = np.random.default_rng(17).choice([0.5, 1.5], n)

    def found(is_shared: bool) -> dict:
        def rate(_: int, at: np.ndarray) -> np.ndarray:
            trial = (at // TRIAL_S).astype(int)
            return 15.0 * np.where(is_right[trial], 2.0, 1.0) * (gain[trial] if is_shared else 1.0)

        made = tables_of(trials, trains_of(6, n, 18, rate))
        names = PARAMETERS.noise_correlations.conditions
        conditions = [BY_NAME[name] for name in names]
        table = make_noise_correlations(
            SESSION, spiking(made), conditions, PERIODS[1], PARAMETERS.noise_correlations, "1"
        )
        return table.to_pylist()[0]

    shared, own = found(True), found(False)
    assert shared["n_pairs"] == own["n_pairs"] == 15
    assert shared["mean_r"] > 0.5
    assert abs(shared["mean_r_shuffled"]) < 0.1
    assert abs(own["mean_r"]) < 0.1


def test_trials_that_were_left_out_count_in_no_test(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of_both_sides(trials_of, 30, 19)
    made = tables_of(trials, {(1, 1): [100, 200]})
    usable = Usable(exclusions=pa.table({"probe": [1], "unit_id": [None], "first_trial": [1], "last_trial": [10]}))
    by_period, _ = make_selectivity(
        SESSION, spiking(made), None, Condition("all", ("hit",)), PARAMETERS.selectivity, "1", usable=usable
    )
    assert {row["n_left"] + row["n_right"] for row in by_period.to_pylist()} == {20}


def test_a_laboratorys_own_parameters_change_what_they_name_and_nothing_else(tmp_path: Any) -> None:
    own = tmp_path / "own.toml"
    own.write_text('version = "lab 2"\n[selectivity]\ntest = "t"\n')
    read = read_parameters(own)
    assert (read.version, read.selectivity.test, read.selectivity.alpha) == ("lab 2", "t", 0.05)
    own.write_text('version = "3"\n[selectivity]\nalfa = 0.1\n')
    with pytest.raises(BadConfiguration, match=r"selectivity\.alfa"):
        read_parameters(own)
    own.write_text("[selectivity]\nalpha = 0.1\n")
    with pytest.raises(BadConfiguration, match="names no version"):
        read_parameters(own)


def test_a_groups_mean_is_over_its_units_once_each(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of_both_sides(trials_of, 20, 20)
    made = tables_of(trials, trains_of(4, 20, 21, lambda unit, at: np.full(at.size, 5.0 + unit)))
    psth = make_psth(SESSION, *made.all)
    classes = pa.table(
        {"probe": [1] * 4, "unit_id": range(4), "selectivity": ["contra-selective"] * 2 + ["non-selective", None]}
    )
    electrodes = pa.table({"probe": [1], "electrode": [0], "region": ["MOs2/3"]})
    units = made.units.set_column(
        made.units.schema.get_field_index("electrode"), "electrode", pa.array([0, 0, 0, None], pa.int64())
    )
    table = make_population_psth(SESSION, psth, units, classes, electrodes)
    POPULATION_PSTH.check(table)
    found = {(row["region"], row["selectivity"], row["condition"]): row for row in table.to_pylist()}
    rates = {
        row["unit_id"]: np.array(row["rate_hz"])
        for row in psth.to_pylist()
        if row["condition"] == "good_noearlylick_hit"
    }
    both = found["MOs2/3", "contra-selective", "good_noearlylick_hit"]
    assert both["n_units"] == 2
    np.testing.assert_allclose(both["rate_hz"], (rates[0] + rates[1]) / 2)
    assert {key[:2]: row["n_units"] for key, row in found.items() if key[2] == "good_noearlylick_hit"} == {
        ("all", "all"): 4,
        ("all", "contra-selective"): 2,
        ("all", "non-selective"): 1,
        ("MOs2/3", "all"): 3,
        ("MOs2/3", "contra-selective"): 2,
        ("MOs2/3", "non-selective"): 1,
    }
    assert not any(condition.endswith("stim") and "nostim" not in condition for _, _, condition in found)
