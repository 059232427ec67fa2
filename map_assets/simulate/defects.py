"""What can be wrong with a session on the shares, and which trials each side then holds. Files are written by their formats."""

from __future__ import annotations

from enum import StrEnum


class Defect(StrEnum):
    """One thing that goes wrong in real laboratories. A session may have several; most may be combined.

    How many trials are missing is the session plan's `n_missing_trials`.
    """

    EPHYS_STARTS_LATE = "ephys starts late"
    """The probes start recording during the trials: the first `n_missing_trials` are in the behaviour file alone."""
    EPHYS_ENDS_EARLY = "ephys ends early"
    """The probes stop recording before the last `n_missing_trials`."""
    EPHYS_MISSES_A_TRIAL = "ephys misses a trial"
    """The code of the middle trial is not in the bitcode file, although its spikes are recorded."""
    BEHAVIOR_ENDS_EARLY = "behavior ends early"
    """The behaviour file lacks the last `n_missing_trials`; the probes saw them."""
    TRUNCATED_MAT = "truncated mat"
    """The behaviour file breaks off after two thirds of its bytes."""
    UNPARSABLE_NAME = "unparsable name"
    """The behaviour file's name carries no date and time: ``{animal}_{protocol}_final2.mat``."""
    UNKNOWN_TASK = "unknown task"
    """The behaviour file is a sound Bpod file of a task that nobody knows."""
    DUPLICATE_KEY = "duplicate key"
    """A second behaviour file of the same name, with other bytes, stands in another protocol's folder."""
    REPEATED_BITCODE = "repeated bitcode"
    """The third trial has the first trial's code."""
    UNFINISHED_META = "unfinished meta"
    """The meta files lack the keys that SpikeGLX writes at the end: the run still goes on."""
    TRUNCATED_META = "truncated meta"
    """The meta files break off in the middle."""
    INCOMPLETE_BIN = "incomplete bin"
    """The bin files are shorter than their meta says: the copy has not ended."""
    TRUNCATED_SORTING = "truncated sorting"
    """``spike_times.npy`` breaks off in the middle."""
    FREE_WATER = "free water"
    """Some trials are only a drop of water; they have a code and no go cue, so goCue is shorter than sTrig."""
    EARLY_LICKS = "early licks"
    """Most trials have licks in sample or delay, which start them over."""
    REPEATED_GO_CUES = "repeated go cues"
    """Most trials have no answer at first, and the go cue comes again."""
    FLIPPED_HISTOLOGY = "flipped histology"
    """The histology files are mirrored left to right."""
    OUTSIDE_BRAIN = "outside brain"
    """Half of the contacts that are recorded stick out of the brain."""


BEHAVIOR_IS_UNUSABLE = frozenset(
    {Defect.TRUNCATED_MAT, Defect.UNPARSABLE_NAME, Defect.UNKNOWN_TASK, Defect.DUPLICATE_KEY}
)
"""With one of these no trial of the session can be read."""


def trials_in_behavior(n_trials: int, defects: frozenset[Defect], n_missing: int) -> int:
    """Count the trials that the behaviour file holds (always from the first)."""
    return max(1, n_trials - n_missing) if Defect.BEHAVIOR_ENDS_EARLY in defects else n_trials


def first_and_last_recorded(n_trials: int, defects: frozenset[Defect], n_missing: int) -> tuple[int, int]:
    """Name the first and last trial, from 1, that the probes record whole."""
    first = 1 + n_missing if Defect.EPHYS_STARTS_LATE in defects else 1
    last = n_trials - n_missing if Defect.EPHYS_ENDS_EARLY in defects else n_trials
    return min(first, n_trials), max(min(first, n_trials), last)


def trials_with_a_code(n_trials: int, defects: frozenset[Defect], n_missing: int) -> list[int]:
    """List the trials, from 1, that the bitcode file holds."""
    first, last = first_and_last_recorded(n_trials, defects, n_missing)
    trials = list(range(first, last + 1))
    if Defect.EPHYS_MISSES_A_TRIAL in defects and len(trials) > 2:
        del trials[len(trials) // 2]
    return trials
