"""Sessions made by hand, small and with known answers, for the tests of the NWB room."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.tables import LICKS, PHOTOSTIM_SITES, SKIPPED_TRIALS, TRIAL_EVENTS, TRIALS
from map_assets.ccf.tables import ELECTRODES
from map_assets.ephys.tables import CLOCK_MAPS, PROBE_SITES, PROBES, SPIKES, UNITS
from map_assets.lab.tables import INSERTIONS
from map_assets.sessions.tables import SESSIONS
from map_assets.tracking.tables import TRACKING
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.subject import Laboratory, Subject

KEY = "SC022_20190228_151010"
RATE_HZ = 30000.2741
N_SAMPLES = 82
CLOCKS = {1: ClockMap(-12.5, 8.25), 2: ClockMap(-11.0, -3.5)}
TRIAL_S = 6.0
CAMERA_HZ = 294.1176


def behavior(n_trials: int = 40, with_photostim: bool = True) -> dict[str, pa.Table]:
    """A session's behaviour: every 4th trial stimulated, every 5th with early licks, trial 3 skipped."""
    numbers = np.array([n for n in range(1, n_trials + 2) if n != 3])
    start = (numbers - 1) * TRIAL_S + 0.001 * (numbers % 7) * (numbers > 1)
    is_early = numbers % 5 == 0
    go = start + np.where(is_early, 3.9, 3.1)
    is_stimulated = (numbers % 4 == 0) & with_photostim
    n = len(numbers)
    session = [KEY] * n
    rows = [
        {"trial": int(t), "event": event, "start_s": s + offset, "duration_s": duration}
        for t, s, early in zip(numbers, start, is_early, strict=True)
        for event, offset, duration in [
            ("presample", 0.0, 1.2),
            *([("sample", 1.2, 0.3)] if early else []),
            ("sample", 2.0 if early else 1.2, 0.65),
            ("delay", 2.7 if early else 1.9, 1.2),
            ("go", 3.9 if early else 3.1, 0.1),
            ("trialend", 5.0, 0.0),
        ]
    ]
    lick = [(int(t), g + 0.2 + 0.15 * k, k) for t, g in zip(numbers, go, strict=True) for k in range(3)]
    return {
        "sessions": SESSIONS.from_rows(
            [
                {
                    "session": KEY,
                    "animal": "SC022",
                    "subject": "445105",
                    "start_time": datetime(2019, 2, 28, 20, 10, 25, 123456, UTC),
                    "time_zone": "America/New_York",
                    "time_zone_source": "configuration",
                    "rig": "RRig2",
                    "experimenter": "Chen, Susu",
                    "task": "audio delay",
                    "task_protocol": 1,
                    "n_trials": n + 1,
                    "behavior_file": "SC022/x.mat",
                    "behavior_sha256": "0" * 64,
                }
            ]
        ),
        "trials": TRIALS.from_columns(
            {
                "session": session,
                "trial": numbers,
                "start_s": start,
                "stop_s": start + 5.0,
                "until_s": _until_s(numbers, start),
                "instruction": ["left" if t % 2 else "right" for t in numbers],
                "outcome": [["hit", "miss", "ignore"][t % 3] for t in numbers],
                "early_lick": is_early,
                "is_auto_water": numbers % 11 == 0,
                "is_free_water": numbers % 13 == 0,
                "sample_s": start + np.where(is_early, 2.0, 1.2),
                "delay_s": start + np.where(is_early, 2.7, 1.9),
                "go_s": np.where(numbers == 7, np.nan, go),
                "n_samples": 1 + is_early,
                "n_delays": np.ones(n, int),
                "n_go_cues": (numbers != 7).astype(int),
                "photostim_onset_s": np.where(is_stimulated, start + 1.9, np.nan),
                "photostim_duration_s": np.where(is_stimulated, 0.5, np.nan),
                "photostim_power_mw": np.where(is_stimulated, 5.5, np.nan),
                "photostim_site": [
                    ("left_alm" if t % 8 else "both_alm") if stim else None
                    for t, stim in zip(numbers, is_stimulated, strict=True)
                ],
                "bitcode": [f"{t:020b}" for t in numbers],
            }
        ),
        "skipped_trials": SKIPPED_TRIALS.from_rows([{"session": KEY, "trial": 3, "reason": "no states"}]),
        "trial_events": TRIAL_EVENTS.from_rows(
            [{"session": KEY, "event_id": i % 7, **row} for i, row in enumerate(rows)]
        ),
        "licks": LICKS.from_rows(
            [
                {"session": KEY, "trial": t, "lick_id": k, "time_s": s, "port": "left" if t % 2 else "right"}
                for t, s, k in lick
            ]
        ),
        "photostim_sites": PHOTOSTIM_SITES.from_rows(
            [
                {
                    "session": KEY,
                    "photostim_site": site,
                    "device": "OBIS470",
                    "wavelength_nm": 473.0,
                    "ap_um": 2500.0,
                    "ml_um": ml,
                    "dv_um": 0.0,
                    "theta_deg": 15.0,
                    "phi_deg": 15.0,
                    "brain_area": "ALM",
                    "hemisphere": side,
                    "skull_reference": "Bregma",
                    "source": "photostim protocol 1",
                }
                for site, ml, side in [
                    ("left_alm", -1500.0, "left"),
                    ("right_alm", 1500.0, "right"),
                    ("both_alm", 1500.0, "both"),
                ]
            ]
        ),
    }


def _until_s(numbers: np.ndarray, start_s: np.ndarray) -> np.ndarray:
    """Each trial ends where the file's next one begins; trial 3, which is skipped, begins 12 s after the session."""
    until_s = np.r_[start_s[1:], start_s[-1:] + 5.0]
    until_s[numbers == 2] = 2 * TRIAL_S
    return until_s


def tracking(trials: pa.Table, n_frames: int = 50) -> pa.Table:
    """Tongue and jaw in the side camera, jaw in the bottom camera."""
    numbers, start = trials["trial"].to_pylist(), trials["start_s"].to_pylist()
    rng = np.random.default_rng(3)
    rows = []
    for camera, feature in [("side", "tongue"), ("side", "jaw"), ("bottom", "jaw")]:
        for trial, start_s in zip(numbers, start, strict=True):
            rows.append(
                {
                    "session": KEY,
                    "trial": trial,
                    "camera": camera,
                    "feature": feature,
                    "n_frames": n_frames,
                    "rate_hz": CAMERA_HZ,
                    "time_source": "frame index / rate",
                    "frame": np.arange(n_frames),
                    "frame_s": start_s + np.arange(n_frames) / CAMERA_HZ,
                    "x_px": rng.random(n_frames, np.float32) * 400,
                    "y_px": rng.random(n_frames, np.float32) * 300,
                    "likelihood": rng.random(n_frames, np.float32),
                    "file": "x.csv",
                }
            )
    return TRACKING.from_rows(rows)


def ephys(
    trials: pa.Table,
    n_units: int = 20,
    rate_hz: float = 5.0,
    unobserved: dict[int, list[int]] | None = None,
    probes: tuple[int, ...] = (1, 2),
    seed: int = 0,
) -> dict[str, pa.Table]:
    """Two probes, the first traced; spikes from before trial 1 until after the last; the trials in `unobserved` lost."""
    rng = np.random.default_rng(seed)
    numbers = trials["trial"].to_numpy()
    stop_s = trials["stop_s"].to_pylist()[-1] + 20
    units: dict[str, list[Any]] = {name: [] for name in ("probe", "unit_id", "samples")}
    for probe in probes:
        last = int(CLOCKS[probe].probe_s(stop_s) * RATE_HZ)
        for k in range(n_units):
            n = 0 if k == 4 else rng.poisson(rate_hz * stop_s)
            units["probe"].append(probe)
            units["unit_id"].append(3 * k + 7 * probe)
            units["samples"].append(np.sort(rng.integers(0, last, n)))
    n_all = len(units["probe"])
    counts = [len(one) for one in units["samples"]]
    order = rng.permutation(n_all)
    lost = unobserved or {}
    sites = [
        {
            "session": KEY,
            "probe": p,
            "electrode": e,
            "channel": e,
            "shank": 0,
            "x_um": 16.0 * (e % 4),
            "y_um": 20.0 * (e // 2),
            "is_used": e != 191,
        }
        for p in probes
        for e in range(384)
    ]
    aim = {"brain_area": "ALM", "hemisphere": "left", "skull_reference": "Bregma", "ap_um": 2500.0, "ml_um": -1500.0}
    aim |= {"depth_um": 2900.0, "theta_deg": 15.0, "phi_deg": 15.0, "beta_deg": 0.0}
    return {
        "insertions": INSERTIONS.from_rows([{"session": KEY, "probe": 1} | aim]),
        "probes": PROBES.from_rows(
            [
                {
                    "session": KEY,
                    "probe": p,
                    "serial_number": f"1800510787{p}",
                    "part_number": "PRB_1_4_0480_1",
                    "probe_type": "Neuropixels 1.0",
                    "n_shanks": 1,
                    "sample_rate_hz": RATE_HZ,
                    "sorter": "kilosort2",
                    "folder": f"run/imec{p - 1}",
                }
                for p in probes
            ]
        ),
        "probe_sites": PROBE_SITES.from_rows(sites),
        "electrodes": ELECTRODES.from_rows(
            [
                {name: value for name, value in site.items() if name != "channel"}
                | (
                    {
                        "ccf_ap_um": 3000.0 + site["electrode"],
                        "ccf_dv_um": 2000.0 + 10 * site["electrode"],
                        "ccf_ml_um": 4200.0,
                        "region_id": 656,
                        "region": "MOs1" if site["electrode"] < 100 else "MOs5",
                        "region_status": "labelled",
                        "hemisphere": "left",
                    }
                    if site["probe"] == 1 and site["electrode"] < 300
                    else {"region_status": "outside" if site["probe"] == 1 else "not traced"}
                )
                for site in sites
            ]
        ),
        "clock_maps": CLOCK_MAPS.from_rows(
            [
                {
                    "session": KEY,
                    "probe": p,
                    "n_anchors": len(numbers) - len(lost.get(p, [])),
                    "anchor_kind": "go cue",
                    "drift_ppm": CLOCKS[p].drift_ppm,
                    "offset_s": CLOCKS[p].offset_s,
                    "matched_trials": [int(t) for t in numbers if t not in lost.get(p, [])],
                    "matched_ephys_trials": [],
                    "unmatched_behavior_trials": lost.get(p, []),
                    "unmatched_ephys_trials": [],
                    "anchor_trials": [],
                    "anchor_probe_s": [],
                    "anchor_session_s": [],
                    "anchor_residual_s": [],
                    "observed_from_s": CLOCKS[p].offset_s,
                    "observed_to_s": None,
                }
                for p in probes
            ]
        ),
        "units": UNITS.from_columns(
            {
                "session": [KEY] * n_all,
                "probe": units["probe"],
                "unit_id": units["unit_id"],
                "quality": ["good" if u % 2 else "mua" for u in units["unit_id"]],
                "quality_source": ["cluster_group.tsv"] * n_all,
                "electrode": [None if i == 2 else (i * 7) % 384 for i in range(n_all)],
                "peak_channel": [(i * 7) % 384 for i in range(n_all)],
                "x_um": np.full(n_all, 16.0),
                "y_um": np.arange(n_all) * 20.0,
                "amplitude_uv": rng.random(n_all) * 100,
                "n_spikes": counts,
                "firing_rate_hz": np.array(counts) / stop_s,
                "isi_violation": np.where(np.arange(n_all) % 3, rng.random(n_all), np.nan),
                "presence_ratio": rng.random(n_all),
                "waveform_uv": [
                    [] if i == 5 else (rng.random(N_SAMPLES) * 50).astype(np.float32) for i in range(n_all)
                ],
                "epoch_name_quality_metrics": ["complete_session"] * n_all,
            }
        ),
        "spikes": SPIKES.from_columns(
            {
                "session": [KEY] * n_all,
                "probe": [units["probe"][i] for i in order],
                "unit_id": [units["unit_id"][i] for i in order],
                "samples": [units["samples"][i] for i in order],
            }
        ),
    }


SUBJECT = Subject(
    "445105",
    "SC022",
    sex="M",
    date_of_birth=date(2018, 10, 1),
    strain="C57BL/6J",
    genotype="VGAT-ChR2-EYFP",
    source="Jackson Labs",
)
LABORATORY = Laboratory("Svoboda Lab", "Janelia Research Campus")


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """Makers of tables, and who the session's animal and laboratory are."""
    makers: dict[str, Callable[..., Any]] = {"behavior": behavior, "tracking": tracking, "ephys": ephys}
    return SimpleNamespace(**makers, key=KEY, subject=SUBJECT, laboratory=LABORATORY, clocks=CLOCKS, rate_hz=RATE_HZ)


@pytest.fixture(scope="session")
def full_session() -> dict[str, pa.Table]:
    """All tables of a session with two probes, of which the second lost trials 10 to 12 and all from 30."""
    tables = behavior()
    lost = [10, 11, 12, *range(30, 42)]
    return {
        **tables,
        "tracking": tracking(tables["trials"]),
        **ephys(tables["trials"], unobserved={2: [t for t in lost if t in tables["trials"]["trial"].to_pylist()]}),
    }
