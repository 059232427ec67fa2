"""What the analyses of movement, performance and free choice claim of their tables. The other claims are in `checks`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.vocabulary.table import Verdict


def movements_are_whole(jaw_oscillation: pa.Table) -> Verdict:
    """Claim that each trace's points rise in time, and that movements are numbered from 0 without gaps and never cut."""
    jaw = jaw_oscillation.sort_by("trial")
    n_falling = n_cut = 0
    last = -1
    for time, run, step in zip(jaw["time_s"], jaw["run"], jaw["step_s"].to_pylist(), strict=True):
        at, of = np.asarray(time.values), np.asarray(run.values)
        n_falling += int((np.diff(at) <= 0).sum())
        inside = (of[1:] == of[:-1]) & (of[1:] >= 0)
        n_cut += int((inside & (np.diff(at) > 1.5 * step)).sum())
        seen = of[of >= 0]
        n_cut += int(np.isin(np.diff(np.r_[last, seen]), [0, 1], invert=True).sum())
        last = int(seen[-1]) if len(seen) else last
    said = f"{last + 1} movements in {jaw.num_rows} trials"
    if n_falling + n_cut:
        said += f"; {n_falling} points do not rise in time, {n_cut} movements are cut or misnumbered"
    return Verdict(not n_falling + n_cut, said, {"n_movements": last + 1, "n_falling": n_falling, "n_cut": n_cut})


def tuning_conserves_spikes(jaw_phase: pa.Table) -> Verdict:
    """Claim that rates by phase times the time spent are the spikes, and that who is tuned follows from p_corrected."""
    n_wrong = 0
    names = ["rate_hz", "moving_in_bin_s", "n_spikes", "moving_s", "p_corrected", "alpha", "is_tuned", "reason"]
    for row in jaw_phase.select(names).to_pylist():
        spent = np.array(row["moving_in_bin_s"])
        spikes = float(np.dot(row["rate_hz"], spent)) if row["rate_hz"] else 0.0
        is_wrong = not np.isclose(spikes, row["n_spikes"]) or not np.isclose(spent.sum(), row["moving_s"])
        p = row["p_corrected"]
        is_wrong |= row["is_tuned"] != (None if p is None else p < row["alpha"]) or (p is None) != bool(row["reason"])
        n_wrong += is_wrong
    n_tuned = sum(one is True for one in jaw_phase["is_tuned"].to_pylist())
    said = f"{n_tuned} of {jaw_phase.num_rows} units follow the jaw"
    if n_wrong:
        said += f"; {n_wrong} rows contradict themselves"
    return Verdict(not n_wrong, said, {"n_units": jaw_phase.num_rows, "n_tuned": n_tuned, "n_wrong": n_wrong})


def bouts_hold_every_lick(lick_bouts: pa.Table, licks: pa.Table) -> Verdict:
    """Claim that the bouts' licks are all licks, and that no bout begins before the last one ended."""
    n_in_bouts = int(pc.sum(lick_bouts["n_licks"]).as_py() or 0)
    start, stop = lick_bouts["start_s"].to_numpy(), lick_bouts["stop_s"].to_numpy()
    n_overlapping = int((start[1:] <= stop[:-1]).sum())
    said = (
        f"{n_in_bouts} of {licks.num_rows} licks are in {lick_bouts.num_rows} bouts, {n_overlapping} of which overlap"
    )
    is_so = n_in_bouts == licks.num_rows and not n_overlapping
    return Verdict(is_so, said, {"n_bouts": lick_bouts.num_rows, "n_overlapping": n_overlapping})


def running_shares_are_of_the_trials(performance: pa.Table) -> Verdict:
    """Claim that running shares are of whole trials, and no more of them correct than answered."""
    n, hit, answered = (performance[name].to_numpy() for name in ("n_window", "hit_share", "answered_share"))
    wrong = (np.abs(hit * n - np.rint(hit * n)) > 1e-6) | (hit > answered + 1e-12) | (answered > 1)
    n_wrong = int(wrong.sum())
    share = performance["is_hit"].to_numpy(zero_copy_only=False).mean() if performance.num_rows else 0.0
    said = f"{100 * share:.0f} % hits in {performance.num_rows} trials"
    if n_wrong:
        said += f"; {n_wrong} running shares are of no whole trials"
    return Verdict(not n_wrong, said, {"n_trials": performance.num_rows, "n_wrong": n_wrong})


def models_tell_the_likelihood_of_the_choices(foraging_models: pa.Table, foraging_trials: pa.Table) -> Verdict:
    """Claim that the choices' probabilities multiply to the likelihood of the model that they are of, and one model is best."""
    if foraging_models.num_rows == 0:
        return Verdict(True, "the session has too few free choices for models", {"n_models": 0})
    name = next((one for one in foraging_trials["model"].to_pylist() if one), None)
    fitted = {row["model"]: row["log_likelihood"] for row in foraging_models.to_pylist()}
    free = foraging_trials.filter(pc.field("is_free"))
    told = float(np.log(free["choice_probability"].to_numpy()).sum())
    off = abs(told - fitted.get(name, np.inf))
    n_best = sum(foraging_models["is_best"].to_pylist())
    said = f"{name}: log likelihood {fitted.get(name, float('nan')):.2f}, its choices tell {told:.2f}; {n_best} best of all"
    is_so = off < 1e-6 * max(abs(told), 1.0) and n_best >= 1
    return Verdict(is_so, said, {"n_models": foraging_models.num_rows, "log_likelihood_off": off})
