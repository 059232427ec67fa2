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


def stats_hold_together(unit_stats: pa.Table) -> Verdict:
    """Claim that what is said of one unit's train can be true together.

    Rates are spikes over time observed, presence is a share and above zero exactly where a unit fired, trials hold no
    more violations than the whole train, and nothing is said where nothing was observed.
    """
    told = {name: unit_stats[name].cast(pa.float64()).to_numpy() for name in unit_stats.column_names[3:]}
    seconds, spikes, present = told["observed_s"], told["n_spikes_in_trials"], told["presence_ratio"]
    is_blind = seconds <= 0
    wrong = {
        "n_rates": ~is_blind & ~np.isclose(told["rate_hz"] * seconds, spikes, rtol=1e-9, atol=1e-9),
        "n_presences": np.isfinite(present) & ((present > 1) | (present < 0) | ((present > 0) != (spikes > 0))),
        "n_violations": told["n_isi_violations_in_trials"] > told["n_isi_violations"],
        "n_unobserved": is_blind & (np.isfinite(told["rate_hz"]) | np.isfinite(present)),
    }
    figures = {name: int(np.count_nonzero(is_wrong)) for name, is_wrong in wrong.items()}
    said = f"of {unit_stats.num_rows} units " + (
        ", ".join(f"{count} have impossible {name[2:]}" for name, count in figures.items() if count)
        or "all rates, presences and violations can be true together"
    )
    return Verdict(not any(figures.values()), said, {"n_units": unit_stats.num_rows, **figures})


def every_cell_type_has_its_grounds(cell_type: pa.Table) -> Verdict:
    """Claim that each classified unit's width lies on its side of the limits, and each other one tells why it is none."""
    width = cell_type["spike_width_ms"].to_numpy()
    kind = cell_type["cell_type"].to_numpy(zero_copy_only=False)
    has_reason = cell_type["reason"].is_valid().to_numpy()
    is_fs, is_pyr = width < cell_type["fs_below_ms"].to_numpy(), width >= cell_type["pyr_from_ms"].to_numpy()
    expected = np.select([is_fs, is_pyr], ["FS", "Pyr"], "not classified")
    n_wrong = int(np.count_nonzero(kind != expected))
    n_silent = int(np.count_nonzero(has_reason != (kind == "not classified")))
    counts = {name: int(np.count_nonzero(kind == name)) for name in ("FS", "Pyr", "not classified")}
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    if n_wrong + n_silent:
        said += f"; {n_wrong} against their width, {n_silent} with a reason too many or too few"
    figures = {"n_units": len(kind), "n_wrong": n_wrong, "n_silent": n_silent}
    return Verdict(not n_wrong + n_silent, said, figures)


def drift_is_of_whole_blocks(drift: pa.Table) -> Verdict:
    """Claim that odd blocks are a whole number of those judged, and that these fit into the trials observed."""
    blocks = drift["n_blocks"].to_numpy()
    room = drift["n_trials"].to_numpy() - drift["window_trials"].to_numpy()
    fits = np.where(room >= 0, room // drift["step_trials"].to_numpy() + 1, 0)
    odd = drift["drift_metric"].to_numpy() * blocks
    is_known = np.isfinite(odd)
    n_broken = int(np.count_nonzero(is_known & ((np.abs(odd - np.rint(odd)) > 1e-6) | (odd < 0) | (odd > blocks))))
    n_misfit = int(np.count_nonzero(blocks != fits))
    n_unjudged = int(np.count_nonzero(is_known & (blocks < 2)))
    said = f"{int(np.nansum(odd))} of {int(blocks[is_known].sum())} blocks of {len(blocks)} units are odd"
    if n_broken + n_misfit + n_unjudged:
        said += (
            f"; {n_broken} shares are of no whole blocks, {n_misfit} do not fit, {n_unjudged} rest on fewer than two"
        )
    figures = {"n_units": len(blocks), "n_broken": n_broken, "n_misfit": n_misfit, "n_unjudged": n_unjudged}
    return Verdict(not n_broken + n_misfit + n_unjudged, said, figures)


def criteria_are_answered(unit_criteria: pa.Table) -> Verdict:
    """Claim that each unit's answer follows from its criteria: null with an unknown one, false with a failed one, else true."""
    n_wrong = 0
    answers = {True: 0, False: 0, None: 0}
    for row in unit_criteria.select(["brain_area", "n_criteria", "passed", "failed", "unknown"]).to_pylist():
        is_open = row["brain_area"] is None or bool(row["unknown"])
        n_wrong += row["passed"] is not (None if is_open else not row["failed"])
        n_wrong += len(row["failed"]) + len(row["unknown"]) > row["n_criteria"]
        answers[row["passed"]] += 1
    figures = {"n_passed": answers[True], "n_failed": answers[False], "n_unknown": answers[None], "n_wrong": n_wrong}
    said = f"{answers[True]} units pass, {answers[False]} fail, of {answers[None]} it is not known"
    return Verdict(not n_wrong, said + (f"; {n_wrong} answers do not follow" if n_wrong else ""), figures)
