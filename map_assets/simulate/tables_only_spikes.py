"""Spikes, tracking and tracks of a laboratory at table level, with what is true of them. Trials live in `tables_only_trials`.

Of each probe unit 0 prefers the right in the delay, unit 1 the left, unit 2 licks along, and the others do not care;
light on a probe's side silences its units in ALM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.tables_only_trials import STIM_S

_FRAME_S: Final = 1 / 200.0
_N_FRAMES: Final = 1200
_LICK_HZ: Final = 7.0
_BASE_HZ: Final = 6.0
_MORE_HZ: Final = 20.0


def spike_tables(tables: Mapping[str, Mapping[str, Any]], rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Make up spikes, the trials they are in, tracking and tracks.

    Parameters
    ----------
    tables : mapping of str to mapping
        Columns of `trials`, `licks`, `units`, `insertions`, `probes`, `clock_maps` and `electrodes`.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to dict
        Columns by table; `units` again with the number of spikes.
    """
    trials, units, insertions = tables["trials"], dict(tables["units"]), tables["insertions"]
    maps, rates_hz = tables["clock_maps"], tables["probes"]["sample_rate_hz"]
    start_s, until_s = trials["start_s"], trials["until_s"]
    found: list[NDArray[np.int64]] = []
    first, n_in = [], []
    for probe, unit_id in zip(units["probe"], units["unit_id"], strict=True):
        at = probe - 1
        is_alm = insertions["brain_area"][at] == "ALM"
        seconds = _train(trials, tables["licks"], int(unit_id), rng)
        if is_alm:
            seconds = seconds[~_is_silenced(seconds, trials, str(insertions["hemisphere"][at]), rng)]
        slope = 1.0 + maps["drift_ppm"][at] * 1e-6
        samples = np.unique(np.round((seconds - maps["offset_s"][at]) / slope * rates_hz[at])).astype(np.int64)
        session_s = maps["offset_s"][at] + samples / rates_hz[at] * slope
        begin = np.searchsorted(session_s, start_s)
        found.append(samples)
        first.append(begin)
        n_in.append(np.searchsorted(session_s, until_s) - begin)
    n_units, n_trials = len(found), len(start_s)
    units["n_spikes"] = [one.size for one in found]
    return {
        "units": units,
        "spikes": {"probe": units["probe"], "unit_id": units["unit_id"], "samples": found},
        "trial_spikes": {
            "probe": np.repeat(units["probe"], n_trials),
            "unit_id": np.repeat(units["unit_id"], n_trials),
            "trial": np.tile(trials["trial"], n_units),
            "first_spike": np.concatenate(first),
            "n_spikes": np.concatenate(n_in),
        },
        "tracking": _tracking(trials),
        "probe_tracks": _tracks(tables["electrodes"]),
    }


def _train(
    trials: Mapping[str, Any], licks: Mapping[str, Any], unit_id: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A steady Poisson train, and more where the unit's preference has it."""
    seconds = rng.uniform(0, trials["stop_s"][-1], rng.poisson(_BASE_HZ * trials["stop_s"][-1]))
    if unit_id in (0, 1):
        preferred = trials["instruction"] == ("right", "left")[unit_id]
        delay_s = (trials["go_s"] - trials["delay_s"])[preferred]
        n_more = rng.poisson(_MORE_HZ * delay_s)
        more = np.repeat(trials["delay_s"][preferred], n_more) + rng.random(n_more.sum()) * np.repeat(delay_s, n_more)
        seconds = np.r_[seconds, more]
    if unit_id == 2:
        seconds = np.r_[seconds, np.repeat(licks["time_s"], 2) + rng.normal(0, 0.01, 2 * len(licks["time_s"]))]
    return np.sort(seconds)


def _is_silenced(
    seconds: NDArray[np.float64], trials: Mapping[str, Any], side: str, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Nine of ten spikes under light on the probe's side or on both."""
    onset_s = np.array(
        [
            np.inf if site not in {f"{side}_alm", "both_alm"} else onset
            for onset, site in zip(trials["photostim_onset_s"], trials["photostim_site"], strict=True)
        ]
    )
    trial = np.clip(np.searchsorted(trials["start_s"], seconds, side="right") - 1, 0, None)
    from_onset_s = seconds - onset_s[trial]
    is_lit: NDArray[np.bool_] = (from_onset_s >= 0) & (from_onset_s < STIM_S) & (rng.random(seconds.size) < 0.9)
    return is_lit


def _tracking(trials: Mapping[str, Any]) -> dict[str, Any]:
    """The side camera's jaw and tongue at 200 Hz: licking at 7 Hz for a second after the go cue."""
    n_trials, features = len(trials["trial"]), ("jaw", "tongue")
    frame_s = trials["start_s"][:, None] + _FRAME_S * np.arange(_N_FRAMES)
    from_go_s = frame_s - trials["go_s"][:, None]
    is_licking = (from_go_s > 0.15) & (from_go_s < 1.15)
    out = np.where(is_licking, np.maximum(np.sin(2 * np.pi * _LICK_HZ * (from_go_s - 0.15)), 0), 0.0)
    y_px = {"jaw": 200.0 + 20.0 * out, "tongue": 210.0 + 30.0 * out}
    likelihood = {"jaw": np.full_like(out, 0.999), "tongue": np.where(out > 0.2, 0.99, 0.01)}
    rows = [(at, name) for at in range(n_trials) for name in features]
    return {
        "trial": [trials["trial"][at] for at, _ in rows],
        "camera": ["side"] * len(rows),
        "feature": [name for _, name in rows],
        "n_frames": [_N_FRAMES] * len(rows),
        "rate_hz": [1 / _FRAME_S] * len(rows),
        "time_source": ["frame index / rate: trial start + that"] * len(rows),
        "frame": [np.arange(_N_FRAMES, dtype=np.int32)] * len(rows),
        "frame_s": [frame_s[at] for at, _ in rows],
        "x_px": [np.full(_N_FRAMES, 320.0, np.float32)] * len(rows),
        "y_px": [y_px[name][at].astype(np.float32) for at, name in rows],
        "likelihood": [likelihood[name][at].astype(np.float32) for at, name in rows],
    }


def _tracks(electrodes: Mapping[str, Any]) -> dict[str, Any]:
    """Each probe's track: its contacts, every fourth."""
    pick = np.flatnonzero(electrodes["electrode"] % 4 == 0)
    point = electrodes["electrode"][pick] // 4
    axes = {name: electrodes[name][pick] for name in ("ccf_ap_um", "ccf_dv_um", "ccf_ml_um")}
    return {
        "probe": electrodes["probe"][pick],
        "shank": np.zeros(pick.size, int),
        "point": point,
        "file": ["landmarks.csv"] * pick.size,
        **axes,
    }
