"""Writes the trials' codes as pulses on the NI-DAQ: its ``.bin``, CatGT's lists of edges and TPrime's. The decoded bitcode file is written in `bitcode`.

A trial's start, Bpod's time zero of it, is a pulse on XA0; its bits are pulses of 2 ms on XA1, the first 50 ms later and then one place every
7 ms; go cues are on XD1; a square wave of 1 Hz, which all streams of the run record, is on XD0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.bpod import start_local
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.defects import trials_with_a_code
from map_assets.simulate.spikeglx import probe_folder
from map_assets.simulate.trial import Trial
from map_assets.simulate.writing import write_bytes, write_text

RATE_HZ = 10_000.25
"""Of the NI-DAQ, Hz."""
FIRST_BIT_S, SPACING_S, WIDTH_S = 0.05, 0.007, 0.002
START_WIDTH_S, SYNC_PERIOD_S = 0.01, 1.0
HIGH = 16_384
"""Counts of a high analog line: 2.5 V of 5."""
_LATER_S, _DRIFT_PPM = 0.004, 31.0
"""From the first probe's first sample to the NI-DAQ's, s, and its drift against the session clock beside the probe's."""


def nidq_clock(first_probe: ProbeClock) -> ProbeClock:
    """Set the NI-DAQ's clock: started with the probes, running at its own pace."""
    start_s, stop_s = first_probe.session_span_s
    drift_ppm = first_probe.drift_ppm + _DRIFT_PPM
    n_samples = int((stop_s - start_s - _LATER_S) / (1 + drift_ppm * 1e-6) * RATE_HZ)
    return replace(
        first_probe, offset_s=start_s + _LATER_S, drift_ppm=drift_ppm, sample_rate_hz=RATE_HZ, n_samples=n_samples
    )


def write_pulse_codes(
    share: Path, plan: SessionPlan, trials: Sequence[Trial], clocks: Sequence[ProbeClock]
) -> list[Path]:
    """Write what the plan's `code_source` says of a session's codes; with a bitcode file, nothing.

    Parameters
    ----------
    share : pathlib.Path
    plan : SessionPlan
    trials : sequence of Trial
    clocks : sequence of ProbeClock
        Of the probes, in their order.
    """
    if plan.code_source == "bitcode file" or not clocks:
        return []
    numbers = trials_with_a_code(len(trials), plan.defects, plan.n_missing_trials)
    ni = nidq_clock(clocks[0])
    on, off = line_times_s([trials[number - 1] for number in numbers], ni)
    stem = probe_folder(share, plan, 1).path.parent / f"{plan.run_name}_tcat.nidq"
    files = []
    for number, clock in enumerate(clocks, 1):
        folder = probe_folder(share, plan, number)
        edges = _samples(on["XD0"], clock)
        files.append(_write_list(folder.path / f"{folder.stem}.ap.SY_384_6_500.txt", edges / clock.sample_rate_hz))
    if plan.code_source == "nidq":
        return [*files, *_write_bin(stem, plan, ni, on, off)]
    seconds = {line: _samples(times, ni) / ni.sample_rate_hz for line, times in on.items()}
    names = {"XA0": "XA_0_0", "XA1": "XA_1_2", "XD0": "XD_2_0_500", "XD1": "XD_2_1_0"}
    files += [_write_list(Path(f"{stem}.{name}.txt"), seconds[line]) for line, name in names.items()]
    if plan.code_source == "adjusted pulse lists":
        carried = {line: clocks[0].map.probe_s(ni.map.session_s(times)) for line, times in seconds.items()}
        files += [_write_list(Path(f"{stem}.{names[line]}.adj.txt"), carried[line]) for line in ("XA0", "XA1")]
    return files


def line_times_s(
    trials: Sequence[Trial], clock: ProbeClock
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Say when each line goes up and down, session clock, s."""
    start = np.array([trial.start_s for trial in trials])
    places = [np.flatnonzero(np.array(list(trial.bitcode)) == "1") for trial in trials]
    bits = np.concatenate(
        [first + FIRST_BIT_S + SPACING_S * place for first, place in zip(start, places, strict=True)] or [start]
    )
    cues = [trial.last_s("ResponseCue") for trial in trials]
    go = np.array([cue for cue in cues if cue is not None])
    first_s, last_s = clock.session_span_s
    wave = np.arange(np.ceil(first_s), np.floor(last_s)) + 0.3
    on = {"XA0": start, "XA1": bits, "XD0": wave, "XD1": go}
    widths = {"XA0": START_WIDTH_S, "XA1": WIDTH_S, "XD0": SYNC_PERIOD_S / 2, "XD1": START_WIDTH_S}
    return on, {line: times + widths[line] for line, times in on.items()}


def _samples(session_s: NDArray[np.float64], clock: ProbeClock) -> NDArray[np.int64]:
    """First samples at or after some instants; those outside the recording are left out."""
    samples = np.ceil(clock.samples(session_s)).astype(np.int64)
    return samples[(samples > 0) & (samples < clock.n_samples)]


def _write_list(path: Path, times_s: NDArray[np.float64]) -> Path:
    return write_text(path, "".join(f"{time:.6f}\n" for time in times_s))


def _write_bin(
    stem: Path,
    plan: SessionPlan,
    clock: ProbeClock,
    on: dict[str, NDArray[np.float64]],
    off: dict[str, NDArray[np.float64]],
) -> list[Path]:
    data = np.zeros((clock.n_samples, 3), "<i2")
    columns = {"XA0": (0, HIGH), "XA1": (1, HIGH), "XD0": (2, 1), "XD1": (2, 2)}
    for line, (column, value) in columns.items():
        rises, falls = (
            np.ceil(clock.samples(times)).astype(np.int64).clip(0, clock.n_samples) for times in (on[line], off[line])
        )
        steps = np.zeros(clock.n_samples + 1, np.int8)
        np.add.at(steps, rises, 1)
        np.add.at(steps, falls, -1)
        data[:, column] |= np.where(np.cumsum(steps[:-1]) > 0, value, 0).astype("<i2")
    content = data.tobytes()
    started_at = start_local(plan) + timedelta(seconds=clock.offset_s)
    values = {
        "acqMnMaXaDw": "0,0,2,1",
        "fileCreateTime": f"{started_at:%Y-%m-%dT%H:%M:%S}",
        "fileName": f"D:/{stem.name}.bin",
        "fileSHA1": hashlib.sha1(content, usedforsecurity=False).hexdigest().upper(),
        "fileSizeBytes": len(content),
        "fileTimeSecs": repr(clock.duration_s),
        "nSavedChans": 3,
        "niAiRangeMax": 5,
        "niAiRangeMin": -5,
        "niMAGain": 1,
        "niMNGain": 200,
        "niMaxInt": 32768,
        "niSampRate": RATE_HZ,
        "niXAChans1": "0:1",
        "niXDBytes1": 1,
        "niXDChans1": "0:7",
        "snsMnMaXaDw": "0,0,2,1",
        "snsSaveChanSubset": "all",
        "syncNiChan": 0,
        "syncNiChanType": 0,
        "syncNiThresh": 1.1,
        "syncSourcePeriod": 1,
        "typeThis": "nidq",
        "~snsChanMap": "(0,0,32,2,1)(XA0;0:0)(XA1;1:1)(XD0;2:2)",
    }
    text = "".join(f"{key}={value}\n" for key, value in values.items())
    return [write_bytes(Path(f"{stem}.bin"), content), write_text(Path(f"{stem}.meta"), text)]
