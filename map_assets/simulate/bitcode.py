"""Writes the bitcode file: each trial's code and times as the ephys system saw them. Matching them to behaviour lives in `ephys`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.bpod import start_local
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.defects import trials_with_a_code
from map_assets.simulate.rig_record import RigRecord, make_rig_record
from map_assets.simulate.spikeglx import probe_folder
from map_assets.simulate.trial import BIT_STATES, Trial
from map_assets.simulate.writing import as_matlab_stores, write_mat


@dataclass(frozen=True)
class SeenTrials:
    """The trials that one probe's bitcode file holds, in order.

    Parameters
    ----------
    trial : numpy.ndarray of int, shape (n,)
        Behaviour trial numbers.
    code : list of str, length n
    start_samples, go_samples : numpy.ndarray of float, shape (n,)
        First edge of the code and last go cue on the probe's clock, samples, exact; NaN without go cue.
    record : RigRecord, optional
        What the file tells besides, if the plan says so.
    """

    trial: NDArray[np.int64]
    code: list[str]
    start_samples: NDArray[np.float64]
    go_samples: NDArray[np.float64]
    record: RigRecord | None = None


def code_start_s(trial: Trial) -> float:
    """Session time of the first state of the trial's code, s."""
    return trial.at_s(trial.of(BIT_STATES[0])[0].entry)


def see_trials(plan: SessionPlan, trials: Sequence[Trial], clock: ProbeClock) -> SeenTrials:
    """Carry the trials that have a code onto a probe's clock."""
    seen = [trials[number - 1] for number in trials_with_a_code(len(trials), plan.defects, plan.n_missing_trials)]
    go_s = [trial.last_s("ResponseCue") for trial in seen]
    return SeenTrials(
        np.array([trial.trial for trial in seen]),
        [trial.bitcode for trial in seen],
        clock.samples([code_start_s(trial) for trial in seen]),
        clock.samples([np.nan if at is None else at for at in go_s]),
        make_rig_record(trials, seen) if plan.has_rig_record else None,
    )


def write_bitcode(share: Path, plan: SessionPlan, number: int, seen: SeenTrials, clock: ProbeClock) -> Path:
    """Write ``{animal}_{MMDDYY}_imec{N}_bitcode.mat`` into the probe's folder; free-water trials have no goCue."""

    def form(samples: NDArray[np.float64]) -> NDArray[Any]:
        if plan.anchors == "seconds":
            return (samples / clock.sample_rate_hz)[None]
        return as_matlab_stores(np.round(samples)) if plan.anchors == "whole samples" else samples[None]

    variables: dict[str, Any] = {
        "bitCodeS": np.array(seen.code),
        "bitcode": np.array([[int(bit) for bit in code] for code in seen.code], np.uint8),
        "sTrig": form(seen.start_samples).T,
        "goCue": form(seen.go_samples[np.isfinite(seen.go_samples)]).T,
    }
    if plan.has_trial_numbers:
        variables["trialNum"] = as_matlab_stores(seen.trial)
    if seen.record is not None:
        variables |= seen.record.variables(clock)
    name = f"{plan.animal}_{plan.named_at:%m%d%y}_imec{number - 1}_bitcode.mat"
    made_at = start_local(plan) + timedelta(days=2)
    return write_mat(probe_folder(share, plan, number).path / name, variables, made_at)
