"""A made-up session, read from the rigs' own files by the rooms, for the tests of exports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from map_assets.analyses.psth import make_psth
from map_assets.analyses.unit_stats import make_unit_stats
from map_assets.behavior.read import read_behavior
from map_assets.ccf.tables import ELECTRODES
from map_assets.ephys.clock_maps import make_clock_maps
from map_assets.ephys.probes import make_probes
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.tables import UNIT_CLASSES
from map_assets.ephys.trial_spikes import make_trial_spikes
from map_assets.lab.tables import INSERTIONS
from map_assets.sessions.tables import SESSIONS
from map_assets.shares.roles import rule_of
from map_assets.simulate.blueprint import Part, ProbePlan, SessionPlan
from map_assets.simulate.defects import Defect
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.truth import Truth, read_truth
from map_assets.tracking.tables import TRACKING
from map_assets.vocabulary.files import FoundFile

PROBE = ProbePlan("left ALM", n_units=7, n_sorted_channels=24, rate_scale=0.6, histology="none")
PLAN = SessionPlan(
    *("MK041", 990041, datetime(2024, 3, 5, 10, 25, 8), 26),
    (PROBE, replace(PROBE, target="right Medulla", n_units=4, drift_ppm=-14.0, serial_number="18005117122")),
    anchors="seconds",
    photostim_share=0.4,
    defects=frozenset({Defect.EPHYS_STARTS_LATE, Defect.FREE_WATER, Defect.EARLY_LICKS, Defect.REPEATED_GO_CUES}),
    parts=frozenset({Part.BEHAVIOR, Part.RECORDING, Part.SORTING}),
)
CAMERA_HZ = 294.1176


@dataclass(frozen=True)
class ExportSession:
    """Its key, its tables by name, and its truth."""

    key: str
    tables: dict[str, pa.Table]
    truth: Truth

    def of(self, name: str, probe: int) -> pa.Table:
        return self.tables[name].filter(pa.compute.field("probe") == probe)


def make_session(root: Path) -> ExportSession:
    """Write the session's files and read them with the rooms that do."""
    files = []
    for path in write_session(root, PLAN).files:
        share = root / path.relative_to(root).parts[0]
        kind = "behavior" if share.name.startswith("rig") else share.name
        relpath, status = path.relative_to(share).as_posix(), path.stat()
        role = rule_of(kind, relpath).role
        if role is not None:
            files.append(FoundFile(share.name, share, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns))
    key = PLAN.key
    tables = {**read_behavior(key, next(file for file in files if file.role == "behavior"))}
    tables |= read_recordings(key, files)[0]
    tables |= read_sortings(key, files, tables["recordings"], tables["probe_sites"])[0]
    tables["probes"] = make_probes(key, tables["recordings"], tables["sortings"])
    tables["clock_maps"] = make_clock_maps(key, tables["trials"], tables["ephys_trials"], tables["recordings"])
    of_spikes = (tables["trials"], tables["clock_maps"], tables["probes"])
    tables["trial_spikes"] = make_trial_spikes(key, tables["spikes"], *of_spikes)
    inputs = (tables["units"], tables["spikes"], tables["trial_spikes"], *of_spikes)
    tables["unit_stats"], tables["psth"] = make_unit_stats(key, *inputs), make_psth(key, *inputs)
    tables["sessions"] = _sessions(key)
    tables["insertions"] = INSERTIONS.from_rows(
        [
            {"session": key, "probe": 1, "brain_area": "ALM", "hemisphere": "left", "skull_reference": "Bregma"}
            | {"ap_um": 2500.0, "ml_um": -1500.0, "depth_um": 3300.0, "theta_deg": 15.0, "phi_deg": 15.0}
        ]
    )
    tables["electrodes"] = _electrodes(tables["probe_sites"])
    tables["unit_classes"] = _classes(key, tables["units"])
    tables["tracking"] = _tracking(key, tables["trials"])
    return ExportSession(key, tables, read_truth(root, key))


def _sessions(key: str) -> pa.Table:
    row = {"session": key, "animal": "MK041", "subject": "990041", "time_zone": "America/New_York", "n_trials": 26}
    row |= {"start_time": datetime(2024, 3, 5, 15, 26, 9, 250000, UTC), "time_zone_source": "configuration"}
    row |= {"task": "audio delay", "task_protocol": 1, "behavior_file": "a.mat", "behavior_sha256": "0" * 64}
    return SESSIONS.from_rows([row])


def _electrodes(sites: pa.Table) -> pa.Table:
    """Probe 1 is traced, but for the contacts from 200 on; probe 2 is not."""
    rows = []
    for site in sites.drop_columns(["channel"]).to_pylist():
        electrode = site["electrode"]
        is_traced = site["probe"] == 1 and electrode < 200
        place = {"ccf_ap_um": 3000.0 + electrode, "ccf_dv_um": 2000.0 + 10 * electrode, "ccf_ml_um": 4200.0}
        place |= {"region_id": 656, "region": "MOs1", "region_status": "labelled", "hemisphere": "left"}
        rows.append(site | (place if is_traced else {"region_status": "not traced"}))
    return ELECTRODES.from_rows(rows)


def _classes(key: str, units: pa.Table) -> pa.Table:
    """Every second unit is good; what was said of probe 2 was said of another sorting."""
    row = {"session": key, "file": "a.mat", "file_modified_at": datetime(2024, 4, 1, tzinfo=UTC)}
    rows = [
        row
        | {"probe": unit["probe"], "unit_id": unit["unit_id"], "class": "good" if n % 2 else "unlabelled"}
        | {"annotation": "Secondary motor area, layer 1" if n % 2 else None}
        | {"sorting": unit["sorting"] if unit["probe"] == 1 else "kilosort2-0000000000"}
        for n, unit in enumerate(units.select(["probe", "unit_id", "sorting"]).to_pylist())
    ]
    return UNIT_CLASSES.from_rows(rows)


def _tracking(key: str, trials: pa.Table) -> pa.Table:
    """Jaw and tongue in the side camera, jaw in the bottom camera; no video of the 3rd trial, and none of the last."""
    rng = np.random.default_rng(3)
    rows = []
    cameras = [("side", "Camera 0", "jaw"), ("side", "Camera 0", "tongue"), ("bottom", None, "jaw")]
    for camera, device, feature in cameras:
        for n, trial in enumerate(trials.to_pylist()[:-1]):
            if n == 2:
                continue
            n_frames = 20 + n
            rows.append(
                {"session": key, "trial": trial["trial"], "camera": camera, "feature": feature, "device": device}
                | {"n_frames": n_frames, "rate_hz": CAMERA_HZ, "frame": np.arange(n_frames), "file": "a.csv"}
                | {"frame_s": trial["start_s"] + np.arange(n_frames) / CAMERA_HZ if camera == "side" else None}
                | {"x_px": rng.random(n_frames, np.float32), "y_px": rng.random(n_frames, np.float32)}
                | {"likelihood": rng.random(n_frames, np.float32)}
            )
    return TRACKING.from_rows(rows)
