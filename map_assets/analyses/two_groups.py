"""Tests of many units at once between two groups of trials. Which trials are compared is the analyses' part."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from map_assets.analyses.trains import Floats, alike

Test = Literal["rank", "t"]


class Compared(NamedTuple):
    """Two groups of trials, unit by unit; each array has shape (n_units,), and NaN where a unit was not tested.

    Parameters
    ----------
    n_first, n_second : numpy.ndarray of int64
        Trials of each group that the unit has.
    mean_first, mean_second : numpy.ndarray of float
        NaN without trials.
    effect : numpy.ndarray of float
        Rank biserial correlation, second over first, from -1 to 1, whatever the test.
    p : numpy.ndarray of float
        Two-sided.
    """

    n_first: NDArray[np.int64]
    n_second: NDArray[np.int64]
    mean_first: Floats
    mean_second: Floats
    effect: Floats
    p: Floats


def compare(first: Floats, second: Floats, min_trials: int, test: Test = "rank") -> Compared:
    """Compare two groups of trials, unit by unit.

    Parameters
    ----------
    first, second : numpy.ndarray of float, shape (n_units, n_trials)
        One value a trial; NaN where the unit could not be judged in it.
    min_trials : int
        Of each group; a unit with fewer is not tested.
    test : str
        ``rank`` (Mann-Whitney, with ties and continuity corrected) or ``t`` (Student's, equal variances).

    Notes
    -----
    A unit whose values are all equal has p = 1: nothing tells the groups apart.
    """
    n_units = len(first)
    is_first, is_second = np.isfinite(first), np.isfinite(second)
    n_first, n_second = is_first.sum(axis=1), is_second.sum(axis=1)
    effect, p = np.full((2, n_units), np.nan)
    for units, mask in alike(np.concatenate([is_first, is_second], axis=1)):
        one = first[np.ix_(units, np.flatnonzero(mask[: first.shape[1]]))]
        two = second[np.ix_(units, np.flatnonzero(mask[first.shape[1] :]))]
        if min(one.shape[1], two.shape[1]) >= max(min_trials, 2):
            effect[units], p[units] = _tested(one, two, test)
    return Compared(n_first, n_second, _mean(first, n_first), _mean(second, n_second), effect, p)


def corrected(p: Floats, correction: str) -> Floats:
    """Correct p values for their number; NaN (not tested) is passed over and stays."""
    from scipy.stats import false_discovery_control

    found = p.copy()
    is_tested = np.isfinite(p)
    if correction != "none" and is_tested.any():
        found[is_tested] = false_discovery_control(p[is_tested], method="bh")
    return found


def _tested(one: Floats, two: Floats, test: Test) -> tuple[Floats, Floats]:
    from scipy.stats import mannwhitneyu, ttest_ind

    is_flat = np.ptp(np.concatenate([one, two], axis=1), axis=1) == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ranked = mannwhitneyu(two, one, axis=1, method="asymptotic")
        p = ranked.pvalue if test == "rank" else ttest_ind(two, one, axis=1).pvalue
    effect = 2 * ranked.statistic / (one.shape[1] * two.shape[1]) - 1
    return effect, np.where(is_flat, 1.0, p)


def _mean(values: Floats, n: NDArray[np.int64]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 0, np.nansum(values, axis=1) / n, np.nan)
