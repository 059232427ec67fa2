"""The made-up neurons: where they sit, how they prefer a side, and when they fire. What a sorter writes of them lives in `kilosort`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.atlas import OUTSIDE, REGIONS, Volume
from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.probes import MODELS
from map_assets.simulate.tracks import Track
from map_assets.simulate.trial import STIM_DURATION_S, Trial

EPOCHS = ("baseline", "sample", "delay", "response")
SIDES = ("none", "left", "right")
RESPONSE_S = 1.2
"""Length of the epoch after the go cue in which units may prefer a side, s."""
REFRACTORY_S = {"good": 2.5e-3, "mua": 1.0e-4, "noise": 1.0e-4}
"""Shortest interval between a unit's spikes by its label, s."""
_SPIKES_AT_ONCE = 4_000_000
_SAMPLE_BITS = 40


@dataclass(frozen=True)
class Neurons:
    """The units that a sorter finds on one probe; arrays of n units.

    Parameters
    ----------
    label : numpy.ndarray of str
        good, mua or noise.
    channel : numpy.ndarray of int
        Saved AP channel with the largest waveform.
    region_id : numpy.ndarray of int
        Of that channel's contact; 0 outside the brain.
    amplitude_uv, snr, half_width_ms : numpy.ndarray of float
        Peak-to-peak height, signal to noise, and breadth of the mean waveform.
    preferred : numpy.ndarray of str
        left, right or none: the instructed or licked side with more spikes.
    rate_hz : numpy.ndarray of float, shape (n, 4, 3)
        Rates by epoch (`EPOCHS`) and side of the trial (`SIDES`), before refractory losses.
    photostim_factor : numpy.ndarray of float
        On the rate while the light is on over the unit's hemisphere.
    """

    label: NDArray[np.str_]
    channel: NDArray[np.int64]
    region_id: NDArray[np.int64]
    amplitude_uv: NDArray[np.float64]
    snr: NDArray[np.float64]
    half_width_ms: NDArray[np.float64]
    preferred: NDArray[np.str_]
    rate_hz: NDArray[np.float64]
    photostim_factor: NDArray[np.float64]


@dataclass(frozen=True)
class Trains:
    """Spikes of n units, unit by unit.

    Parameters
    ----------
    samples : numpy.ndarray of int, shape (n_spikes,)
        On the probe's clock; strictly rising in each unit.
    first : numpy.ndarray of int, shape (n + 1,)
        ``samples[first[i]:first[i + 1]]`` is unit i's train.
    """

    samples: NDArray[np.int64]
    first: NDArray[np.int64]

    @property
    def n_spikes(self) -> NDArray[np.int64]:
        """Spikes of each unit."""
        return np.asarray(np.diff(self.first), np.int64)


def sorted_channels(plan: SessionPlan, number: int) -> NDArray[np.int64]:
    """Name the saved channels that the sorter keeps: evenly spread over those that are no reference."""
    probe = plan.probes[number - 1]
    used = np.flatnonzero(MODELS[probe.model].sites().is_used)
    keep = np.linspace(0, len(used) - 1, min(probe.n_sorted_channels, len(used))).round().astype(int)
    return np.asarray(used[keep], np.int64)


def make_neurons(plan: SessionPlan, number: int, track: Track, volume: Volume) -> Neurons:
    """Draw a probe's units: only where there is brain, with the region's rates and preferences."""
    probe = plan.probes[number - 1]
    rng = generator(plan.seed, plan.key, number, "neurons")
    n = probe.n_units
    region_of = volume.region_ids(track.of(MODELS[probe.model].sites()))
    channels = sorted_channels(plan, number)
    in_brain = channels[region_of[channels] > 0]
    channel = rng.choice(in_brain if len(in_brain) else channels, n)
    regions = [REGIONS.get(int(region_id), OUTSIDE) for region_id in region_of[channel]]
    median_hz = np.array([region.rate_hz for region in regions]) * probe.rate_scale
    baseline = np.clip(median_hz * rng.lognormal(0.0, 0.7, n), 0.2, 60.0)
    in_alm = np.array([region.part == "ALM" for region in regions])
    is_selective = rng.random(n) < np.where(in_alm, 0.6, 0.35)
    preferred = np.where(is_selective, rng.choice(["left", "right"], n), "none")
    label = rng.choice(["good", "mua", "noise"], n, p=[0.6, 0.36, 0.04])
    if not probe.is_curated:
        label[label == "noise"] = "mua"  # only a person says noise
    return Neurons(
        label=label,
        channel=channel,
        region_id=region_of[channel],
        amplitude_uv=rng.lognormal(np.log(130.0), 0.4, n) + 40.0,
        snr=rng.uniform(1.5, 9.0, n),
        half_width_ms=np.where(rng.random(n) < 0.25, 0.15, 0.3) * rng.uniform(0.8, 1.2, n),
        preferred=preferred,
        rate_hz=_rates(rng, baseline, preferred),
        photostim_factor=np.where(in_alm, rng.uniform(0.1, 0.5, n), rng.uniform(0.7, 1.1, n)),
    )


def _rates(rng: np.random.Generator, baseline: NDArray[np.float64], preferred: NDArray[np.str_]) -> NDArray[np.float64]:
    """Give rates by epoch and side: each unit is moved by the task, and its preferred side more so in some epochs."""
    n = len(baseline)
    rates = np.repeat(np.repeat(baseline[:, None, None], len(EPOCHS), 1), len(SIDES), 2)
    rates[:, 1:, :] *= rng.lognormal(0.15, 0.35, (n, 3))[:, :, None]
    has_effect = rng.random((n, 3)) < np.array([0.4, 0.6, 0.8])
    has_effect[np.arange(n), rng.integers(3, size=n)] = True
    gain = np.where(has_effect, rng.uniform(1.6, 3.0, (n, 3)), 1.0)
    for column, side in enumerate(SIDES[1:], start=1):
        rates[:, 1:, column] *= np.where((preferred == side)[:, None], gain, 1.0)
    return np.clip(rates, 0.05, 120.0)


@dataclass(frozen=True)
class Segments:
    """Stretches of the session, on its clock, in which no unit's rate changes; arrays of n segments."""

    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    epoch: NDArray[np.int64]
    side: NDArray[np.int64]
    is_lit: NDArray[np.bool_]


def make_segments(trials: Sequence[Trial], span_s: tuple[float, float], hemisphere: str) -> Segments:
    """Cut the recorded span at the epochs of every trial; light counts where it falls on the hemisphere or on both."""
    lit_codes = {6, 4 if hemisphere == "left" else 5}
    cuts: list[tuple[float, int, int, bool]] = [(span_s[0], 0, 0, False)]
    for trial in trials:
        cuts += _cuts(trial, trial.stim_code in lit_codes)
    start, epoch, side, is_lit = (np.array(column) for column in zip(*cuts, strict=True))
    stop = np.r_[start[1:], span_s[1]]
    start, stop = np.clip(start, *span_s), np.clip(stop, *span_s)
    keep = stop > start
    return Segments(start[keep], stop[keep], epoch[keep], side[keep], is_lit[keep])


def _cuts(trial: Trial, is_lit: bool) -> list[tuple[float, int, int, bool]]:
    """Start, epoch, side and light of each stretch of a trial; early licks' lost epochs count as baseline."""
    cuts = [(trial.start_s, 0, 0, False)]
    sample, delay, go = (trial.last_s(state) for state in ("SamplePeriod", "DelayPeriod", "ResponseCue"))
    if sample is None or delay is None or go is None:
        return cuts
    first_go = trial.at_s(trial.of("ResponseCue")[0].entry)
    instructed = SIDES.index(trial.instruction)
    other = 3 - instructed
    chosen = {"hit": instructed, "miss": other, "ignore": 0}[trial.outcome]
    cuts += [(sample, 1, instructed, False), (delay, 2, chosen, is_lit)]
    if is_lit:
        cuts.append((delay + STIM_DURATION_S, 2, chosen, False))
    if first_go < go:
        cuts.append((first_go, 0, 0, False))
    return [*cuts, (go, 3, chosen, False), (go + RESPONSE_S, 0, 0, False)]


def make_trains(plan: SessionPlan, number: int, neurons: Neurons, segments: Segments, clock: ProbeClock) -> Trains:
    """Let every unit fire: a Poisson process in each segment, in whole samples, less what its refractory time forbids."""
    length_s = segments.stop_s - segments.start_s
    lit = np.where(segments.is_lit, neurons.photostim_factor[:, None], 1.0)
    expected = neurons.rate_hz[:, segments.epoch, segments.side] * lit * length_s
    rng = generator(plan.seed, plan.key, number, "spikes")
    counts = rng.poisson(expected)
    refractory = np.array([REFRACTORY_S[str(label)] for label in neurons.label]) * clock.sample_rate_hz
    group = np.cumsum(counts.sum(axis=1)) // _SPIKES_AT_ONCE
    trains = [
        _fire(rng, counts[group == one], segments.start_s, length_s, clock, refractory[group == one])
        for one in np.unique(group)
    ]
    n_spikes = np.concatenate([n for _, n in trains])
    return Trains(np.concatenate([samples for samples, _ in trains]), np.r_[0, np.cumsum(n_spikes)])


def _fire(
    rng: np.random.Generator,
    counts: NDArray[np.int64],
    start_s: NDArray[np.float64],
    length_s: NDArray[np.float64],
    clock: ProbeClock,
    refractory: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place spikes in their segments; return samples unit by unit, and how many each unit has."""
    n_units, n_segments = counts.shape
    segment = np.repeat(np.tile(np.arange(n_segments, dtype=np.int32), n_units), counts.ravel())
    session_s = start_s[segment] + rng.random(len(segment)) * length_s[segment]
    samples = np.clip(np.floor(clock.samples(session_s)), 0, clock.n_samples - 1).astype(np.int64)
    unit = np.repeat(np.arange(n_units), counts.sum(axis=1))
    key = np.sort((unit << _SAMPLE_BITS) | samples)
    unit, samples = key >> _SAMPLE_BITS, key & ((1 << _SAMPLE_BITS) - 1)
    keep = np.ones(len(key), bool)
    keep[1:] = (unit[1:] != unit[:-1]) | (np.diff(samples) >= np.maximum(refractory[unit[1:]], 1))
    return samples[keep], np.bincount(unit[keep], minlength=n_units)
