"""A session's trials out of pulses that all probes share: CatGT's lists, else the NI-DAQ's own lines. Per-probe bitcode files are read in `bitcode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.bitcode import assign_go_cues
from map_assets.ephys.nidq import line_edges, open_nidq
from map_assets.ephys.one_file import bin_beside, one_file, prefer_catgt
from map_assets.ephys.pulse_code import PulseProtocol, decode
from map_assets.ephys.pulses import PulseList, parse_pulse_list, read_pulses
from map_assets.ephys.spikeglx_bin import WHOLE
from map_assets.ephys.sync_pulses import NIDQ
from map_assets.vocabulary.errors import CompanionMissing, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, unchanged

Times = NDArray[np.float64]
Lists = Sequence[tuple[FoundFile, PulseList]]

PULSE_LISTS, NIDQ_LINES = "pulse lists", "nidq"
"""Sources, as `ephys_trials` names them."""


@dataclass(frozen=True)
class SessionTrials:
    """Trials in the stream's order; all members but the last three have one element a trial.

    Parameters
    ----------
    codes : list of str
    start_s, go_s : numpy.ndarray of float, shape (n,)
        On the nominal clock of `stream`, s; a trial without go cue has NaN.
    stream : str
        ``nidq``, or the stream that TPrime carried the lists onto.
    source : str
    files : tuple of FoundFile
        Those read; the first holds the trial starts.
    """

    codes: list[str]
    start_s: Times
    go_s: Times
    stream: str
    source: str
    files: tuple[FoundFile, ...]


def pulse_lists(files: Sequence[FoundFile], protocol: PulseProtocol) -> Lists:
    """Return the lists of the lines on which the protocol has codes."""
    named = [(file, parse_pulse_list(file.relpath.name)) for file in files if file.role == "bitcode"]
    lines = {protocol.list_start, protocol.list_bits, protocol.list_go}
    return [(file, told) for file, told in named if told and told.stream == NIDQ and told.line in lines]


def read_listed_trials(lists: Lists, protocol: PulseProtocol) -> SessionTrials:
    """Decode the trials of CatGT's lists.

    ``.adj`` lists count before the others, where both the starts and the bits have one; lists on two clocks are never
    mixed.

    Raises
    ------
    CompanionMissing
        If there are starts without bits, or bits without starts.
    PiecesDoNotFit
        If several lists of one line differ, or the pulses are no codes.
    UnreadableFile
        If a list is damaged.
    """
    for is_adjusted in (True, False):
        of_line = {
            line: [file for file, told in lists if told.line == line and told.is_adjusted == is_adjusted]
            for line in (protocol.list_start, protocol.list_bits, protocol.list_go)
        }
        if of_line[protocol.list_start] and of_line[protocol.list_bits]:
            break
    else:
        lacking = [line for line in (protocol.list_start, protocol.list_bits) if not of_line[line]]
        raise CompanionMissing(
            lists[0][0].path,
            f"it is one list of pulses of two, and no *.{' or '.join(lacking)}.txt on the same clock is there",
            expected="the lists of trial starts and of code bits",
            todo="Let CatGT extract both lines.",
        )
    chosen = {
        line: one_file(prefer_catgt(found), "the session", f"lists {line}") for line, found in of_line.items() if found
    }
    start, bits = chosen[protocol.list_start], chosen[protocol.list_bits]
    start_s, bits_s = read_pulses(start.path), read_pulses(bits.path)
    go = chosen.get(protocol.list_go) if protocol.list_go else None
    stream = protocol.adjusted_to if is_adjusted else NIDQ
    return _trials(
        start_s,
        bits_s,
        read_pulses(go.path) if go else None,
        protocol,
        bits.path,
        (stream, PULSE_LISTS, (start, bits, *([go] if go else []))),
    )


def nidq_metas(files: Sequence[FoundFile], protocol: PulseProtocol) -> list[FoundFile]:
    """Return the NI-DAQ's meta files of rigs that are known to send codes over its lines."""
    metas = [
        file for file in files if file.role == "spikeglx_meta" and file.relpath.name.lower().endswith(".nidq.meta")
    ]
    return [file for file in prefer_catgt(metas) if file.rig in protocol.nidq.rigs]


def read_nidq_trials(metas: Sequence[FoundFile], files: Sequence[FoundFile], protocol: PulseProtocol) -> SessionTrials:
    """Decode the trials of the NI-DAQ's lines; start times are exact samples over ``niSampRate``.

    Raises
    ------
    CompanionMissing
        If the ``.nidq.bin`` is not there, or not all of it.
    PiecesDoNotFit
        If there are several different runs, a line is not in the file, or its pulses are no codes.
    UnreadableFile
        If a file is damaged.
    """
    meta = one_file(metas, "the session", ".nidq.meta files")
    raw = bin_beside(meta, files)
    if raw is None:
        raise _not_whole(meta.path, "absent")
    lines = protocol.nidq
    with unchanged(raw.path):
        file = open_nidq(raw.path, meta.path)
        if file.state != WHOLE:
            raise _not_whole(raw.path, file.state)
        names = [name for name in (lines.trial_start, lines.bits, lines.go) if name]
        edges = line_edges(file, names, lines.threshold_v)
    seconds = {name: found.rising / file.sample_rate_hz for name, found in edges.items()}
    go_s = seconds[lines.go] if lines.go else None
    told = (NIDQ, NIDQ_LINES, (raw, meta))
    return _trials(seconds[lines.trial_start], seconds[lines.bits], go_s, protocol, raw.path, told)


def _trials(
    start_s: Times,
    bits_s: Times,
    go_s: Times | None,
    protocol: PulseProtocol,
    path: Path,
    told: tuple[str, str, tuple[FoundFile, ...]],
) -> SessionTrials:
    if bool(len(start_s)) != bool(len(bits_s)):
        # codes of nothing but zeros would say that nothing was sent where nothing was seen
        raise PiecesDoNotFit(
            path,
            f"there are {len(start_s)} trial starts and {len(bits_s)} pulses of codes",
            expected="both, or neither",
            todo="Check which lines the starts and the codes are on, and extract their pulses again.",
        )
    codes = decode(start_s, bits_s, protocol, path)
    go = np.full(len(start_s), np.nan) if go_s is None else assign_go_cues(start_s, go_s)
    return SessionTrials(codes, start_s, go, *told)


def _not_whole(path: Path, state: str) -> CompanionMissing:
    return CompanionMissing(
        path,
        f"its .nidq.bin is {state}, and the trials' codes are on its lines",
        expected="the whole .nidq.bin beside its .meta",
        todo="Copy it there, or decode the codes into a bitcode file.",
    )
