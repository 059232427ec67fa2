"""Writes what the histology gives for each probe, in any of the lab's three forms. Where the probe truly stands lives in `tracks`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.atlas import OUTSIDE, REGIONS, Volume
from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.bpod import start_local
from map_assets.simulate.chance import generator
from map_assets.simulate.defects import Defect
from map_assets.simulate.probes import MODELS, ProbeModel, Sites
from map_assets.simulate.tracks import Track
from map_assets.simulate.writing import write_mat, write_text
from map_assets.vocabulary.frame import BREGMA_IN_CCF_UM, CCF_EXTENT_UM, bregma_from_ccf

_MM_PER_PIXEL = 0.02
_IBL_LATERAL_SHIFT_UM = {"NP1.0": 11.0}
"""IBL counts a NP1.0 probe's columns from the shank's edge: 11, 27, 43, 59 um."""


def write_histology(share: Path, plan: SessionPlan, number: int, track: Track, volume: Volume) -> list[Path]:
    """Write one probe's histology, mirrored if the plan says so; nothing if the probe was not found."""
    probe = plan.probes[number - 1]
    if probe.histology == "none":
        return []
    model = MODELS[probe.model]
    if probe.histology == "track":
        return [_write_track(share, plan, number, track, model)]
    write = _write_ibl if probe.histology == "ibl" else _write_landmarks
    return [path for shank in range(model.n_shanks) for path in write(share, plan, number, track, volume, model, shank)]


def _as_found(plan: SessionPlan, ccf_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give positions as the files tell them: mirrored left to right with that defect."""
    if Defect.FLIPPED_HISTOLOGY not in plan.defects:
        return ccf_um
    return ccf_um * [1, 1, -1] + [0, 0, CCF_EXTENT_UM[2]]


def _points_of_track(track: Track, shank: int) -> NDArray[np.float64]:
    """Nine points from the tip to the surface, AP, DV, ML, um."""
    return track.positions(np.full(9, shank), np.linspace(0, track.depth_um, 9))


def _of_shank(sites: Sites, shank: int) -> Sites:
    keep = sites.shank == shank
    return Sites(*(getattr(sites, name)[keep] for name in Sites.__dataclass_fields__))


def _write_track(share: Path, plan: SessionPlan, number: int, track: Track, model: ProbeModel) -> Path:
    """Write ``track_{key}_{insertion}.csv``: nine points of every shank, from the surface to the tip."""
    rows = ["shank,ap_um,dv_um,ml_um"]
    for shank in range(model.n_shanks):
        points = _as_found(plan, _points_of_track(track, shank))[::-1]
        rows += [f"{shank + 1},{ap:.3f},{dv:.3f},{ml:.3f}" for ap, dv, ml in points.tolist()]
    return write_text(share / plan.animal / "histology" / f"track_{plan.key}_{number}.csv", "\n".join(rows) + "\n")


def _write_ibl(
    share: Path, plan: SessionPlan, number: int, track: Track, volume: Volume, model: ProbeModel, shank: int
) -> list[Path]:
    """Write ``channel_locations.json`` and ``xyz_picks.json`` (a pair for each shank where there are several)."""
    folder = share / plan.animal / f"{plan.named_at:%Y%m%d}_{number}"
    suffix = f"_shank{shank + 1}" if model.n_shanks > 1 else ""
    sites = _of_shank(model.sites(), shank)
    true_um = track.of(sites)
    region_ids = volume.region_ids(true_um)
    found = bregma_from_ccf(_as_found(plan, true_um))
    lateral = sites.x_um + _IBL_LATERAL_SHIFT_UM.get(model.name, 0.0)
    channels: dict[str, Any] = {
        f"channel_{index}": {
            "x": round(float(x), 3),
            "y": round(float(y), 3),
            "z": round(float(z), 3),
            "axial": float(axial),
            "lateral": float(side),
            "brain_region_id": int(region_id),
            "brain_region": REGIONS.get(int(region_id), OUTSIDE).acronym,
        }
        for index, ((x, y, z), axial, side, region_id) in enumerate(
            zip(found, sites.y_um, lateral, region_ids, strict=True)
        )
    }
    ap, dv, ml = BREGMA_IN_CCF_UM
    picks = bregma_from_ccf(_as_found(plan, _points_of_track(track, shank))).round(3).tolist()
    return [
        write_text(
            folder / f"channel_locations{suffix}.json", json.dumps(channels | {"origin": {"bregma": [ml, ap, dv]}})
        ),
        write_text(folder / f"xyz_picks{suffix}.json", json.dumps({"xyz_picks": picks})),
    ]


def _write_landmarks(
    share: Path, plan: SessionPlan, number: int, track: Track, volume: Volume, model: ProbeModel, shank: int
) -> list[Path]:
    """Write ``landmarks_{key}_{insertion}[_{shank}]_siteInfo`` as ``.mat`` (every contact of the shank) and ``.csv``."""
    last = f"_{shank + 1}" if model.n_shanks > 1 else ""
    stem = f"landmarks_{plan.key}_{number}{last}_siteInfo"
    folder = share / plan.animal / "histology"
    true_um = track.of(model.whole_shank(shank))
    region_ids = volume.region_ids(true_um).astype(float)
    region_ids[region_ids == 0] = np.nan
    pixels = _as_found(plan, true_um)[:, ::-1] / (1000 * _MM_PER_PIXEL)
    warped = pixels * 0.97 + 4.0
    site = {
        "pos": {"mmPerPixel": _MM_PER_PIXEL, **{axis: pixels[:, i, None] for i, axis in enumerate("xyz")}},
        "warp": {axis: warped[:, i, None] for i, axis in enumerate("xyz")},
        "ont": {"id": region_ids[:, None]},
    }
    return [
        write_mat(folder / f"{stem}.mat", {"site": site}, start_local(plan) + timedelta(days=30)),
        write_text(folder / f"{stem}.csv", "\n".join(_landmark_rows(plan, number, track, shank)) + "\n"),
    ]


def _landmark_rows(plan: SessionPlan, number: int, track: Track, shank: int) -> list[str]:
    """Rows of BigWarp: name, whether it steers the warp, place in the subject's stack, place in the CCF (x, y, z)."""
    rng = generator(plan.seed, plan.key, number, "landmarks", shank)
    steering = rng.uniform([3000, 1500, 2500], [8400, 5500, 9500], (6, 3))
    traced = _as_found(plan, _points_of_track(track, shank))[:, ::-1]
    rows = []
    for index, (is_steering, xyz) in enumerate([*((True, p) for p in steering), *((False, p) for p in traced)]):
        subject = [f"{value / 20 * 0.97 + 4:.3f}" for value in xyz]
        rows.append(",".join([f"Pt-{index}", str(is_steering).lower(), *subject, *(f"{value:.3f}" for value in xyz)]))
    return rows
