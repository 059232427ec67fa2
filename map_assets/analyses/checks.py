"""What the analyses claim of their tables, each claim a function that returns a verdict. When they run is decided outside."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    n_trials, lengths = psth["n_trials"].to_numpy(), pc.list_value_length(psth["rate_hz"]).to_numpy()
    n_bins = int(lengths.max(initial=0))
    has_rate = lengths > 0
    spikes = np.zeros((psth.num_rows, n_bins))
    odd = (n_trials > 0) != has_rate
    odd |= has_rate & (lengths != n_bins)
    good = has_rate & ~odd
    flat = pc.list_flatten(psth["rate_hz"].filter(pa.array(good))).to_numpy().reshape(-1, n_bins)
    spikes[good] = flat * (n_trials * psth["bin_width_s"].to_numpy())[good, None]
    if "smoothing_sd_s" in psth.column_names:
        is_raw = psth["smoothing_sd_s"].to_numpy() == 0
    else:
        is_raw = np.ones(psth.num_rows, bool)
    n_broken = int((odd | (is_raw & (np.abs(spikes - np.rint(spikes)) > 1e-6).any(axis=1))).sum())
    n_unequal = _unlike_their_parts(psth, spikes)
    n_spikes = int(np.rint(spikes[is_raw].sum()))
    said = (
        f"{n_spikes} spikes stand in {psth.num_rows} averages, each a whole number, left and right together giving all"
        if not n_broken + n_unequal
        else f"{n_broken} averages are of no whole spikes, {n_unequal} are not the sum of their left and right trials"
    )
    return Verdict(
        not n_broken + n_unequal, said, {"n_averages": psth.num_rows, "n_broken": n_broken, "n_unequal": n_unequal}
    )


def _unlike_their_parts(psth: pa.Table, spikes: np.ndarray) -> int:
    """Count averages that are not the sum of their parts, where the table has all of these."""
    conditions = psth["condition"].to_numpy(zero_copy_only=False)
    keys = np.stack([psth["probe"].to_numpy(), psth["unit_id"].to_numpy()], axis=1)
    n_unequal = 0
    for whole, parts in PARTS.items():
        rows = [np.flatnonzero(conditions == name) for name in (whole, *parts)]
        rows = [at[np.lexsort(keys[at].T)] for at in rows]
        if any(len(at) != len(rows[0]) or not np.array_equal(keys[at], keys[rows[0]]) for at in rows):
            n_unequal += len(rows[0]) if all(len(at) for at in rows) else 0
            continue
        together = np.sum([spikes[at] for at in rows[1:]], axis=0)
        n_unequal += int((np.abs(together - spikes[rows[0]]) > 1e-6 * np.maximum(1.0, together)).any(axis=1).sum())
    return n_unequal


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


def selectivity_follows_its_p(selectivity: pa.Table) -> Verdict:
    """Claim that units prefer a side where, and only where, the corrected p is below its level, and towards their effect."""
    p, alpha, effect = (selectivity[name].to_numpy() for name in ("p_corrected", "alpha", "effect"))
    prefers = selectivity["prefers"].to_numpy(zero_copy_only=False)
    is_tested = np.isfinite(p)
    is_sided = np.isin(prefers.astype(str), ["left", "right"])
    means_hz = selectivity["rate_right_hz"].to_numpy() - selectivity["rate_left_hz"].to_numpy()
    towards = np.where(selectivity["test"].to_numpy(zero_copy_only=False) == "rank", effect, means_hz)
    with np.errstate(invalid="ignore"):
        wrong = is_sided & ~(p < alpha)
        wrong |= is_tested & ~is_sided & (p < alpha) & (towards != 0)
        wrong |= is_sided & ((prefers == "right") != (towards > 0))
        wrong |= (selectivity["p"].to_numpy() > p + 1e-12) & is_tested
    wrong |= is_tested & (prefers == None)  # noqa: E711 - element by element
    n_wrong = int(wrong.sum())
    said = f"{int(is_sided.sum())} of {int(is_tested.sum())} tested periods of units are selective"
    if n_wrong:
        said = f"{n_wrong} rows prefer a side that their own p or effect does not tell"
    return Verdict(not n_wrong, said, {"n_tested": int(is_tested.sum()), "n_wrong": n_wrong})


def directions_are_of_unit_length(coding_direction_weights: pa.Table) -> Verdict:
    """Claim that each probe's weights make a vector of unit length (or none, where nothing tells the sides apart)."""
    probe, weight = (coding_direction_weights[name].to_numpy() for name in ("probe", "weight"))
    probes, of = np.unique(probe, return_inverse=True)
    lengths = np.sqrt(np.bincount(of, weight**2, minlength=len(probes)))
    wrong = probes[~(np.isclose(lengths, 1) | (lengths == 0))].tolist()
    said = f"the directions of probes {wrong} are not of unit length" if wrong else f"{len(probes)} directions"
    return Verdict(not wrong, said, {"n_directions": len(probes), "n_wrong": len(wrong)})
