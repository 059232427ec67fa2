"""The bitcode file: the trials as the ephys system saw them. Which behaviour trial each one is, is decided in `trial_match`.

MATLAB variables (written by the rigs' decoding scripts, one file a probe): ``bitCodeS`` (n rows of text) or ``bitcode``
(n rows of 0 and 1), ``sTrig`` (first edge of each code), ``goCue`` (go cues; fewer than trials where a trial had none)
and ``trialNum`` (behaviour trial numbers, where a person gave them). Times are samples or seconds on the probe's clock;
NaN, or zero where it was saved as an integer class, is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import CompanionMissing, PiecesDoNotFit
from map_assets.vocabulary.matlab import MatlabFile, open_matlab
from map_assets.vocabulary.matlab_struct import AnyMatrix

LONGEST_TRIAL_S = 1500.0
"""No trial takes longer than this in seconds, and none is shorter than as many samples (50 ms at 30 kHz)."""

LONGEST_WAIT_S = 4 * 3600.0
"""A lone time that is whole and larger than this counts samples (0.5 s of them): no recording waits so long for its trial."""

LONGEST_RECORDING_S = 10 * 86_400.0
"""No recording takes longer; a time beyond is a damaged one."""

_LAST_TRIAL = 1_000_000
"""No session has so many trials; a number above it is a damaged one."""

_TODO = "Decode the session's bits again and save the file with save(..., '-v7')."

Times = NDArray[np.float64]


@dataclass(frozen=True)
class BitcodeFile:
    """Trials in the ephys stream's order; all members have one element a trial.

    Parameters
    ----------
    codes : list of str
    start_probe_s, go_probe_s : numpy.ndarray of float, shape (n,)
        On the probe's nominal clock, s; NaN where the file has none.
    trial_written : list of (int or None)
        Behaviour trial numbers that the file itself claims.
    """

    codes: list[str]
    start_probe_s: Times
    go_probe_s: Times
    trial_written: list[int | None]


def read_bitcode(path: Path, sample_rate_hz: float | None = None) -> BitcodeFile:
    """Read a bitcode file.

    Parameters
    ----------
    path : pathlib.Path
    sample_rate_hz : float, optional
        The probe's rate; needed where the file's times are samples.

    Raises
    ------
    UnreadableFile
        If it is damaged, or no MATLAB file.
    CompanionMissing
        If its times are samples and no meta file tells the rate.
    PiecesDoNotFit
        If it has no codes, a variable is of another kind, its variables disagree in length, its starts do not rise,
        or a time is beyond `LONGEST_RECORDING_S`.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    file = open_matlab(path, todo=_TODO)
    codes = _codes(path, file)
    start = _numbers(path, file, "sTrig")
    go = _numbers(path, file, "goCue")
    written = _numbers(path, file, "trialNum")
    for name, values in (("sTrig", start), ("trialNum", written)):
        if len(values) not in {0, len(codes)}:
            raise _misfit(path, f"{len(values)} values of {name} for {len(codes)} codes", "one for each code")
    start = np.where(start > 0, start, np.nan) if len(start) else np.full(len(codes), np.nan)
    if np.any(np.diff(start[np.isfinite(start)]) <= 0):
        raise _misfit(path, "its trial starts do not rise", "trials in time order")
    scale = 1.0
    if counts_samples(start, go):
        if sample_rate_hz is None:
            raise CompanionMissing(
                path,
                "its times are samples, and no meta file tells the probe's rate",
                expected="the probe's .ap.meta file beside it",
                todo="Copy that file there; this one is then read again.",
            )
        scale = sample_rate_hz
    if any(np.nanmax(times[np.isfinite(times)], initial=0.0) / scale > LONGEST_RECORDING_S for times in (start, go)):
        raise _misfit(path, "it has a time beyond ten days", "times of one recording")
    return BitcodeFile(
        codes,
        start / scale,
        assign_go_cues(start, go) / scale,
        [_trial(value, path) for value in written] or [None] * len(codes),
    )


def counts_samples(start: Times, go: Times) -> bool:
    """Decide whether a file's times are samples (else seconds), for the file as a whole.

    Neighbouring trials are seconds to minutes apart. The median distance of neighbouring starts (where there are no two
    starts: of go cues; where there are no two of these: from the start to the go cue) is at most `LONGEST_TRIAL_S`
    in seconds, and above it in samples. A lone time counts samples if it is whole and above `LONGEST_WAIT_S`.
    The recording's length is not asked: a meta file of a shortened or growing recording would turn the answer.

    Parameters
    ----------
    start, go : numpy.ndarray of float
        NaN where there is none.
    """
    starts, gos = (np.unique(times[np.isfinite(times) & (times > 0)]) for times in (start, go))
    for instants in (starts, gos, np.unique(np.r_[starts, gos])):
        if len(instants) > 1:
            return bool(np.median(np.diff(instants)) > LONGEST_TRIAL_S)
    alone = np.r_[starts, gos][:1]
    return bool(len(alone) and float(alone[0]).is_integer() and alone[0] > LONGEST_WAIT_S)


def assign_go_cues(start: Times, go: Times) -> Times:
    """Give each trial its go cue.

    As many go cues as trials, each of them in its own trial, are taken one to one. Otherwise a go cue belongs to the
    trial between whose start and the next trial's start it falls, the last of several; nothing is ever shifted. A
    trial whose next trial has no known start keeps none, for its end is not known.

    Parameters
    ----------
    start : numpy.ndarray of float, shape (n,)
        Rising; NaN where unknown.
    go : numpy.ndarray of float, shape (m,)
        In any order, same unit; NaN, or zero and less (a NaN saved as an integer), where there was none.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        NaN where the trial had none.
    """
    stop = np.r_[start[1:], np.inf]
    cue = np.where(np.isfinite(go) & (go > 0), go, np.nan)
    if len(cue) == len(start) and not _any_outside(cue, start, stop):
        return cue
    assigned = np.full(len(start), np.nan)
    known = np.flatnonzero(np.isfinite(start))
    cues = np.sort(cue[np.isfinite(cue)])
    place = np.searchsorted(start[known], cues, side="right") - 1
    trial = known[place[place >= 0]]
    cues = cues[place >= 0]
    has_end = ~np.isnan(stop[trial])
    assigned[trial[has_end]] = cues[has_end]
    return assigned


def _any_outside(cue: Times, start: Times, stop: Times) -> bool:
    """Whether a cue is known to lie outside its trial; an unknown edge excludes nothing but a cue out of order."""
    known = cue[np.isfinite(cue)]
    with np.errstate(invalid="ignore"):
        return bool(np.any(cue < start) or np.any(cue >= stop) or np.any(np.diff(known) <= 0))


def _codes(path: Path, file: MatlabFile) -> list[str]:
    """Rows of ``bitCodeS``, else of ``bitcode``; where both are there they must agree."""
    written = file.variables.get("bitCodeS")
    texts = [text.strip() for text in _texts(path, written)] if written else []
    matrix = file.variables.get("bitcode")
    is_numeric = matrix is None or matrix.kind == "numbers"
    bits = matrix.numbers() if matrix and is_numeric else np.empty((0, 0))
    if not is_numeric or not np.isin(bits, (0, 1)).all():
        raise _misfit(path, "bitcode holds something else than 0 and 1", "one row of bits a trial")
    rows = ["".join(row) for row in bits.reshape(len(bits), -1).astype(np.uint8).astype(str)] if bits.size else []
    if texts and rows and texts != rows and not _is_first_bits(bits, texts):
        raise _misfit(path, "bitCodeS and bitcode disagree", "the same codes twice")
    if not texts and not rows:
        raise _misfit(path, "it holds no trial codes", "bitCodeS or bitcode with one row a trial")
    return texts or rows


def _is_first_bits(bits: Times, codes: list[str]) -> bool:
    """Whether a vector holds the first bit of each code: a script that keeps some trials, bitcode(trials), leaves this."""
    first = [float(code[0]) if code[:1] in {"0", "1"} else np.nan for code in codes]
    return 1 in bits.shape and bits.size == len(codes) and bits.ravel().tolist() == first


def _texts(path: Path, matrix: AnyMatrix) -> list[str]:
    """Rows of a text, or the elements of a cell of texts; an empty element is an empty text."""
    cells = matrix.cells() if matrix.kind == "cell" else []
    if matrix.kind not in {"text", "cell"} or any(cell.size and cell.kind != "text" for cell in cells):
        raise _misfit(path, "bitCodeS is not text", "one row of text a trial")
    if any(cell.size and cell.dims[0] > 1 for cell in cells):
        raise _misfit(path, "bitCodeS has several rows of text in one cell", "one row of text a trial")
    return [cell.text() for cell in cells] if matrix.kind == "cell" else matrix.rows()


def _numbers(path: Path, file: MatlabFile, name: str) -> Times:
    """One variable as numbers of shape (n,), empty where the file lacks it."""
    matrix = file.variables.get(name)
    if matrix is None:
        return np.empty(0)
    if matrix.kind != "numbers":
        raise _misfit(path, f"{name} is not numeric", "numbers")
    return matrix.numbers().ravel()


def _trial(value: float, path: Path) -> int | None:
    if not np.isfinite(value) or value < 1:
        return None
    if not float(value).is_integer() or value > _LAST_TRIAL:
        raise _misfit(path, f"trialNum holds {value}", "whole trial numbers")
    return int(value)


def _misfit(path: Path, found: str, expected: str) -> PiecesDoNotFit:
    return PiecesDoNotFit(path, found, expected=expected, todo=_TODO)
