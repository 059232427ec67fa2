"""Which source tells each probe's trials, and their times on that probe's clock. Which behaviour trial each one is, is decided in `trial_match`.

In this order: the probe's own bitcode file; CatGT's lists of pulses (of the whole session); the NI-DAQ's lines (of rigs
whose protocol names them). The last two are not on a probe's clock: they are carried there by the sync pulses that
both streams saw (`sync`), and where these are missing the files wait. ``.adj`` lists are already on the clock of the
stream that the protocol names, which is one probe's own; onto another probe's they are carried like the rest.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.ephys.bitcode import read_bitcode
from map_assets.ephys.one_file import one_file
from map_assets.ephys.probe_number import need_probe
from map_assets.ephys.pulse_code import PulseProtocol
from map_assets.ephys.session_pulses import (
    SessionTrials,
    nidq_metas,
    pulse_lists,
    read_listed_trials,
    read_nidq_trials,
)
from map_assets.ephys.sync_pulses import SyncPulses, stream_of
from map_assets.ephys.tables import EPHYS_TRIALS
from map_assets.ephys.tables.words import CODE_START, TRIAL_START
from map_assets.vocabulary.errors import BadInput, CompanionMissing
from map_assets.vocabulary.files import FoundFile, Rejected

BITCODE_FILE = "bitcode file"
PROBE = "probe"

Times = NDArray[np.float64]
Rows = list[dict[str, Any]]


def read_ephys_trials(
    session: str,
    files: Sequence[FoundFile],
    animal: str,
    metas: Mapping[int, FoundFile],
    rates_hz: Mapping[int, float],
    protocol: PulseProtocol,
) -> tuple[pa.Table, list[Rejected]]:
    """Read the trials that each probe of a session saw.

    Parameters
    ----------
    session : str
    files : sequence of FoundFile
        All of the session's acquisition files.
    animal : str
    metas : mapping of int to FoundFile
        The AP meta file that stands for each probe.
    rates_hz : mapping of int to float
        Each probe's rate; a bitcode file needs it where its times are samples.
    protocol : PulseProtocol
        How codes are sent as pulses.

    Returns
    -------
    table : pyarrow.Table
        `ephys_trials`.
    rejected : list of Rejected
        Files that could not be used, or wait for another.
    """
    rejected: list[Rejected] = []
    rows: Rows = []
    decoded = _bitcode_files(files, animal, rejected)
    for probe, found in sorted(decoded.items()):
        try:
            file = one_file(found, f"probe {probe}", "bitcode files")
            rows += _bitcode_rows(session, probe, file, rates_hz.get(probe))
        except BadInput as error:
            rejected.append(Rejected(tuple(found), error))
    probes = sorted(set(metas) - set(decoded))
    if probes or not decoded:
        sync = SyncPulses(files, animal, metas, protocol)
        rows += _shared_rows(session, probes, files, sync, protocol, rejected)
    return EPHYS_TRIALS.from_rows(sorted(rows, key=lambda row: (row["probe"], row["ephys_trial"]))), rejected


def _bitcode_files(files: Sequence[FoundFile], animal: str, rejected: list[Rejected]) -> dict[int, list[FoundFile]]:
    """Sort the MATLAB files by probe; a probe needs no meta file for it."""
    by_probe: dict[int, list[FoundFile]] = defaultdict(list)
    for file in files:
        if file.role != "bitcode" or file.relpath.suffix.lower() != ".mat":
            continue
        try:
            by_probe[need_probe(file, animal)].append(file)
        except BadInput as error:
            rejected.append(Rejected((file,), error))
    return by_probe


def _bitcode_rows(session: str, probe: int, file: FoundFile, sample_rate_hz: float | None) -> Rows:
    seen = read_bitcode(file.path, sample_rate_hz)
    return _rows(
        {
            "session": session,
            "probe": probe,
            "source": BITCODE_FILE,
            "clock": PROBE,
            "start_kind": CODE_START,
            "file": file.relpath.as_posix(),
        },
        seen.codes,
        seen.start_probe_s,
        seen.go_probe_s,
        seen.trial_written,
    )


def _shared_rows(
    session: str,
    probes: Sequence[int],
    files: Sequence[FoundFile],
    sync: SyncPulses,
    protocol: PulseProtocol,
    rejected: list[Rejected],
) -> Rows:
    """Read the trials that all probes share, and carry them onto each one's clock."""
    lists, metas = pulse_lists(files, protocol), nidq_metas(files, protocol)
    if not lists and not (metas and probes):
        return []
    read_from = [file for file, _ in lists] or metas
    try:
        trials = read_listed_trials(lists, protocol) if lists else read_nidq_trials(metas, files, protocol)
        read_from = list(trials.files)
        if not probes:
            raise _waits(trials, "and no meta file tells which probes there are", "each probe's .ap.meta file")
    except BadInput as error:
        rejected.append(_rejected(error, files, read_from))
        return []
    rows: Rows = []
    lacking: dict[str, None] = {}
    for probe in probes:
        try:
            rows += _carried_rows(session, probe, trials, sync, protocol, lacking)
        except BadInput as error:
            told = _rejected(error, files, read_from)
            if all(str(error) != str(other.error) for other in rejected):
                rejected.append(told)
    if lacking:
        waits = _waits(
            trials,
            f"and no sync pulses of {', '.join(lacking)} are there to carry them onto each probe's",
            f"CatGT's lists of sync pulses ({protocol.sync_width_ms} ms), or the .bin files that hold them",
        )
        rejected.append(Rejected(trials.files, waits))
    return rows


def _carried_rows(
    session: str,
    probe: int,
    trials: SessionTrials,
    sync: SyncPulses,
    protocol: PulseProtocol,
    lacking: dict[str, None],
) -> Rows:
    start_s, go_s, clock = trials.start_s, trials.go_s, PROBE
    if trials.stream != stream_of(probe):
        tie = sync.between(trials.stream, probe)
        if isinstance(tie, tuple):
            lacking.update(dict.fromkeys(tie))
            return []
        start_s, go_s = (tie.carry(times, protocol.longest_reach_s) for times in (start_s, go_s))
        clock = trials.stream
    kind = TRIAL_START if protocol.start_marks == "trial" else CODE_START
    told = {"session": session, "probe": probe, "source": trials.source, "clock": clock, "start_kind": kind}
    told["file"] = trials.files[0].relpath.as_posix()
    return _rows(told, trials.codes, start_s, go_s, [None] * len(trials.codes))


def _rows(
    told: Mapping[str, Any], codes: Sequence[str], start_s: Times, go_s: Times, written: Sequence[int | None]
) -> Rows:
    columns = zip(codes, start_s.tolist(), go_s.tolist(), written, strict=True)
    return [
        {
            **told,
            "ephys_trial": number,
            "bitcode": code,
            "start_probe_s": start,
            "start_kind": told["start_kind"] if math.isfinite(start) else None,
            "go_probe_s": go,
            "trial_written": trial,
        }
        for number, (code, start, go, trial) in enumerate(columns, 1)
    ]


def _rejected(error: BadInput, files: Sequence[FoundFile], read_from: Sequence[FoundFile]) -> Rejected:
    """Blame the file that the error names; what waits is all that was read."""
    named = tuple(file for file in files if file.path == error.path)
    return Rejected(tuple(read_from) if isinstance(error, CompanionMissing) or not named else named, error)


def _waits(trials: SessionTrials, why: str, expected: str) -> CompanionMissing:
    return CompanionMissing(
        trials.files[0].path,
        f"its times are on the clock of {trials.stream}, {why}",
        expected=expected,
        todo="Copy them there; this one is then read again.",
    )
