"""One probe's recording out of its SpikeGLX ``.meta`` file: rate, scale, contacts. Which files make a session's probes is decided in `recordings`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.probe_models import NEUROPIXELS_3A, ProbeModel, model_of
from map_assets.ephys.spikeglx_meta import Meta
from map_assets.vocabulary.errors import NoFormatRecognizes, PiecesDoNotFit

_TODO = "Copy the .meta file from the acquisition computer again."
_MICROVOLT_PER_VOLT = 1e6
_BARE_3A_IMRO_HEADER = 3


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
    sample_rate_text : str
        ``imSampRate`` digit by digit.
    microvolt_per_bit : float
        Of the first saved AP channel, uV.
    duration_s : float or None
        ``fileTimeSecs``; a shortened or growing file has another length.
    recorded_local : str or None
        ``fileCreateTime_original`` (CatGT keeps the acquisition's there), else ``fileCreateTime``; wall clock.
    bin_size, bin_sha1 : int or None, str or None
        Of the ``.bin`` file, as the meta file claims; a SHA1 of "0" is none.
    """

    serial_number: str | None
    part_number: str | None
    model: ProbeModel
    n_saved_channels: int
    sample_rate_hz: float
    sample_rate_text: str
    microvolt_per_bit: float
    duration_s: float | None
    recorded_local: str | None
    bin_size: int | None
    bin_sha1: str | None
    sites: Sites


def is_probe_recording(meta: Meta) -> bool:
    """Whether the file describes a probe's AP band; an LFP band, NI-DAQ or OneBox stream is none."""
    if (meta.text("typeThis") or "imec") != "imec":
        return False
    return _n_ap_channels(meta) > 0


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
    model = _model(meta)
    rate = meta.number("imSampRate")
    if rate <= 0:
        raise meta.odd(f"imSampRate is {rate}", "a positive rate")
    created = meta.text("fileCreateTime_original", "fileCreateTime")
    sha1 = meta.text("fileSHA1")
    return Recording(
        serial_number=meta.text("imProbeSN", "imDatPrb_sn"),
        part_number=meta.text("imDatPrb_pn"),
        model=model,
        n_saved_channels=meta.whole("nSavedChans"),
        sample_rate_hz=rate,
        sample_rate_text=meta.need("imSampRate"),
        microvolt_per_bit=_microvolt_per_bit(meta, model),
        duration_s=meta.number("fileTimeSecs") if meta.text("fileTimeSecs") else None,
        recorded_local=created if created and _is_moment(created) else None,
        bin_size=meta.whole("fileSizeBytes") if meta.text("fileSizeBytes") else None,
        bin_sha1=None if sha1 in {None, "0"} else sha1,
        sites=_sites(meta, model),
    )


def _n_ap_channels(meta: Meta) -> int:
    counts = meta.need("snsApLfSy").split(",")
    if not counts[0].strip().isdigit():
        raise meta.odd(f"snsApLfSy is {meta.text('snsApLfSy')!r}", "three counts: AP, LF, sync")
    return int(counts[0])


def _model(meta: Meta) -> ProbeModel:
    part, code = meta.text("imDatPrb_pn"), meta.text("imDatPrb_type")
    if part is None and code is None and meta.text("typeEnabled", "imProbeOpt"):
        return NEUROPIXELS_3A
    model = model_of(part, meta.whole("imDatPrb_type") if code else 0)
    if model is None:
        raise NoFormatRecognizes(
            meta.path,
            f"probe {part or 'without part number'}, type {code or 'not given'}, is of no known model",
            expected="a Neuropixels probe whose layout is listed in probe_models",
            todo="Add the model's layout there.",
        )
    return model


def _microvolt_per_bit(meta: Meta, model: ProbeModel) -> float:
    max_int = meta.number("imMaxInt") if meta.text("imMaxInt") else float(model.max_int)
    gain = _ap_gain(meta, model)
    if max_int <= 0 or gain <= 0:
        raise meta.odd(f"imMaxInt is {max_int} and the gain {gain}", "positive numbers")
    return meta.number("imAiRangeMax") / max_int / gain * _MICROVOLT_PER_VOLT


def _ap_gain(meta: Meta, model: ProbeModel) -> float:
    """Gain of the first saved AP channel: its own in the imro table, else the header's, else channel 0's, else the model's."""
    if model.fixed_gain is not None:
        return meta.number("imChan0apGain") if meta.text("imChan0apGain") else model.fixed_gain
    first = re.match(r"\d+", meta.text("snsSaveChanSubset") or "")
    channel = int(first.group()) if first else 0
    header, *entries = [re.split(r"[\s,]+", group.strip()) for group in meta.table("imroTbl")] or [[]]
    own = next((entry for entry in entries if entry[0] == str(channel) and len(entry) >= 5), None)
    if own is not None:
        return _positive(meta, own[3])
    if len(header) > _BARE_3A_IMRO_HEADER:
        return _positive(meta, header[3])
    return meta.number("imChan0apGain")


def _positive(meta: Meta, digits: str) -> float:
    if not digits.isdigit() or int(digits) == 0:
        raise meta.odd(f"~imroTbl has a gain of {digits!r}", "a positive number")
    return float(digits)


def _sites(meta: Meta, model: ProbeModel) -> Sites:
    n_channels = _n_ap_channels(meta)
    if meta.table("snsGeomMap"):
        shank, row, column, used = _from_geometry(meta, model)
    elif meta.table("snsShankMap"):
        entries = _numbers(meta, "snsShankMap", n_channels)
        shank, column, row, used = entries.astype(np.int64).T
    else:
        raise meta.odd("it has neither ~snsGeomMap nor ~snsShankMap", "the contacts of the saved channels")
    outside = (shank >= model.n_shanks) | (row >= model.n_rows) | (column >= model.n_columns) | (row < 0) | (column < 0)
    electrode = model.electrode(shank, row, column)
    if outside.any() or len(np.unique(electrode)) != len(electrode):
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
    entries = _numbers(meta, "snsGeomMap", _n_ap_channels(meta))
    shank, x_um, z_um, used = entries.T
    row = np.rint(z_um / model.row_um)
    column = np.rint((x_um - model.left_um(row)) / model.column_um)
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
    if numbers.shape != (n_channels, 4) or not np.isfinite(numbers).all():
        raise meta.odd(f"~{key} holds groups of another size", "four finite numbers a contact")
    return numbers


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
