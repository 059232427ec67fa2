"""The made-up signal of a recording: spikes of known form, noise, and a field potential of known power. The files' frame lives in `spikeglx`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.kilosort import N_WAVEFORM_SAMPLES, TROUGH_AT, channel_shares, unit_waves
from map_assets.simulate.neurons import Neurons, Trains
from map_assets.simulate.probes import MODELS
from map_assets.simulate.writing import write_bytes, write_text

THETA_HZ = 8.0
THETA_UV = 200.0
"""Frequency of the field potential, and its amplitude where it is largest."""
NOISE_UV = 12.0
"""Standard deviation of the white noise on every channel of both bands."""
LF_GAIN = 250
LF_FACTOR = 12
"""AP samples to one of the LF band."""
N_CHANNELS = 384
_CHUNK = 30_000


def theta_amplitude_uv(y_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the field potential's amplitude by depth: a bump in the middle of the recorded contacts, uV."""
    middle, width = (y_um.min() + y_um.max()) / 2, np.ptp(y_um) / 5 + 1.0
    return np.asarray(THETA_UV * np.exp(-(((y_um - middle) / width) ** 2)))


def make_ap(plan: SessionPlan, number: int, neurons: Neurons, trains: Trains, clock: ProbeClock) -> NDArray[np.int16]:
    """Make the first ``plan.raw_s`` seconds of a probe's AP band, bits, shape (n_samples, 385); the last is sync.

    Every spike has its unit's form, the trough on the spike's sample. Probes without an LF band have the field potential
    in this one.
    """
    model = MODELS[plan.probes[number - 1].model]
    rng = generator(plan.seed, plan.key, number, "raw signal")
    n_samples = min(round(plan.raw_s * clock.sample_rate_hz), clock.n_samples)
    unit = np.repeat(np.arange(len(neurons.label)), trains.n_spikes)
    forms = unit_waves(neurons) * neurons.amplitude_uv[:, None].astype(np.float32)
    shares = channel_shares(neurons, N_CHANNELS)
    raw = np.zeros((n_samples, N_CHANNELS + 1), "<i2")
    for start in range(0, n_samples, _CHUNK):
        chunk = raw[start : start + _CHUNK, :N_CHANNELS]
        uv = rng.standard_normal(chunk.shape, np.float32) * np.float32(NOISE_UV)
        first = trains.samples - TROUGH_AT - start
        near = np.flatnonzero((first > -N_WAVEFORM_SAMPLES) & (first < len(chunk)))
        _add_spikes(uv, first[near], forms[unit[near]], shares[unit[near]])
        if not model.lf_channels:
            uv += _theta(plan, number, start + np.arange(len(chunk)), clock.sample_rate_hz)
        chunk[:] = _bits(uv, model.microvolt_per_bit, model.max_int)
    return raw


def write_lf(plan: SessionPlan, number: int, clock: ProbeClock, ap_meta: Path) -> list[Path]:
    """Write the LF band beside a probe's AP band, as long as that; nothing for a probe without one."""
    model = MODELS[plan.probes[number - 1].model]
    if not model.lf_channels:
        return []
    rng = generator(plan.seed, plan.key, number, "raw field potential")
    n_samples = min(round(plan.raw_s * clock.sample_rate_hz), clock.n_samples) // LF_FACTOR
    rate_hz = clock.sample_rate_hz / LF_FACTOR
    uv = rng.standard_normal((n_samples, N_CHANNELS), np.float32) * np.float32(NOISE_UV)
    uv += _theta(plan, number, np.arange(n_samples), rate_hz)
    raw = np.zeros((n_samples, N_CHANNELS + 1), "<i2")
    raw[:, :N_CHANNELS] = _bits(uv, model.ai_range_v / model.max_int / LF_GAIN * 1e6, model.max_int)
    content = raw.tobytes()
    stem = ap_meta.name.removesuffix(".ap.meta")
    changes = {
        "fileName": f"D:/{plan.animal}/{stem}.lf.bin",
        "fileSHA1": hashlib.sha1(content, usedforsecurity=False).hexdigest().upper(),
        "fileSizeBytes": str(len(content)),
        "imSampRate": f"{rate_hz:.12f}",
        "snsApLfSy": f"0,{N_CHANNELS},1",
        "snsSaveChanSubset": f"{N_CHANNELS}:{2 * N_CHANNELS}",
        "~snsChanMap": f"({N_CHANNELS},{N_CHANNELS},1)"
        + "".join(f"(LF{c};{N_CHANNELS + c}:{N_CHANNELS + c})" for c in range(N_CHANNELS))
        + f"(SY0;{2 * N_CHANNELS}:{2 * N_CHANNELS})",
    }
    pairs = [line.partition("=")[::2] for line in ap_meta.read_text().splitlines()]
    kept = [(key, changes.get(key, value)) for key, value in pairs if key not in {"~snsGeomMap", "~snsShankMap"}]
    text = "".join(f"{key}={value}\n" for key, value in kept)
    return [
        write_bytes(ap_meta.with_name(f"{stem}.lf.bin"), content),
        write_text(ap_meta.with_name(f"{stem}.lf.meta"), text),
    ]


def _add_spikes(
    uv: NDArray[np.float32], first: NDArray[np.int64], forms: NDArray[np.float32], shares: NDArray[np.float64]
) -> None:
    """Add spikes to a stretch, in place; what stands out of it at either end is cut."""
    spike, channel = np.nonzero(shares)
    rows = first[spike, None] + np.arange(N_WAVEFORM_SAMPLES)
    values = forms[spike] * shares[spike, channel, None].astype(np.float32)
    inside = (rows >= 0) & (rows < len(uv))
    columns = np.broadcast_to(channel[:, None], rows.shape)
    np.add.at(uv, (rows[inside], columns[inside]), values[inside])


def _theta(plan: SessionPlan, number: int, samples: NDArray[np.int64], rate_hz: float) -> NDArray[np.float32]:
    """Field potential at some samples of every channel, uV, shape (n, 384)."""
    amplitude = theta_amplitude_uv(MODELS[plan.probes[number - 1].model].sites().y_um)
    wave = np.sin(2 * np.pi * THETA_HZ * samples / rate_hz)
    return np.asarray(wave[:, None] * amplitude, np.float32)


def _bits(uv: NDArray[np.float32], microvolt_per_bit: float, max_int: int) -> NDArray[np.float32]:
    return np.clip(np.round(uv / np.float32(microvolt_per_bit)), -max_int, max_int - 1)
