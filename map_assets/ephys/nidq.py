"""A SpikeGLX ``.nidq.bin``: the NI-DAQ's analog channels and digital lines. Probes' recordings are read in `spikeglx`.

A sample holds the acquired channels in the order MN, MA, XA, then digital words of 16 lines; ``snsMnMaXaDw`` counts
those that were saved (https://billkarsh.github.io/SpikeGLX/Sgl_help/Metadata_30.html). Line n of the first device is
bit n of the words, counted through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.bin_samples import BinSamples, open_samples
from map_assets.ephys.edges import Edges, Line, find_edges
from map_assets.ephys.spikeglx_bin import bin_state
from map_assets.ephys.spikeglx_gains import saved_channels
from map_assets.ephys.spikeglx_meta import Meta, read_meta
from map_assets.vocabulary.errors import PiecesDoNotFit

_KINDS = ("MN", "MA", "XA", "DW")
_GAIN_KEYS = {"MN": "niMNGain", "MA": "niMAGain"}
_MAX_INT = 32768.0
"""``niMaxInt`` where the file has none."""
_LINES_IN_A_WORD = 16
_LINE = re.compile(r"(MN|MA|XA|XD)(\d{1,4})", re.ASCII)
_TODO = "Copy the .bin and its .meta from the acquisition computer again."


@dataclass(frozen=True)
class NidqFile:
    """An open ``.nidq.bin``.

    Parameters
    ----------
    path : pathlib.Path
    meta : Meta
    samples : BinSamples, shape (n_samples, n_saved_channels)
    sample_rate_hz : float
        ``niSampRate``, as written.
    acquired : mapping of str to int
        Channels of each kind (MN, MA, XA, DW) that were acquired.
    saved : numpy.ndarray of int, shape (n_saved_channels,)
        The saved ones among them.
    state : str
        As in `spikeglx_bin`.
    """

    path: Path
    meta: Meta
    samples: BinSamples
    sample_rate_hz: float
    acquired: Mapping[str, int]
    saved: NDArray[np.int64]
    state: str


def is_nidq(meta: Meta) -> bool:
    """Whether a meta file describes an NI-DAQ stream."""
    return meta.text("typeThis") == "nidq"


def open_nidq(bin_path: Path, meta_path: Path) -> NidqFile:
    """Open a ``.nidq.bin`` beside its ``.meta``; nothing of it is read yet.

    Raises
    ------
    UnreadableFile
        If either file cannot be read, or a key is missing or no number.
    PiecesDoNotFit
        If the size of the ``.bin`` is no whole number of samples, it is longer than its ``.meta`` says, or the
        ``.meta``'s counts disagree.
    """
    meta = read_meta(meta_path)
    counts, saved = _counts(meta, "snsMnMaXaDw"), saved_channels(meta)
    acquired = _counts(meta, "acqMnMaXaDw") if meta.text("acqMnMaXaDw") else counts
    if sum(counts.values()) != len(saved) or (len(saved) and int(saved.max()) >= sum(acquired.values())):
        raise PiecesDoNotFit(
            meta.path,
            f"snsMnMaXaDw counts {sum(counts.values())} channels, and nSavedChans {len(saved)}",
            expected="the same number, out of those acquired",
            todo=_TODO,
        )
    rate = meta.rate_hz("niSampRate")
    samples = open_samples(bin_path, len(saved))
    return NidqFile(bin_path, meta, samples, rate, acquired, saved, bin_state(meta, bin_path, samples.nbytes))


def line_edges(file: NidqFile, names: Sequence[str], threshold_v: float) -> dict[str, Edges]:
    """Find the edges of several lines in one pass.

    Parameters
    ----------
    file : NidqFile
    names : sequence of str
        ``XD3`` is digital line 3; ``XA0``, ``MA0``, ``MN0`` are analog channels, high at `threshold_v` and above.
    threshold_v : float
        At the channel's input, V.

    Raises
    ------
    PiecesDoNotFit
        If the file does not hold such a line.
    UnreadableFile
        If a key for its scale is missing or no number.
    """
    lines = [_line(file, name, threshold_v) for name in names]
    return dict(zip(names, find_edges(file.samples, lines), strict=True))


def digital_lines(file: NidqFile) -> list[str]:
    """Name all digital lines that the saved words hold."""
    first = sum(file.acquired[kind] for kind in _KINDS[:-1])
    words = (file.saved[file.saved >= first] - first).tolist()
    return [f"XD{word * _LINES_IN_A_WORD + bit}" for word in words for bit in range(_LINES_IN_A_WORD)]


def sync_line(meta: Meta) -> tuple[str, float] | None:
    """Name the line on which the run's sync pulses were recorded, and its threshold, V; None where the file tells none."""
    kind, channel = meta.text("syncNiChanType"), meta.text("syncNiChan")
    if kind not in {"0", "1"} or channel is None or not (channel.isascii() and channel.isdigit()):
        return None
    # an analog sync channel is counted through MN, MA and XA
    if kind == "0":
        return f"XD{int(channel)}", 0.0
    before = _counts(meta, "acqMnMaXaDw" if meta.text("acqMnMaXaDw") else "snsMnMaXaDw")
    number = int(channel) - before["MN"] - before["MA"]
    return (f"XA{number}", meta.number("syncNiThresh")) if 0 <= number < before["XA"] else None


def _counts(meta: Meta, key: str) -> dict[str, int]:
    parts = [part.strip() for part in meta.need(key).split(",")]
    if len(parts) != len(_KINDS) or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise meta.odd(f"{key} is {meta.text(key)!r}", "four counts: MN, MA, XA, DW")
    return dict(zip(_KINDS, map(int, parts), strict=True))


def _line(file: NidqFile, name: str, threshold_v: float) -> Line:
    met = _LINE.fullmatch(name)
    kind, number = (met[1], int(met[2])) if met else ("", 0)
    word, bit = divmod(number, _LINES_IN_A_WORD) if kind == "XD" else (number, None)
    kind = "DW" if kind == "XD" else kind
    found = np.empty(0, np.int64)
    if met and word < file.acquired[kind]:
        before = sum(file.acquired[other] for other in _KINDS[: _KINDS.index(kind)])
        found = np.flatnonzero(file.saved == before + word)
    if not len(found):
        raise PiecesDoNotFit(
            file.path,
            f"it holds no line {name}",
            expected=f"it among {', '.join(f'{many} {other}' for other, many in file.acquired.items())} channels",
            todo="Name the line that the rig uses in the protocol file.",
        )
    column = int(found[0])
    if bit is not None:
        return Line(column, bit)
    top = file.meta.number("niMaxInt") if file.meta.text("niMaxInt") else _MAX_INT
    gain = file.meta.number(_GAIN_KEYS[kind]) if kind in _GAIN_KEYS else 1.0
    reach = file.meta.number("niAiRangeMax")
    if top <= 0 or gain <= 0 or reach <= 0:
        raise file.meta.odd(f"its range is {reach} V, {top} counts, gain {gain}", "positive numbers")
    return Line(column, threshold=threshold_v * gain * top / reach)
