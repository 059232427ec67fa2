"""One probe's recording out of its SpikeGLX ``.meta`` file: rate, scale, contacts. Which files make a session's probes is decided in `recordings`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.probe_models import ProbeModel, model_in
from map_assets.ephys.spikeglx_bin import BinFile as BinFile
from map_assets.ephys.spikeglx_bin import open_bin as open_bin
from map_assets.ephys.spikeglx_gains import Counts, channel_counts, gains, lf_gain, max_int, microvolt_per_bit_at
from map_assets.ephys.spikeglx_meta import Meta
from map_assets.vocabulary.errors import PiecesDoNotFit

_FURTHEST = 1e6
"""No contact has a number or stands (um) beyond it."""
_TODO = "Copy the .meta file from the acquisition computer again."


@dataclass(frozen=True)
class Sites:
    """Recorded contacts in the order of the saved AP channels; arrays of shape (n,), um."""

    electrode: NDArray[np.int64]
    shank: NDArray[np.int64]
    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    is_used: NDArray[np.bool_]


@dataclass(frozen=True)
class Recording:
    """What a probe's AP meta file tells; None where it does not.

    Parameters
    ----------
    saved : Counts
        Saved channels of each kind.
    sample_rate_text : str
        ``imSampRate`` digit by digit.
    max_int : float
        The count that stands for the range's end.
    ap_gain, lf_gain : float, float or None
        Of the first saved AP channel; None where the probe has no LF band.
    microvolt_per_bit, microvolt_per_bit_lf : float, float or None
        At these gains, uV.
    duration_s : float or None
        ``fileTimeSecs``; a shortened or growing file has another length.
    recorded_local : str or None
        ``fileCreateTime_original`` (CatGT keeps the acquisition's there), else ``fileCreateTime``; wall clock.
    created_local : str or None
        ``fileCreateTime`` of this very file.
    first_sample : int or None
        Number of the file's first sample since the acquisition was started.
    bin_size, bin_sha1 : int or None, str or None
        Of the ``.bin`` file, as the meta file claims; a SHA1 of "0" is none.
    """

    serial_number: str | None
    part_number: str | None
    model: ProbeModel
    n_saved_channels: int
    saved: Counts
    sample_rate_hz: float
    sample_rate_text: str
    max_int: float
    ap_gain: float
    lf_gain: float | None
    microvolt_per_bit: float
    microvolt_per_bit_lf: float | None
    duration_s: float | None
    recorded_local: str | None
    created_local: str | None
    first_sample: int | None
    bin_size: int | None
    bin_sha1: str | None
    sites: Sites


def is_probe_recording(meta: Meta) -> bool:
    """Whether the file describes a probe's AP band; an LFP band, NI-DAQ or OneBox stream is none."""
    if (meta.text("typeThis") or "imec") != "imec":
        return False
    return channel_counts(meta).ap > 0


def read_recording(meta: Meta) -> Recording:
    """Take a probe's recording out of its AP meta file.

    Raises
    ------
    NoFormatRecognizes
        If the probe's model is not known.
    UnreadableFile
        If a key that must be there is missing or no number.
    PiecesDoNotFit
        If the contacts are not as many as the saved channels, or not where the model has contacts.
    """
    model = model_in(meta)
    rate = meta.rate_hz("imSampRate")
    ap, lf = float(gains(meta, model).ap[0]), lf_gain(meta, model)
    sha1 = meta.text("fileSHA1")
    return Recording(
        serial_number=meta.text("imProbeSN", "imDatPrb_sn"),
        part_number=meta.text("imDatPrb_pn"),
        model=model,
        n_saved_channels=meta.whole("nSavedChans"),
        saved=channel_counts(meta),
        sample_rate_hz=rate,
        sample_rate_text=meta.need("imSampRate"),
        max_int=max_int(meta, model),
        ap_gain=ap,
        lf_gain=lf,
        microvolt_per_bit=microvolt_per_bit_at(meta, model, ap),
        microvolt_per_bit_lf=None if lf is None else microvolt_per_bit_at(meta, model, lf),
        duration_s=meta.number("fileTimeSecs") if meta.text("fileTimeSecs") else None,
        recorded_local=_moment(meta.text("fileCreateTime_original", "fileCreateTime")),
        created_local=_moment(meta.text("fileCreateTime")),
        first_sample=meta.whole("firstSample", "imFirstSample") if meta.text("firstSample", "imFirstSample") else None,
        bin_size=meta.whole("fileSizeBytes") if meta.text("fileSizeBytes") else None,
        bin_sha1=None if sha1 in {None, "0"} else sha1,
        sites=_sites(meta, model),
    )


def _sites(meta: Meta, model: ProbeModel) -> Sites:
    n_channels = channel_counts(meta).ap
    if meta.table("snsGeomMap"):
        shank, row, column, used = _from_geometry(meta, model)
    elif meta.table("snsShankMap"):
        entries = _numbers(meta, "snsShankMap", n_channels)
        shank, column, row, used = entries.astype(np.int64).T
    else:
        raise meta.odd("it has neither ~snsGeomMap nor ~snsShankMap", "the contacts of the saved channels")
    edges = ((shank, model.n_shanks), (row, model.n_rows), (column, model.n_columns))
    outside = np.any([(part < 0) | (part >= many) for part, many in edges])
    electrode = model.electrode(shank, row, column)
    if outside or len(np.unique(electrode)) != len(electrode):
        raise PiecesDoNotFit(
            meta.path,
            "its contacts stand where the probe has none, or one stands twice",
            expected=f"contacts of a {model.name}",
            todo=_TODO,
        )
    position = model.position_um(shank, row, column)
    return Sites(electrode, shank, position[:, 0], position[:, 1], used != 0)


def _from_geometry(meta: Meta, model: ProbeModel) -> tuple[NDArray[np.int64], ...]:
    """Turn ``(shank:x:z:used)`` (x from the shank's left edge, z from the tip-most row, um) into shank, row, column, used."""
    entries = _numbers(meta, "snsGeomMap", channel_counts(meta).ap)
    shank, x_um, z_um, used = entries.T
    row = np.rint(z_um / model.row_um)
    column = np.rint((x_um - model.left_um(row)) / (model.column_um or np.inf))
    if np.any(np.abs(z_um - row * model.row_um) > model.row_um / 4):
        raise PiecesDoNotFit(
            meta.path, "its contacts stand between the rows", expected=f"rows of a {model.name}", todo=_TODO
        )
    return tuple(part.astype(np.int64) for part in (shank, row, column, used))


def _numbers(meta: Meta, key: str, n_channels: int) -> NDArray[np.float64]:
    groups = meta.table(key)[1:]
    if len(groups) != n_channels:
        raise PiecesDoNotFit(
            meta.path,
            f"~{key} lists {len(groups)} contacts for {n_channels} saved AP channels",
            expected="one contact for each",
            todo=_TODO,
        )
    try:
        numbers = np.array([[float(part) for part in group.split(":")] for group in groups], np.float64)
    except ValueError as error:
        raise meta.odd(f"~{key} holds something else than numbers", "(shank:...:used) groups") from error
    if numbers.shape != (n_channels, 4) or not (np.abs(numbers) < _FURTHEST).all():
        raise meta.odd(f"~{key} holds groups of another size", "four finite numbers a contact")
    return numbers


def _moment(text: str | None) -> str | None:
    """Return a moment as it is written; None where the text is none."""
    try:
        return text if text and datetime.fromisoformat(text) else None
    except ValueError:
        return None
