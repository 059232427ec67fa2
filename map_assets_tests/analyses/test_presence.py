"""presence_ratio, against looking into one bin after the other."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.analyses.presence import presence
from map_assets.analyses.trains import probe_trains
from map_assets.analyses.unit_stats import make_unit_stats

SESSION = "SC022_20190228_151010"


def _at(*seconds: float) -> list[int]:
    return [round(one * 30000) for one in seconds]


def _presence(made, n_bins: int) -> list[tuple[float, float]]:
    (trains,) = probe_trains(*made.all)
    return list(zip(*(values.tolist() for values in presence(trains, made.trials, n_bins)), strict=True))


def test_bins_are_of_observed_time_only(trials_of: Callable, tables_of: Callable) -> None:
    # Observed 0-50 and 100-150; ten bins of 10 s, the sixth from 100 to 110.
    trials = trials_of([0, 50, 100], until_s=[50, 100, 150])
    trains = {
        (1, 1): _at(5, 9.9, 60, 105, 145),  # bins 1, 6 and 10; the spike at 60 s is in none
        (1, 2): _at(70),
        (1, 3): _at(10, 50, 100, 110, 150),  # an edge belongs to the bin that it begins: 2, 6 and 7
        (1, 4): _at(*np.arange(0.5, 150, 5)),
    }
    made = tables_of(trials, trains, observed=dict.fromkeys(trains, (1, 3)))
    assert _presence(made, 10) == [(0.3, 10.0), (0.0, 10.0), (0.3, 10.0), (1.0, 10.0)]


def test_units_observed_in_other_trials_have_other_bins(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of([0, 50, 100], until_s=[50, 100, 150])
    trains = {(1, 1): _at(60), (1, 2): _at(60), (1, 3): _at(60), (1, 4): _at(60)}
    made = tables_of(trials, trains, observed={(1, 1): (2,), (1, 2): (1, 2, 3), (1, 3): (2,)})
    found = _presence(made, 10)
    assert found[:3] == [(0.1, 5.0), (0.1, 15.0), (0.1, 5.0)]
    assert np.isnan(found[3]).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_presence_agrees_with_looking_into_each_bin(
    trials_of: Callable, tables_of: Callable, data: st.DataObject
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    pauses = data.draw(st.lists(st.integers(0, 3), min_size=len(lengths), max_size=len(lengths)))
    start = np.cumsum(np.r_[0, (np.array(lengths) + pauses)[:-1]])
    seen = [k for k in range(len(lengths)) if data.draw(st.booleans())]
    # Spikes on tenths of seconds, often on an edge; a bin is a number of tenths only where the total allows it.
    train = sorted(data.draw(st.sets(st.integers(0, 10 * int(start[-1] + 40)), max_size=20)))
    n_bins = data.draw(st.integers(1, 12))
    trials = trials_of(start, until_s=start + np.array(lengths))
    made = tables_of(trials, {(1, 1): [tenth * 3000 for tenth in train]}, observed={(1, 1): [k + 1 for k in seen]})
    share, bin_s = _presence(made, n_bins)[0]
    if not seen:
        assert np.isnan(share)
        assert np.isnan(bin_s)
        return
    width = Fraction(sum(lengths[k] for k in seen), n_bins)
    fired, laid = set(), 0
    for k in seen:
        inside = [Fraction(tenth, 10) - int(start[k]) for tenth in train]
        fired |= {(laid + t) // width for t in inside if 0 <= t < lengths[k]}
        laid += lengths[k]
    assert share == pytest.approx(len(fired) / n_bins)
    assert bin_s == pytest.approx(float(width))


def test_what_was_not_observed_or_has_no_clock_has_no_presence(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of([0, 10])
    unseen = make_unit_stats(SESSION, *tables_of(trials, {(1, 1): [1]}, observed={}).all).to_pylist()[0]
    no_rate = make_unit_stats(SESSION, *tables_of(trials, {(1, 1): [1]}, rate_hz=None).all).to_pylist()[0]
    no_trial = make_unit_stats(SESSION, *tables_of(trials.slice(0, 0), {(1, 1): [1]}).all).to_pylist()[0]
    for row in (unseen, no_rate, no_trial):
        assert (row["presence_ratio"], row["presence_bin_s"]) == (None, None)


def test_a_drifting_clock_moves_the_bins_with_it(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of([100], until_s=[200])
    clock = {1: (50.0, 100.0)}
    # Session time 150 s is 100 / 1.0001 s on the probe: just before and on the edge of the second of two bins.
    edge = int(np.ceil(100 / 1.0001 * 30000))
    made = tables_of(trials, {(1, 1): [edge - 1, edge - 1], (1, 2): [edge], (1, 3): [edge - 1, edge]}, clock=clock)
    (trains,) = probe_trains(*made.all)
    share, _ = presence(trains, trials, 2)
    assert share.tolist() == [0.5, 0.5, 1.0]
