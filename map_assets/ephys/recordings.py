"""A session's probes, their contacts and the trials they saw, out of SpikeGLX meta and bitcode files. Sorters' folders are read in `sortings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.ephys.bitcode import read_bitcode
from map_assets.ephys.probe_number import probe_of
from map_assets.ephys.spikeglx import Recording, is_probe_recording, read_recording
from map_assets.ephys.spikeglx_meta import read_meta
from map_assets.ephys.tables import EPHYS_TRIALS, PROBE_SITES, RECORDINGS
from map_assets.vocabulary.errors import BadInput, NameDoesNotParse, NoFormatRecognizes, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected, sha256_of
from map_assets.vocabulary.session import SessionKey

_CATGT = "_tcat."


def read_recordings(session: str, files: Sequence[FoundFile]) -> tuple[dict[str, pa.Table], tuple[Rejected, ...]]:
    """Read a session's meta and bitcode files.

    A meta file of a probe's AP band makes a recording; those of LFP bands and NI-DAQ make none. Where a probe has both
    CatGT's meta file (``_tcat``) and the acquisition's own, CatGT's counts: the sorters read its output.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        The session's files; those with the roles ``spikeglx_meta`` and ``bitcode`` are read.

    Returns
    -------
    tables : dict of str to pyarrow.Table
        `recordings`, `probe_sites`, `ephys_trials`; one that would be empty is left out.
    rejected : tuple of Rejected
        Files that could not be used; the others went on.
    """
    animal = SessionKey.parse(session).animal
    rejected: list[Rejected] = []
    recordings = _recordings([file for file in files if file.role == "spikeglx_meta"], animal, rejected)
    bitcodes = _bitcode_files([file for file in files if file.role == "bitcode"], rejected)
    tables = {
        "recordings": RECORDINGS.from_rows(_recording_row(session, probe, *found) for probe, found in recordings),
        "probe_sites": _probe_sites(session, recordings),
        "ephys_trials": _ephys_trials(session, bitcodes, animal, dict(recordings), rejected),
    }
    return {name: table for name, table in tables.items() if table.num_rows}, tuple(rejected)


Found = tuple[FoundFile, Recording]


def _bitcode_files(files: Sequence[FoundFile], rejected: list[Rejected]) -> list[FoundFile]:
    """Return the MATLAB files; CatGT's lists of pulses are what these were decoded from, and alone they tell no codes."""
    decoded = [file for file in files if file.relpath.suffix.lower() == ".mat"]
    pulses = tuple(file for file in files if file not in decoded)
    if pulses and not decoded:
        error = NoFormatRecognizes(
            pulses[0].path,
            "it is a list of pulses, and no decoded bitcode file is there",
            expected="{animal}_*bitcode.mat in the probe's folder",
            todo="Decode the bits into that file.",
        )
        rejected.append(Rejected(pulses, error))
    return decoded


def _recordings(metas: Sequence[FoundFile], animal: str, rejected: list[Rejected]) -> list[tuple[int, Found]]:
    """Read the probes' meta files and choose one a probe; in order of the probes."""
    by_probe: dict[int, list[Found]] = defaultdict(list)
    for file in metas:
        try:
            meta = read_meta(file.path)
            if is_probe_recording(meta):
                probe, recording = _need_probe(file, animal), read_recording(meta)
                by_probe[probe].append((file, recording))
        except BadInput as error:
            rejected.append(Rejected((file,), error))
    chosen = []
    for probe, found in sorted(by_probe.items()):
        candidates = [pair for pair in found if _CATGT in pair[0].relpath.name] or found
        try:
            file = _only([file for file, _ in candidates], probe, "AP meta files")
        except BadInput as error:
            rejected.append(Rejected(tuple(file for file, _ in candidates), error))
            continue
        chosen.append((probe, next(pair for pair in candidates if pair[0] is file)))
    return chosen


def _need_probe(file: FoundFile, animal: str) -> int:
    probe = probe_of(file.relpath, animal)
    if probe is None:
        raise NameDoesNotParse(
            file.path,
            "neither its folders nor its name tell the probe",
            expected="a folder with imecN in its name, or named by the insertion number alone",
            todo="Move the file into its probe's folder.",
        )
    return probe


def _only(files: Sequence[FoundFile], probe: int, what: str) -> FoundFile:
    """Return the one file of several, if all of them have the same bytes.

    Raises
    ------
    PiecesDoNotFit
        If they differ.
    """
    first, *others = sorted(files, key=lambda file: (file.share, file.relpath.as_posix()))
    if others and len({sha256_of(file.path) for file in files}) > 1:
        names = ", ".join(file.relpath.as_posix() for file in (first, *others))
        raise PiecesDoNotFit(
            first.path,
            f"probe {probe} has {len(files)} different {what}: {names}",
            expected="one",
            todo="Move those that are not this session's out of its folder.",
        )
    return first


def _recording_row(session: str, probe: int, file: FoundFile, found: Recording) -> Mapping[str, Any]:
    return {
        "session": session,
        "probe": probe,
        "serial_number": found.serial_number,
        "part_number": found.part_number,
        "probe_type": found.model.name,
        "n_shanks": found.model.n_shanks,
        "n_saved_channels": found.n_saved_channels,
        "sample_rate_hz": found.sample_rate_hz,
        "sample_rate_text": found.sample_rate_text,
        "microvolt_per_bit": found.microvolt_per_bit,
        "duration_s": found.duration_s,
        "recorded_local": found.recorded_local,
        "bin_size": found.bin_size,
        "bin_sha1": found.bin_sha1,
        "folder": file.relpath.parent.as_posix(),
        "meta_file": file.relpath.as_posix(),
    }


def _probe_sites(session: str, recordings: Sequence[tuple[int, Found]]) -> pa.Table:
    if not recordings:
        return PROBE_SITES.empty()
    sites = [recording.sites for _, (_, recording) in recordings]
    counts = [len(found.electrode) for found in sites]
    return PROBE_SITES.from_columns(
        {
            "session": pa.repeat(session, sum(counts)),
            "probe": np.repeat([probe for probe, _ in recordings], counts),
            "electrode": np.concatenate([found.electrode for found in sites]),
            "channel": np.concatenate([np.arange(count) for count in counts]),
            "shank": np.concatenate([found.shank for found in sites]),
            "x_um": np.concatenate([found.x_um for found in sites]),
            "y_um": np.concatenate([found.y_um for found in sites]),
            "is_used": np.concatenate([found.is_used for found in sites]),
        }
    )


def _ephys_trials(
    session: str,
    bitcodes: Sequence[FoundFile],
    animal: str,
    recordings: Mapping[int, Found],
    rejected: list[Rejected],
) -> pa.Table:
    """Read one bitcode file a probe; a probe needs no meta file for it unless the times are samples."""
    by_probe: dict[int, list[FoundFile]] = defaultdict(list)
    for file in bitcodes:
        try:
            by_probe[_need_probe(file, animal)].append(file)
        except BadInput as error:
            rejected.append(Rejected((file,), error))
    rows: list[dict[str, Any]] = []
    for probe, found in sorted(by_probe.items()):
        try:
            file = _only(found, probe, "bitcode files")
            rate = recordings[probe][1].sample_rate_hz if probe in recordings else None
            rows += _trial_rows(session, probe, file, rate)
        except BadInput as error:
            rejected.append(Rejected(tuple(found), error))
    return EPHYS_TRIALS.from_rows(rows)


def _trial_rows(session: str, probe: int, file: FoundFile, sample_rate_hz: float | None) -> list[dict[str, Any]]:
    seen = read_bitcode(file.path, sample_rate_hz)
    columns = zip(seen.codes, seen.start_probe_s.tolist(), seen.go_probe_s.tolist(), seen.trial_written, strict=True)
    return [
        {
            "session": session,
            "probe": probe,
            "ephys_trial": number,
            "bitcode": code,
            "start_probe_s": start,
            "go_probe_s": go,
            "trial_written": written,
            "file": file.relpath.as_posix(),
        }
        for number, (code, start, go, written) in enumerate(columns, 1)
    ]
