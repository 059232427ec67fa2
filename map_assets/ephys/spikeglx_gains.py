"""Which channels a SpikeGLX file holds and what one bit of each is worth. Where their contacts stand is read in `spikeglx`.

``snsApLfSy`` counts the saved channels (AP, LF, sync), ``snsSaveChanSubset`` names them among the acquired ones
(``acqApLfSy``), and ``~imroTbl`` gives each acquired channel's gains
(https://billkarsh.github.io/SpikeGLX/Sgl_help/Metadata_30.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.probe_models import ProbeModel
from map_assets.ephys.spikeglx_meta import Meta
from map_assets.vocabulary.errors import PiecesDoNotFit

_TODO = "Copy the .meta file from the acquisition computer again."
_MICROVOLT_PER_VOLT = 1e6
_BARE_3A_IMRO_HEADER = 3
_MOST_CHANNELS = 100_000
_MOST_COUNTS = 2.0**31
_SMALLEST = 1e-6
"""Ranges (V) and gains below it, or above its inverse, are damage."""
_AP_AND_LF_ENTRY = 5
"""An entry of the imro table with as many fields has an AP gain and an LF gain; a shorter one has none."""


@dataclass(frozen=True)
class Counts:
    """Saved channels of each kind, in the order in which a file holds them."""

    ap: int
    lf: int
    sync: int

    @property
    def all(self) -> int:
        """All of them."""
        return self.ap + self.lf + self.sync


@dataclass(frozen=True)
class Gains:
    """Amplification of the saved channels, shape (n_ap,) and (n_lf,)."""

    ap: NDArray[np.float64]
    lf: NDArray[np.float64]


def channel_counts(meta: Meta, key: str = "snsApLfSy") -> Counts:
    """Count a probe file's saved channels (or the acquired ones: ``acqApLfSy``).

    Raises
    ------
    UnreadableFile
        If the key is missing or holds no three counts.
    """
    parts = [part.strip() for part in meta.need(key).split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise meta.odd(f"{key} is {meta.text(key)!r}", "three counts: AP, LF, sync")
    return Counts(*map(int, parts))


def saved_channels(meta: Meta) -> NDArray[np.int64]:
    """Number the saved channels among the acquired ones, in the file's order, shape (n_saved,).

    Raises
    ------
    UnreadableFile
        If ``snsSaveChanSubset`` is no list of channels and ranges.
    PiecesDoNotFit
        If it names another number of channels than ``nSavedChans``.
    """
    n_saved = meta.whole("nSavedChans")
    if not 0 < n_saved < _MOST_CHANNELS:
        raise meta.odd(f"nSavedChans is {n_saved}", "a number of channels")
    subset = meta.text("snsSaveChanSubset") or "all"
    if subset == "all":
        return np.arange(n_saved)
    if not re.fullmatch(r"\d{1,6}(:\d{1,6})?(,\d{1,6}(:\d{1,6})?)*", subset.replace(" ", ""), re.ASCII):
        raise meta.odd(f"snsSaveChanSubset is {subset[:40]!r}", "channels and ranges")
    ranges = [[int(edge) for edge in part.split(":")] for part in subset.split(",")]
    if any(part[-1] < part[0] for part in ranges):
        raise meta.odd(f"snsSaveChanSubset is {subset[:40]!r}, which falls", "rising ranges")
    if sum(part[-1] - part[0] + 1 for part in ranges) != n_saved:
        raise PiecesDoNotFit(
            meta.path,
            f"snsSaveChanSubset does not name {n_saved} channels",
            expected="as many as nSavedChans",
            todo=_TODO,
        )
    return np.concatenate([np.arange(part[0], part[-1] + 1) for part in ranges])


def max_int(meta: Meta, model: ProbeModel) -> float:
    """Return the count that stands for ``imAiRangeMax``: the file's own ``imMaxInt``, else the model's."""
    found = meta.number("imMaxInt") if meta.text("imMaxInt") else float(model.max_int)
    if not 1 <= found <= _MOST_COUNTS:
        raise meta.odd(f"imMaxInt is {found}", "a positive number")
    return found


def gains(meta: Meta, model: ProbeModel) -> Gains:
    """Take each saved channel's gain from its own entry of the imro table, else from the header, else from channel 0's key.

    A model with one gain has that, or what ``imChan0apGain`` says.

    Raises
    ------
    UnreadableFile
        If a gain is missing or not positive.
    PiecesDoNotFit
        If the counts of channels disagree.
    """
    counts, saved = channel_counts(meta), saved_channels(meta)
    acquired = channel_counts(meta, "acqApLfSy").ap if meta.text("acqApLfSy") else _acquired_ap(meta)
    if counts.all != len(saved):
        raise PiecesDoNotFit(
            meta.path,
            f"snsApLfSy counts {counts.all} channels and nSavedChans {len(saved)}",
            expected="the same number",
            todo=_TODO,
        )
    lf_channels = saved[counts.ap : counts.ap + counts.lf] - (acquired if saved[counts.ap :].size else 0)
    return Gains(
        _band(meta, model, saved[: counts.ap], "imChan0apGain", 3),
        _band(meta, model, lf_channels, "imChan0lfGain", 4),
    )


def lf_gain(meta: Meta, model: ProbeModel) -> float | None:
    """Return the LF gain of the first saved AP channel's contact; None for a probe without LF band."""
    channel = saved_channels(meta)[:1]
    try:
        return None if model.fixed_gain is not None else float(_band(meta, model, channel, "imChan0lfGain", 4)[0])
    except IndexError:
        return None


def microvolt_per_bit(meta: Meta, model: ProbeModel) -> NDArray[np.float64]:
    """Return what one bit of each saved channel is worth, uV, shape (n_saved,); NaN for sync channels, which hold bits.

    ``imAiRangeMax / imMaxInt / gain``; errors as in `gains`.
    """
    found = gains(meta, model)
    counts = channel_counts(meta)
    scale = microvolt_per_bit_at(meta, model, 1.0)
    return np.concatenate([scale / found.ap, scale / found.lf, np.full(counts.sync, np.nan)])


def microvolt_per_bit_at(meta: Meta, model: ProbeModel, gain: float) -> float:
    """Return what one bit is worth at a gain, uV."""
    reach = meta.number("imAiRangeMax")
    if not _SMALLEST <= reach <= 1 / _SMALLEST:
        raise meta.odd(f"imAiRangeMax is {reach}", "a positive number of volts")
    return reach / max_int(meta, model) / gain * _MICROVOLT_PER_VOLT


def _acquired_ap(meta: Meta) -> int:
    """Count the acquired AP channels by the imro table, where ``acqApLfSy`` is missing."""
    header = (meta.table("imroTbl") or [""])[0].split(",")[-1].strip()
    return int(header) if header.isascii() and header.isdigit() and int(header) < _MOST_CHANNELS else 384


def _band(meta: Meta, model: ProbeModel, channels: NDArray[np.int64], key: str, field: int) -> NDArray[np.float64]:
    if not len(channels):
        return np.empty(0)
    if model.fixed_gain is not None:
        gain = meta.number(key) if meta.text(key) else model.fixed_gain
        if not _SMALLEST <= gain <= 1 / _SMALLEST:
            raise meta.odd(f"{key} is {gain}", "a positive number")
        return np.full(len(channels), gain)
    header, *entries = [re.split(r"[\s,]+", group.strip()) for group in meta.table("imroTbl")] or [[]]
    own = {entry[0]: entry[field] for entry in entries if len(entry) >= _AP_AND_LF_ENTRY}
    if own:
        written = [own.get(str(channel)) for channel in channels.tolist()]
        if None in written:
            raise PiecesDoNotFit(
                meta.path,
                f"~imroTbl has no entry for channel {channels[written.index(None)]}",
                expected="an entry for each saved channel",
                todo=_TODO,
            )
        return np.array([_positive(meta, digits or "") for digits in written])
    if len(header) > _BARE_3A_IMRO_HEADER and len(header) > field:
        return np.full(len(channels), _positive(meta, header[field]))
    return np.full(len(channels), _positive(meta, meta.need(key)))


def _positive(meta: Meta, digits: str) -> float:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 7) or int(digits) == 0:
        raise meta.odd(f"~imroTbl has a gain of {digits[:40]!r}", "a positive number")
    return float(digits)
