"""Power of the field potential by contact and frequency band. Which binary holds it is decided in `raw`; single units live in `waveforms`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ephys.raw import AP, LF, RawFiles, RawPair, acquired_channels, holds_slow_part, open_whole, pair_files
from map_assets.ephys.sorting_past import Past
from map_assets.ephys.spikeglx_bin import BinFile
from map_assets.ephys.spikeglx_gains import channel_counts
from map_assets.ephys.spikeglx_meta import read_meta
from map_assets.ephys.tables.raw import LFP_POWER
from map_assets.vocabulary.errors import BadInput, CompanionMissing, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected, unchanged

BANDS: tuple[tuple[str, float, float], ...] = (
    ("delta", 1.0, 4.0),
    ("theta", 4.0, 12.0),
    ("beta", 12.0, 30.0),
    ("gamma", 30.0, 80.0),
)
"""Name, lower limit (in the band) and upper limit (no more in it), Hz; a rodent's theta reaches over the human alpha."""
MOST_STRETCHES = 60
STRETCH_S = 2.0
"""What is read of a recording: stretches of this length, spread evenly from its beginning to its end."""
LEAST_RATE_HZ = 1000.0
"""Rates are brought down by a whole factor as long as they stay at least this high."""
_TAPS_PER_FACTOR = 6
_KAISER_BETA = 6.0


@dataclass(frozen=True)
class BandPower:
    """Power in uV^2, shape (n_bands, n_channels), and how many stretches of which length, s, it is the mean of."""

    power_uv2: NDArray[np.float64]
    n_stretches: int
    stretch_s: float


def make_lfp_power(
    session: str,
    files: Sequence[FoundFile],
    recordings: pa.Table,
    probe_sites: pa.Table,
    *,
    past: Past = lambda _name: iter(()),
) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Measure the power of the field potential at every contact of every probe.

    It is read from the probe's ``.lf.bin`` (CatGT's before the acquisition's, the first by name of several) or, where
    the probe's AP band holds all frequencies, from its ``.ap.bin`` (`raw.holds_slow_part`); see `band_power`.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        Those with the roles ``spikeglx_bin`` and ``spikeglx_meta`` count.
    recordings, probe_sites : pyarrow.Table
    past : callable
        Gives what stands under `lfp_power`, then what stood there before, the youngest first.

    Returns
    -------
    table : pyarrow.Table
        `lfp_power`. Of a probe whose file cannot be read now (it is archived, or on its way) what was measured before at
        its contacts is kept. One of which nothing was, or whose file is shorter than one stretch, has no rows.
    rejected : tuple of Rejected
        Binaries that wait for their meta file or for the rest of themselves, and files that cannot be used.
    """
    raw, lonely = pair_files(session, files, LF)
    rejected = list(lonely)
    tables = []
    for recording in recordings.to_pylist():
        sites = probe_sites.filter(pc.equal(probe_sites["probe"], recording["probe"]))
        pair = _source(raw, recording, rejected)
        if pair is not None:
            try:
                tables += _probe_tables(session, raw, recording, pair, sites)
                continue
            except BadInput as error:
                rejected.append(Rejected((pair.bin,), error))
        tables += _standing(past, recording["probe"], sites)
    return (pa.concat_tables(tables) if tables else LFP_POWER.empty()), tuple(rejected)


def band_power(recording: BinFile, channels: NDArray[np.int64]) -> BandPower | None:
    """Measure the power in each of `BANDS`; memory holds one stretch at a time.

    Each stretch is low-passed and decimated to about `LEAST_RATE_HZ` (a windowed-sinc filter, Kaiser's window, below
    -60 dB for all that would fold into the bands), a periodogram is taken of it (Hann's window, its mean removed), and
    the periodograms are averaged: Welch's method on stretches that do not touch. Power is the integral over the band.

    Parameters
    ----------
    recording : BinFile
    channels : numpy.ndarray of int, shape (n,)
        Columns of the file.

    Returns
    -------
    BandPower or None
        None where the file is shorter than one stretch.
    """
    from scipy.signal import welch

    factor = max(1, int(recording.sample_rate_hz // LEAST_RATE_HZ))
    rate_hz = recording.sample_rate_hz / factor
    n_samples = round(STRETCH_S * rate_hz)
    scale = recording.microvolt_per_bit[channels]
    spectra = [
        welch(stretch, rate_hz, "hann", n_samples, axis=0)[1].astype(np.float64)
        for stretch in _stretches(recording, channels, factor, n_samples)
    ]
    if not spectra:
        return None
    frequency = np.fft.rfftfreq(n_samples, 1 / rate_hz)
    density = np.mean(spectra, axis=0) * scale**2
    bands = [(frequency >= low) & (frequency < high) for _, low, high in BANDS]
    power = np.stack([density[inside].sum(axis=0) * frequency[1] for inside in bands])
    return BandPower(power, len(spectra), n_samples / rate_hz)


def _stretches(
    recording: BinFile, channels: NDArray[np.int64], factor: int, n_samples: int
) -> Iterator[NDArray[np.float32]]:
    """Read stretches of `n_samples` decimated samples each, in bits, shape (n_samples, n_channels)."""
    taps = _low_pass(factor)
    n_blocks = n_samples + len(taps) - 1
    length = n_blocks * factor
    n_stretches = min(MOST_STRETCHES, len(recording.samples) // length)
    span = len(recording.samples) - length
    for number in range(n_stretches):
        start = round(span * (number + 0.5) / n_stretches)
        found = recording.samples[start : start + length].astype(np.float32)
        # each block of `factor` samples is weighed once for every output that it is a part of
        shares = taps @ found.reshape(n_blocks, factor, -1)
        total = shares[:n_samples, 0].copy()
        for part in range(1, len(taps)):
            total += shares[part : part + n_samples, part]
        yield total[:, channels]


def _low_pass(factor: int) -> NDArray[np.float32]:
    """Weights of the filter, shape (blocks, factor); one that lets all pass where there is nothing to decimate."""
    from scipy.signal import firwin

    if factor == 1:
        return np.ones((1, 1), np.float32)
    taps = firwin(_TAPS_PER_FACTOR * factor, 1 / factor, window=("kaiser", _KAISER_BETA))
    return np.asarray(taps, np.float32).reshape(_TAPS_PER_FACTOR, factor)


def _standing(past: Past, probe: int, sites: pa.Table) -> list[pa.Table]:
    """Return what the youngest table with rows of the probe has; nothing where these are of other contacts."""
    for table in past(LFP_POWER.name):
        kept = table.filter(pc.equal(table["probe"], probe))
        if kept.num_rows:
            is_there = pc.all(pc.is_in(kept["electrode"], sites["electrode"].combine_chunks())).as_py()
            return [LFP_POWER.check(kept)] if is_there else []
    return []


def _source(raw: RawFiles, recording: dict[str, Any], rejected: list[Rejected]) -> RawPair | None:
    """Choose the file that holds a probe's field potential: its LF band, else the first AP band that holds all of it."""
    probe = recording["probe"]
    if slow := raw.of_probe(probe, LF):
        return slow[0]
    recorded = raw.recorded(recording)
    for pair in sorted(raw.of_probe(probe, AP), key=lambda pair: pair != recorded):
        try:
            if holds_slow_part(read_meta(pair.meta.path)):
                return pair
        except BadInput as error:
            rejected.append(Rejected((pair.bin,), error))
    return None


def _probe_tables(
    session: str, raw: RawFiles, recording: dict[str, Any], pair: RawPair, sites: pa.Table
) -> list[pa.Table]:
    columns = _columns(raw, recording, pair, sites)
    counts = (columns >= 0) & sites["is_used"].to_numpy()
    with unchanged(pair.bin.path):
        found = band_power(open_whole(pair), columns[counts])
    if found is None:
        return []
    power = np.full((len(BANDS), len(columns)), np.nan)
    power[:, counts] = found.power_uv2
    n_rows, n_bands = power.size, len(BANDS)
    names, low, high = zip(*BANDS, strict=True)
    table = LFP_POWER.from_columns(
        {
            "session": pa.repeat(session, n_rows),
            "probe": np.full(n_rows, recording["probe"]),
            **{name: np.repeat(sites[name].to_numpy(), n_bands) for name in ("electrode", "shank", "y_um")},
            "band": names * len(columns),
            "low_hz": low * len(columns),
            "high_hz": high * len(columns),
            "power_uv2": power.T.ravel(),
            "source": pa.repeat("lf.bin" if pair.bin.relpath.name.lower().endswith(LF) else "ap.bin", n_rows),
            "n_stretches": np.full(n_rows, found.n_stretches),
            "stretch_s": np.full(n_rows, found.stretch_s),
            "file": pa.repeat(pair.bin.relpath.as_posix(), n_rows),
        }
    )
    return [table]


def _columns(raw: RawFiles, recording: dict[str, Any], pair: RawPair, sites: pa.Table) -> NDArray[np.int64]:
    """Column of each contact in the file, -1 where it is not there; AP and LF file may hold other channels."""
    recorded = raw.meta_of(recording)
    if recorded is None:
        raise CompanionMissing(
            pair.bin.path,
            "the meta file of the probe's AP band, which tells its contacts, is not there",
            expected=recording["meta_file"],
            todo="Copy that file there; this one is then read.",
        )
    is_lf = pair.bin.relpath.name.lower().endswith(LF)
    meta = read_meta(pair.meta.path)
    saved = channel_counts(meta)
    first, stop = (saved.ap, saved.ap + saved.lf) if is_lf else (0, saved.ap)
    own = acquired_channels(meta)[first:stop]
    known, channel = acquired_channels(read_meta(recorded.path)), sites["channel"].to_numpy()
    wanted = known[channel[channel < len(known)]]
    column = np.full(max(own.max(initial=-1), wanted.max(initial=-1)) + 1, -1)
    column[own] = np.arange(first, first + len(own))
    if len(wanted) < len(channel) or (column[wanted] < 0).all():
        raise PiecesDoNotFit(
            pair.bin.path,
            "it holds none of the contacts that the probe's AP band has",
            expected=f"channels of {recorded.relpath.name}",
            todo="Copy the files of one recording together.",
        )
    return np.asarray(column[wanted], np.int64)
