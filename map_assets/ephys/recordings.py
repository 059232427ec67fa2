"""A session's probes, their contacts and the trials they saw, out of what the acquisition system wrote. Sorters' folders are read in `sortings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from map_assets.ephys.one_file import bin_beside, one_file, prefer_catgt
from map_assets.ephys.probe_number import need_probe
from map_assets.ephys.pulse_code import PulseProtocol, read_pulse_protocol
from map_assets.ephys.rig_tables import read_rig_tables
from map_assets.ephys.spikeglx import Recording, is_probe_recording, read_recording
from map_assets.ephys.spikeglx_bin import bin_state
from map_assets.ephys.spikeglx_gains import channel_counts
from map_assets.ephys.spikeglx_meta import Meta, read_meta
from map_assets.ephys.tables import PROBE_SITES, RECORDINGS
from map_assets.ephys.trial_sources import read_ephys_trials
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.session import SessionKey


@dataclass(frozen=True)
class Found:
    """One probe's recording and the files that tell of it; None where one is not there."""

    meta_file: FoundFile
    meta: Meta
    recording: Recording
    lf_meta_file: FoundFile | None = None
    lf_sample_rate_hz: float | None = None
    bin_file: FoundFile | None = None
    bin_state: str | None = None


def read_recordings(
    session: str, files: Sequence[FoundFile], protocol: PulseProtocol | None = None
) -> tuple[dict[str, pa.Table], tuple[Rejected, ...]]:
    """Read what the acquisition system and the decoding of its pulses left of a session.

    A meta file of a probe's AP band makes a recording; those of LFP bands and the NI-DAQ make none. Where a probe has
    both CatGT's meta file (``_tcat``) and the acquisition's own, CatGT's counts: the sorters read its output.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        The session's files; those with the roles ``spikeglx_meta``, ``spikeglx_bin`` and ``bitcode`` are read.
    protocol : PulseProtocol, optional
        How codes are sent as pulses; the package's own if not given.

    Returns
    -------
    tables : dict of str to pyarrow.Table
        `recordings`, `probe_sites`, `ephys_trials`, `ephys_events`, `ephys_frames`; one that would be empty is left out.
    rejected : tuple of Rejected
        Files that could not be used, or wait for another; the others went on.
    """
    animal = SessionKey.parse(session).animal
    rejected: list[Rejected] = []
    recordings = _recordings(files, animal, rejected)
    metas = {probe: found.meta_file for probe, found in recordings.items()}
    rates_hz = {probe: found.recording.sample_rate_hz for probe, found in recordings.items()}
    ephys_trials, unread = read_ephys_trials(session, files, animal, metas, rates_hz, protocol or read_pulse_protocol())
    told, changed = read_rig_tables(session, files, ephys_trials, rates_hz)
    tables = {
        "recordings": RECORDINGS.from_rows(
            _recording_row(session, probe, found) for probe, found in recordings.items()
        ),
        "probe_sites": _probe_sites(session, recordings),
        **told,
    }
    return {name: table for name, table in tables.items() if table.num_rows}, (*rejected, *unread, *changed)


def _recordings(files: Sequence[FoundFile], animal: str, rejected: list[Rejected]) -> dict[int, Found]:
    """Read the probes' meta files and choose one a probe; in order of the probes."""
    ap: dict[int, list[Found]] = defaultdict(list)
    lf: dict[int, list[tuple[FoundFile, float]]] = defaultdict(list)
    for file in files:
        if file.role != "spikeglx_meta":
            continue
        try:
            meta = read_meta(file.path)
            if is_probe_recording(meta):
                probe, recording = need_probe(file, animal), read_recording(meta)
                ap[probe].append(Found(file, meta, recording))
            elif _is_lf(meta):
                probe, rate_hz = need_probe(file, animal), meta.rate_hz("imSampRate")
                lf[probe].append((file, rate_hz))
        except BadInput as error:
            rejected.append(Rejected((file,), error))
    chosen = {}
    for probe, found in sorted(ap.items()):
        candidates = prefer_catgt([one.meta_file for one in found])
        try:
            file = one_file(candidates, f"probe {probe}", "AP meta files")
        except BadInput as error:
            rejected.append(Rejected(tuple(candidates), error))
            continue
        one = next(one for one in found if one.meta_file is file)
        chosen[probe] = _with_companions(one, lf.get(probe, []), files, rejected)
    return chosen


def _is_lf(meta: Meta) -> bool:
    return (meta.text("typeThis") or "imec") == "imec" and channel_counts(meta).lf > 0


def _with_companions(
    one: Found, lf: Sequence[tuple[FoundFile, float]], files: Sequence[FoundFile], rejected: list[Rejected]
) -> Found:
    """Add the LF band's meta file (the one of the same run, else the only one) and the state of the ``.bin``."""
    wanted = one.meta_file.relpath.name.replace(".ap.", ".lf.")
    beside = [pair for pair in lf if pair[0].relpath.name == wanted] or list(lf)
    lf_file, lf_rate = beside[0] if len(beside) == 1 else (None, None)
    raw = bin_beside(one.meta_file, [file for file in files if file.role == "spikeglx_bin"])
    state: str | None = None
    try:
        state = bin_state(one.meta, raw.path if raw else one.meta_file.path, raw.size if raw else None)
    except BadInput as error:
        rejected.append(Rejected((raw or one.meta_file,), error))
    return Found(one.meta_file, one.meta, one.recording, lf_file, lf_rate, raw, state)


def _recording_row(session: str, probe: int, found: Found) -> Mapping[str, Any]:
    told = found.recording
    return {
        "session": session,
        "probe": probe,
        "serial_number": told.serial_number,
        "part_number": told.part_number,
        "probe_type": told.model.name,
        "n_shanks": told.model.n_shanks,
        "n_saved_channels": told.n_saved_channels,
        "n_ap_channels": told.saved.ap,
        "sample_rate_hz": told.sample_rate_hz,
        "sample_rate_text": told.sample_rate_text,
        "microvolt_per_bit": told.microvolt_per_bit,
        "ap_gain": told.ap_gain,
        "max_int": told.max_int,
        "lf_gain": told.lf_gain,
        "microvolt_per_bit_lf": told.microvolt_per_bit_lf,
        "lf_sample_rate_hz": found.lf_sample_rate_hz,
        "duration_s": told.duration_s,
        "recorded_local": told.recorded_local,
        "created_local": told.created_local,
        "first_sample": told.first_sample,
        "bin_size": told.bin_size,
        "bin_sha1": told.bin_sha1,
        "bin_state": found.bin_state,
        "bin_file": found.bin_file.relpath.as_posix() if found.bin_file else None,
        "folder": found.meta_file.relpath.parent.as_posix(),
        "meta_file": found.meta_file.relpath.as_posix(),
        "lf_meta_file": found.lf_meta_file.relpath.as_posix() if found.lf_meta_file else None,
    }


def _probe_sites(session: str, recordings: Mapping[int, Found]) -> pa.Table:
    if not recordings:
        return PROBE_SITES.empty()
    sites = [found.recording.sites for found in recordings.values()]
    counts = [len(found.electrode) for found in sites]
    return PROBE_SITES.from_columns(
        {
            "session": pa.repeat(session, sum(counts)),
            "probe": np.repeat(list(recordings), counts),
            "electrode": np.concatenate([found.electrode for found in sites]),
            "channel": np.concatenate([np.arange(count) for count in counts]),
            "shank": np.concatenate([found.shank for found in sites]),
            "x_um": np.concatenate([found.x_um for found in sites]),
            "y_um": np.concatenate([found.y_um for found in sites]),
            "is_used": np.concatenate([found.is_used for found in sites]),
        }
    )
