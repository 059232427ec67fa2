"""A SpikeGLX ``.bin`` as an array that is never loaded whole, and whether all of it is there. Its ``.meta`` is read in `spikeglx`.

Samples are little-endian 16-bit integers, all saved channels of one instant together
(https://billkarsh.github.io/SpikeGLX/Sgl_help/UserManual.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.bin_samples import BinSamples, open_samples
from map_assets.ephys.probe_models import model_in
from map_assets.ephys.spikeglx_gains import channel_counts, microvolt_per_bit
from map_assets.ephys.spikeglx_meta import Meta, read_meta
from map_assets.vocabulary.errors import PiecesDoNotFit

WHOLE, ACQUIRING, INCOMPLETE, ABSENT = "whole", "acquiring", "incomplete copy", "absent"
"""States of a ``.bin``."""

_END_KEYS = ("fileSHA1", "fileTimeSecs", "fileSizeBytes")
"""SpikeGLX writes them when it closes the recording."""


@dataclass(frozen=True)
class BinFile:
    """A probe's ``.ap.bin`` or ``.lf.bin``.

    Parameters
    ----------
    path : pathlib.Path
    samples : BinSamples, shape (n_samples, n_saved_channels)
        AP channels first, then LF, then sync.
    n_ap_channels, n_lf_channels : int
    sample_rate_hz : float
        Of this file.
    microvolt_per_bit : numpy.ndarray of float, shape (n_saved_channels,)
        uV; NaN for sync channels, which hold bits and no voltage.
    state : str
        One of `WHOLE`, `ACQUIRING`, `INCOMPLETE`; what of a shortened file is there can be read all the same.
    """

    path: Path
    samples: BinSamples
    n_ap_channels: int
    n_lf_channels: int
    sample_rate_hz: float
    microvolt_per_bit: NDArray[np.float64]
    state: str


def open_bin(bin_path: Path, meta_path: Path) -> BinFile:
    """Open a probe's ``.bin`` beside its ``.meta``; nothing of it is read yet.

    Raises
    ------
    UnreadableFile
        If either file cannot be read, or a key is missing or no number.
    PiecesDoNotFit
        If the size of the ``.bin`` is no whole number of samples of all saved channels, it is longer than its
        ``.meta`` says, or the ``.meta``'s own counts disagree.
    NoFormatRecognizes
        If the probe's model is not known.
    """
    meta = read_meta(meta_path)
    counts = channel_counts(meta)
    scale = microvolt_per_bit(meta, model_in(meta))
    rate = meta.rate_hz("imSampRate")
    samples = open_samples(bin_path, len(scale))
    return BinFile(bin_path, samples, counts.ap, counts.lf, rate, scale, bin_state(meta, bin_path, samples.nbytes))


def bin_state(meta: Meta, bin_path: Path, size: int | None) -> str:
    """Tell a ``.bin``'s state by the keys that SpikeGLX writes last and its size.

    Parameters
    ----------
    meta : Meta
        Of that file.
    bin_path : pathlib.Path
        For the error's sentence.
    size : int or None
        Bytes that are there; None where the file is not.

    Returns
    -------
    str
        `ABSENT`, `ACQUIRING` (the ``.meta`` lacks its last keys), `INCOMPLETE` (shorter than ``fileSizeBytes``) or
        `WHOLE`.

    Raises
    ------
    PiecesDoNotFit
        If it is longer than its ``.meta`` says.
    UnreadableFile
        If ``fileSizeBytes`` is no number.
    """
    if size is None:
        return ABSENT
    if not all(meta.text(key) for key in _END_KEYS):
        return ACQUIRING
    claimed = meta.whole("fileSizeBytes")
    if size > claimed:
        raise PiecesDoNotFit(
            bin_path,
            f"it holds {size} bytes, and {meta.path.name} names {claimed}",
            expected="a .bin and a .meta of one recording",
            todo="Copy both from the acquisition computer again.",
        )
    return WHOLE if size == claimed else INCOMPLETE
