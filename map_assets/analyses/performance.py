"""`performance` and `photostim_performance`: how well the animal did, trial by trial and with light. Units under light are in `photostim_effect`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.analyses.parameters import PerformanceParameters
from map_assets.analyses.tables_movement import PERFORMANCE, PHOTOSTIM_PERFORMANCE

Flags = NDArray[np.bool_]
OUTCOMES = ("hit", "miss", "ignore")
UNKNOWN_SITE = "unknown"
ALL = "all"
_Z = 1.959963984540054


def make_performance(session: str, trials: pa.Table, parameters: PerformanceParameters, version: str) -> pa.Table:
    """Tell the running shares of hits, answers and early licks over a box of trials that is cut at the session's ends.

    Returns
    -------
    pyarrow.Table
        ``performance``: a row for each trial that has an outcome, in their order; none in a task that has no outcomes.
    """
    trials = trials.sort_by("trial").filter(pc.is_in(trials.sort_by("trial")["outcome"], pa.array(OUTCOMES)))
    n = trials.num_rows
    outcome = trials["outcome"].to_numpy(zero_copy_only=False)
    early = trials["early_lick"]
    is_known = np.asarray(early.is_valid().to_numpy(), bool)
    is_early = np.asarray(pc.fill_null(early, False).to_numpy(zero_copy_only=False), bool)
    window = max(round(n * parameters.window_share), min(n, parameters.min_window))
    n_all, n_hit, n_answered, n_known, n_early = (
        boxed(flags, window) for flags in (np.ones(n, bool), outcome == "hit", outcome != "ignore", is_known, is_early)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return PERFORMANCE.from_columns(
            {
                "session": [session] * n,
                "trial": trials["trial"],
                "is_hit": outcome == "hit",
                "n_window": n_all,
                "hit_share": n_hit / n_all,
                "answered_share": n_answered / n_all,
                "correct_share": n_hit / n_answered,
                "early_share": n_early / n_known,
                "parameters_version": [version] * n,
            }
        )


def boxed(flags: Flags, window: int) -> NDArray[np.int64]:
    """Count true values in a centred box of `window` values, cut at the ends, shape (n,)."""
    total = np.r_[0, np.cumsum(flags)]
    at = np.arange(len(flags))
    begin = np.maximum(at - window // 2, 0)
    return np.asarray(total[np.minimum(at - window // 2 + window, len(flags))] - total[begin], np.int64)


def make_photostim_performance(session: str, trials: pa.Table, version: str) -> pa.Table:
    """Hold the share of hits with light at each site against that without, by instruction and over both.

    Trials with early licks (or where that is unknown) and given water count in neither; ignored trials count as not
    correct. Whether a trial was stimulated is read from the trial itself.

    Returns
    -------
    pyarrow.Table
        ``photostim_performance``: none without stimulation.
    """
    is_usual = np.ones(trials.num_rows, bool)
    for name in ("early_lick", "is_auto_water", "is_free_water"):
        is_usual &= np.asarray(pc.fill_null(pc.equal(trials[name], False), False).to_numpy(zero_copy_only=False), bool)
    outcome = trials["outcome"].to_numpy(zero_copy_only=False)
    instruction = trials["instruction"].to_numpy(zero_copy_only=False)
    is_usual &= np.isin(outcome.astype(str), OUTCOMES)
    is_lit = np.asarray(trials["photostim_onset_s"].is_valid().to_numpy(), bool)
    site = np.array([name or UNKNOWN_SITE for name in trials["photostim_site"].to_pylist()], object)
    rows = []
    for name in sorted(set(site[is_lit].tolist())):
        for side in ("left", "right", ALL):
            is_side = is_usual & ((instruction == side) | (side == ALL))
            control, light = outcome[is_side & ~is_lit], outcome[is_side & is_lit & (site == name)]
            rows.append(
                {
                    "session": session,
                    "photostim_site": name,
                    "instruction": side,
                    **_compared(control, light),
                    "parameters_version": version,
                }
            )
    return PHOTOSTIM_PERFORMANCE.from_rows(rows)


def _compared(control: NDArray[np.str_], light: NDArray[np.str_]) -> dict[str, Any]:
    from scipy.stats import fisher_exact

    counts = {
        "n_control": len(control),
        "n_control_hits": int(np.count_nonzero(control == "hit")),
        "n_stim": len(light),
        "n_stim_hits": int(np.count_nonzero(light == "hit")),
    }
    n, hits, n_stim, stim_hits = counts.values()
    found: dict[str, Any] = {
        **counts,
        "n_control_ignored": int(np.count_nonzero(control == "ignore")),
        "n_stim_ignored": int(np.count_nonzero(light == "ignore")),
        "control_share": hits / n if n else None,
        "stim_share": stim_hits / n_stim if n_stim else None,
    }
    if n and n_stim:
        low, high = newcombe(stim_hits, n_stim, hits, n)
        p = float(fisher_exact(np.array([[stim_hits, n_stim - stim_hits], [hits, n - hits]])).pvalue)
        found |= {"difference": stim_hits / n_stim - hits / n, "difference_low": low, "difference_high": high, "p": p}
    return found


def newcombe(hits: int, n: int, other_hits: int, other_n: int) -> tuple[float, float]:
    """95 % interval of a difference of two shares (Newcombe 1998, method 10: from the two Wilson intervals)."""
    one, other = hits / n, other_hits / other_n
    (low, high), (other_low, other_high) = wilson(hits, n), wilson(other_hits, other_n)
    below = np.hypot(one - low, other_high - other)
    above = np.hypot(high - one, other - other_low)
    return float(one - other - below), float(one - other + above)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share after Wilson; `n` is at least 1."""
    share = hits / n
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
