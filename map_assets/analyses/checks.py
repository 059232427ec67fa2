"""What the analyses claim of their tables, each claim a function that returns a verdict. When they run is decided outside."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from map_assets.vocabulary.table import Verdict

PARTS = {
    "good_noearlylick_hit": ("good_noearlylick_left_hit", "good_noearlylick_right_hit"),
    "all_noearlylick_nostim": ("all_noearlylick_nostim_left", "all_noearlylick_nostim_right"),
}
"""Conditions whose trials are those of two others together."""


def psth_conserves_spikes(psth: pa.Table) -> Verdict:
    """Claim that the averages are of whole spikes, and that left and right trials together give all trials.

    Rate times trials times bin width is a number of spikes, so it is whole; and for each unit and bin the spikes of a
    condition are those of its left trials plus those of its right trials.
    """
    counts: dict[tuple[int, int, str], np.ndarray] = {}
    n_broken = 0
    n_spikes = 0
    for row in psth.select(["probe", "unit_id", "condition", "n_trials", "bin_width_s", "rate_hz"]).to_pylist():
        spikes = np.asarray(row["rate_hz"], np.float64) * row["n_trials"] * row["bin_width_s"]
        n_broken += bool(np.any(np.abs(spikes - np.rint(spikes)) > 1e-6)) or (row["n_trials"] > 0) != bool(spikes.size)
        counts[row["probe"], row["unit_id"], row["condition"]] = spikes
        n_spikes += int(np.rint(spikes.sum()))
    n_unequal = 0
    for (probe, unit_id, condition), spikes in counts.items():
        parts = [counts.get((probe, unit_id, part)) for part in PARTS.get(condition, ())]
        present = [part for part in parts if part is not None and part.size]
        if parts and all(part is not None for part in parts):
            together = np.sum(present, axis=0) if present else np.zeros(spikes.size)
            n_unequal += not (together.shape == spikes.shape and np.allclose(together, spikes, rtol=0, atol=1e-6))
    said = (
        f"{n_spikes} spikes stand in {len(counts)} averages, each a whole number, left and right together giving all"
        if not n_broken + n_unequal
        else f"{n_broken} averages are of no whole spikes, {n_unequal} are not the sum of their left and right trials"
    )
    return Verdict(
        not n_broken + n_unequal, said, {"n_averages": len(counts), "n_broken": n_broken, "n_unequal": n_unequal}
    )


def trials_hold_no_more_spikes_than_the_train(unit_stats: pa.Table, units: pa.Table) -> Verdict:
    """Claim that no unit has more spikes in its trials than it has at all."""
    whole = units.select(["probe", "unit_id", "n_spikes"])
    both = unit_stats.join(whole, ["probe", "unit_id"], join_type="left outer")
    spikes = both["n_spikes"].to_numpy(zero_copy_only=False)
    excess = both["n_spikes_in_trials"].to_numpy() > np.nan_to_num(spikes, nan=0.0)
    n_over = int(np.count_nonzero(excess))
    said = f"{n_over} of {both.num_rows} units have more spikes in trials than in their train"
    return Verdict(n_over == 0, said, {"n_units": both.num_rows, "n_over": n_over})
