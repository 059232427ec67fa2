"""Trial codes sent as pulses: the protocol of a rig and the decoding. Where the pulses come from is decided in `trial_sources`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import BadConfiguration, PiecesDoNotFit
from map_assets.vocabulary.own_file import read_own_or_packaged

Times = NDArray[np.float64]

StartMarks = Literal["trial", "code"]
_MOST_BITS = 62


@dataclass(frozen=True)
class NidqLines:
    """The lines of the NI-DAQ, as `XA0` (analog channel) or `XD0` (digital line), on the rigs that are known to use them."""

    rigs: tuple[str, ...]
    trial_start: str
    bits: str
    go: str | None
    threshold_v: float


@dataclass(frozen=True)
class PulseProtocol:
    """A protocol file, read.

    Parameters
    ----------
    source : str
        Name and version of the file.
    n_bits : int
    first_bit_delay_s, pulse_spacing_s : float
        From the trial's start to the place of the first bit, and from one place to the next, s.
    last_trial_s : float
        How long the last trial's pulses are waited for, s.
    start_marks : str
        What the line of the trial's start marks on the behaviour's clock: ``trial`` or ``code``, its start.
    list_start, list_bits, list_go : str, str, str or None
        CatGT's names of the lines, as ``XA_0_0``.
    adjusted_to : str
        The stream onto whose clock ``.adj`` lists were carried.
    nidq : NidqLines
    sync_width_ms, sync_probe_bit : int
    longest_reach_s : float
        How far from the nearest sync pulse a time may be carried, s.
    """

    source: str
    n_bits: int
    first_bit_delay_s: float
    pulse_spacing_s: float
    last_trial_s: float
    start_marks: StartMarks
    list_start: str
    list_bits: str
    list_go: str | None
    adjusted_to: str
    nidq: NidqLines
    sync_width_ms: int
    sync_probe_bit: int
    longest_reach_s: float


def make_protocol(file: str, found: dict[str, Any]) -> PulseProtocol:
    """Make a protocol of a TOML file's tables."""
    lists, nidq, sync = found["pulse_lists"], found["nidq"], found["sync"]
    return PulseProtocol(
        source=f"{file} version {found['version']}",
        n_bits=found["n_bits"],
        first_bit_delay_s=found["first_bit_delay_s"],
        pulse_spacing_s=found["pulse_spacing_s"],
        last_trial_s=found["last_trial_s"],
        start_marks=_one_of(("trial", "code"), found["start_marks"], "start_marks", file),
        list_start=lists["trial_start"],
        list_bits=lists["bits"],
        list_go=lists.get("go"),
        adjusted_to=lists["adjusted_to"],
        nidq=NidqLines(tuple(nidq["rigs"]), nidq["trial_start"], nidq["bits"], nidq.get("go"), nidq["threshold_v"]),
        sync_width_ms=sync["width_ms"],
        sync_probe_bit=sync["probe_bit"],
        longest_reach_s=sync["longest_reach_s"],
    )


def _one_of(known: tuple[StartMarks, ...], value: Any, name: str, file: str) -> StartMarks:
    if value not in known:
        raise BadConfiguration(f"{file}: {name} is {value!r}; it is {' or '.join(map(repr, known))}.")
    return known[known.index(value)]


def read_pulse_protocol(path: Path | None = None) -> PulseProtocol:
    """Read how codes look as pulses.

    Parameters
    ----------
    path : pathlib.Path, optional
        A laboratory's own file; without one, the package's ``trial_number.toml``.

    Raises
    ------
    BadConfiguration
        If it cannot be read, or lacks a part.
    """
    file, values = read_own_or_packaged(path, "map_assets.ephys.protocols", "trial_number.toml")
    try:
        return make_protocol(file, values)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadConfiguration(
            f"{file}: the pulse protocol lacks {error}; the package's trial_number.toml has every part."
        ) from error


def encode(number: int, n_bits: int) -> str:
    """Write a number as a code, lowest bit first: 5 in 10 bits is ``1010000000``.

    Raises
    ------
    ValueError
        If it does not fit.
    """
    if not 0 <= number < 2**n_bits or not 1 <= n_bits <= _MOST_BITS:
        raise ValueError(f"{number} does not fit into {n_bits} bits")
    return format(number, f"0{n_bits}b")[::-1]


def decode(start_s: Times, pulse_s: Times, protocol: PulseProtocol, path: Path) -> list[str]:
    """Decode each trial's pulses.

    A trial's pulses are those from its start to the next trial's (the last trial's: `last_trial_s`); those before the
    first trial belong to none. Each place is counted from the pulse before it, so that a slow drift of the sender does
    no harm. A trial without pulses has the code of zeros.

    Parameters
    ----------
    start_s : numpy.ndarray of float, shape (n,)
        Trial starts, rising, s.
    pulse_s : numpy.ndarray of float, shape (m,)
        Leading edges of the bits' pulses, rising, on the same clock, s.
    protocol : PulseProtocol
    path : pathlib.Path
        File of the pulses, for the error.

    Raises
    ------
    PiecesDoNotFit
        If a pulse stands before the first place, beyond the last one, or two stand at one place; it names the trial.
    """
    if not len(start_s):
        return []
    bits = np.zeros((len(start_s), protocol.n_bits), bool)
    trial = np.searchsorted(start_s, pulse_s, side="right") - 1
    is_last = trial == len(start_s) - 1
    kept = (trial >= 0) & (~is_last | (pulse_s < start_s[trial] + protocol.last_trial_s))
    trial, pulse = trial[kept], pulse_s[kept]
    if len(pulse):
        is_first = np.r_[True, trial[1:] != trial[:-1]]
        before = start_s[trial] + protocol.first_bit_delay_s - protocol.pulse_spacing_s
        steps = np.rint((pulse - np.where(is_first, before, np.r_[0.0, pulse[:-1]])) / protocol.pulse_spacing_s)
        walked = np.cumsum(steps)
        first = np.flatnonzero(is_first)
        place = (walked - np.repeat(walked[first] - steps[first], np.diff(np.r_[first, len(pulse)])) - 1).astype(
            np.int64
        )
        _refuse(place < 0, trial, path, f"stands before the first bit, {protocol.first_bit_delay_s} s from its start")
        _refuse(place >= protocol.n_bits, trial, path, f"stands beyond the last of {protocol.n_bits} bits")
        _refuse((steps == 0) & ~is_first, trial, path, "is the second at one place")
        bits[trial, place] = True
    return ["".join(row) for row in np.where(bits, "1", "0")]


def _refuse(wrong: NDArray[np.bool_], trial: NDArray[np.int64], path: Path, what: str) -> None:
    if wrong.any():
        raise PiecesDoNotFit(
            path,
            f"a pulse of the {int(trial[np.flatnonzero(wrong)[0]]) + 1}. trial {what}",
            expected="pulses at the bits' places alone, as the rig's protocol file has them",
            todo="Check which line the codes are on, and extract its pulses again.",
        )
