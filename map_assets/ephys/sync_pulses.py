"""The sync pulses of a session's streams, from CatGT's lists or out of the ``.bin`` itself. Pairing two streams' pulses is done in `sync`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.edges import Line, find_edges
from map_assets.ephys.nidq import is_nidq, line_edges, open_nidq, sync_line
from map_assets.ephys.one_file import bin_beside, one_file, prefer_catgt
from map_assets.ephys.probe_number import need_probe
from map_assets.ephys.pulse_code import PulseProtocol
from map_assets.ephys.pulses import PulseList, parse_pulse_list, read_pulses
from map_assets.ephys.spikeglx_bin import open_bin
from map_assets.ephys.spikeglx_meta import read_meta
from map_assets.ephys.sync import StreamMap, match_pulses
from map_assets.vocabulary.files import FoundFile, unchanged

Times = NDArray[np.float64]
Seen = tuple[Times, FoundFile]
"""Leading edges on the stream's nominal clock, s, and the file that they were read from."""

NIDQ = "nidq"


def stream_of(probe: int) -> str:
    """Name a probe's stream: probe 1 is ``imec0``."""
    return f"imec{probe - 1}"


@dataclass(frozen=True)
class SyncPulses:
    """A session's sync pulses, read when they are asked for.

    Parameters
    ----------
    files : sequence of FoundFile
        All of the session's acquisition files.
    animal : str
    metas : mapping of int to FoundFile
        The AP meta file that stands for each probe.
    protocol : PulseProtocol
    """

    files: Sequence[FoundFile]
    animal: str
    metas: Mapping[int, FoundFile]
    protocol: PulseProtocol
    _read: dict[str, Seen | None] = field(default_factory=dict)

    @cached_property
    def _lists(self) -> list[tuple[FoundFile, PulseList]]:
        named = [(file, parse_pulse_list(file.relpath.name)) for file in self.files if file.role == "bitcode"]
        width = self.protocol.sync_width_ms
        return [(file, told) for file, told in named if told and told.width_ms == width and not told.is_adjusted]

    def of(self, stream: str) -> Seen | None:
        """Return a stream's pulses; None where nothing among the files holds them.

        CatGT's list comes first, then the ``.bin``: the NI-DAQ's line that its meta file names, a probe's sync word.

        Raises
        ------
        BadInput
            If a file that should hold them cannot be read, or several lists differ.
        """
        if stream not in self._read:
            self._read[stream] = self._of(stream)
        return self._read[stream]

    def _of(self, stream: str) -> Seen | None:
        if stream == NIDQ:
            lists = [file for file, told in self._lists if told.stream == NIDQ]
            return self._listed(lists, stream) or self._nidq_bin()
        bit = self.protocol.sync_probe_bit
        on_probes = [file for file, told in self._lists if told.stream.startswith("imec") and told.bit == bit]
        lists = [file for file in on_probes if stream_of(need_probe(file, self.animal)) == stream]
        return self._listed(lists, stream) or self._probe_bin(stream)

    def between(self, stream: str, probe: int) -> StreamMap | tuple[str, ...]:
        """Tie a stream to a probe's; where pulses are missing, the names of the streams that lack them.

        Raises
        ------
        BadInput
            As in `of`, or if the two do not fit together.
        """
        seen = {name: self.of(name) for name in (stream, stream_of(probe))}
        lacking = tuple(name for name, found in seen.items() if found is None)
        if lacking:
            return lacking
        (from_s, _), (to_s, file) = (found for found in seen.values() if found is not None)
        return match_pulses(from_s, to_s, file.path)

    def _listed(self, files: Sequence[FoundFile], stream: str) -> Seen | None:
        if not files:
            return None
        file = one_file(prefer_catgt(files), stream, "lists of sync pulses")
        return read_pulses(file.path), file

    def _nidq_bin(self) -> Seen | None:
        metas = [file for file in self.files if file.role == "spikeglx_meta" and ".nidq." in file.relpath.name.lower()]
        if not metas:
            return None
        meta = one_file(prefer_catgt(metas), NIDQ, "meta files")
        raw, told = bin_beside(meta, self.files), read_meta(meta.path)
        line = sync_line(told) if is_nidq(told) else None
        if raw is None or line is None:
            return None
        with unchanged(raw.path):
            file = open_nidq(raw.path, meta.path)
            rising = line_edges(file, [line[0]], line[1])[line[0]].rising
        return (rising / file.sample_rate_hz, raw) if len(rising) else None

    def _probe_bin(self, stream: str) -> Seen | None:
        meta = next((file for probe, file in self.metas.items() if stream_of(probe) == stream), None)
        raw = bin_beside(meta, self.files) if meta else None
        if meta is None or raw is None:
            return None
        with unchanged(raw.path):
            file = open_bin(raw.path, meta.path)
            if file.n_ap_channels + file.n_lf_channels == file.samples.shape[1]:
                return None
            word = Line(file.n_ap_channels + file.n_lf_channels, self.protocol.sync_probe_bit)
            (edges,) = find_edges(file.samples, [word])
        return (edges.rising / file.sample_rate_hz, raw) if len(edges.rising) else None
