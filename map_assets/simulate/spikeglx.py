"""Writes SpikeGLX runs as CatGT leaves them. The bin is a stub in length: a few hundred samples stand for the recording.

Meta and stub agree in size and SHA-1; ``fileTimeSecs`` is the true length of the recording, which the stub is not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.blueprint import ProbePlan, SessionPlan
from map_assets.simulate.bpod import start_local
from map_assets.simulate.chance import generator
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.defects import Defect
from map_assets.simulate.probes import MODELS, ProbeModel
from map_assets.simulate.writing import write_bytes, write_text

_END_KEYS = ("fileSHA1", "fileSizeBytes", "fileTimeSecs")
"""What SpikeGLX writes when a run ends."""


@dataclass(frozen=True)
class ProbeFolder:
    """Where one probe's files go.

    Parameters
    ----------
    path : pathlib.Path
    stem : str
        What the SpikeGLX files' names begin with.
    """

    path: Path
    stem: str


def probe_folder(share: Path, plan: SessionPlan, number: int) -> ProbeFolder:
    """Name a probe's folder: ``{animal}/catgt_{run}_g0/{run}_g0_imec{N}``."""
    run = plan.run_name
    path = share / plan.animal / f"catgt_{run}" / f"{run}_imec{number - 1}"
    return ProbeFolder(path, f"{run}_tcat.imec{number - 1}")


def sample_rate_text(plan: SessionPlan, probe: ProbePlan) -> str:
    """Calibrated rate of a probe, with the digits of its meta file, Hz; a property of the probe, the same on every day."""
    return f"{30_000 + generator(plan.seed, probe.serial_number, 'rate').uniform(-0.4, 0.4):.12f}"


def write_recording(
    share: Path, plan: SessionPlan, number: int, clock: ProbeClock, signal: NDArray[np.int16] | None = None
) -> list[Path]:
    """Write one probe's meta and bin, with the defects of the plan; the bin is a stub where there is no `signal`."""
    probe = plan.probes[number - 1]
    model = MODELS[probe.model]
    folder = probe_folder(share, plan, number)
    bin_path, meta_path = (folder.path / f"{folder.stem}.ap.{suffix}" for suffix in ("bin", "meta"))
    content = (_stub(plan, number) if signal is None else signal).tobytes()
    started_at = start_local(plan) + timedelta(seconds=clock.offset_s)
    values = _values(plan, probe, model, clock, content, bin_path, started_at)
    if Defect.UNFINISHED_META in plan.defects:
        values = {key: value for key, value in values.items() if key not in _END_KEYS}
    text = "".join(f"{key}={value}\n" for key, value in values.items())
    if Defect.TRUNCATED_META in plan.defects:
        text = text[: len(text) // 2]
    if Defect.INCOMPLETE_BIN in plan.defects:
        content = content[: len(content) // 2]
    return [write_bytes(bin_path, content), write_text(meta_path, text)]


def _stub(plan: SessionPlan, number: int) -> NDArray[np.int16]:
    rng = generator(plan.seed, plan.key, number, "raw")
    raw = np.round(rng.normal(0, 8, (plan.n_bin_samples, 385))).astype("<i2")
    raw[:, 384] = 0
    return raw


def _values(
    plan: SessionPlan,
    probe: ProbePlan,
    model: ProbeModel,
    clock: ProbeClock,
    content: bytes,
    bin_path: Path,
    started_at: datetime,
) -> dict[str, str | int | float]:
    """Keys and values of the meta file, in its order."""
    counts = f"384,{model.lf_channels},1"
    created_at = started_at + timedelta(days=1, hours=3)
    name = f"{plan.animal}/{bin_path.parent.parent.name}/{bin_path.parent.name}/{bin_path.name}"
    return {
        "acqApLfSy": counts,
        "appVersion": 20230202,
        "catGTCmdline0": f"<CatGT -run={plan.animal}_{plan.named_at:%m%d%y} -g={plan.order_in_day - 1} -t=0 -prb_fld -ap>",
        "catGVals": f"{plan.order_in_day - 1},{plan.order_in_day - 1}",
        "catNFiles": 1,
        "catTVals": "0,0",
        "fileCreateTime": f"{created_at:%Y-%m-%dT%H:%M:%S}",
        "fileCreateTime_original": f"{started_at:%Y-%m-%dT%H:%M:%S}",
        "fileName": f"D:/{name}",
        "fileSHA1": hashlib.sha1(content, usedforsecurity=False).hexdigest().upper(),
        "fileSizeBytes": len(content),
        "fileTimeSecs": repr(clock.duration_s),
        "firstSample": int(generator(plan.seed, plan.key, "first sample").integers(100_000, 9_000_000)),
        "gateMode": "Immediate",
        "imAiRangeMax": model.ai_range_v,
        "imAiRangeMin": -model.ai_range_v,
        "imCalibrated": "true",
        "imDatApi": "3.60",
        "imDatBs_fw": "2.0.169",
        "imDatBsc_fw": "3.2.189",
        "imDatBsc_hw": "2.2",
        "imDatBsc_pn": "NP2_QBSC_00",
        "imDatBsc_sn": 22030965,
        "imDatFx_hw": "4.13",
        "imDatFx_pn": "NP2_FLEX_0" if model.lf_channels else "NPM_FLEX_0",
        "imDatFx_sn": 0,
        "imDatHs_hw": "5.1",
        "imDatHs_pn": "NP2_HS_30" if model.lf_channels else "NPM_HS_30",
        "imDatHs_sn": 852,
        "imDatPrb_dock": 1,
        "imDatPrb_pn": model.part_number,
        "imDatPrb_port": 1,
        "imDatPrb_slot": 2,
        "imDatPrb_sn": probe.serial_number,
        "imDatPrb_type": model.type_code,
        "imIsSvyRun": "false",
        "imLEDEnable": "false",
        "imMaxInt": model.max_int,
        "imSampRate": sample_rate_text(plan, probe),
        "imStdby": "",
        "imTrgRising": "true",
        "imTrgSource": 0,
        "nDataDirs": 1,
        "nSavedChans": 385,
        "snsApLfSy": "384,0,1",
        "snsSaveChanSubset": "0:383,768" if model.lf_channels else "0:384",
        "syncImInputSlot": 2,
        "syncSourceIdx": 3,
        "syncSourcePeriod": 1,
        "trigMode": "Immediate",
        "typeImEnabled": len(plan.probes),
        "typeNiEnabled": 1,
        "typeObEnabled": 0,
        "typeThis": "imec",
        "userNotes": f"made up by the simulator, {_length(plan)}",
        **_maps(model),
    }


def _length(plan: SessionPlan) -> str:
    if plan.raw_s:
        return f"the bin is the recording's first {plan.raw_s:g} s"
    return f"the bin is a stub of {plan.n_bin_samples} samples"


def _maps(model: ProbeModel) -> dict[str, str]:
    """The four tables of channels at the end of the meta file."""
    sites = model.sites()
    local_x = sites.x_um - 250.0 * sites.shank + model.geometry_x_um
    local_x = local_x.astype(int)
    places = list(zip(sites.shank, sites.column, sites.row, sites.is_used.astype(int), strict=True))
    on_shank = sites.electrode - sites.shank * model.sites_per_shank
    if model.type_code == 0:
        imro = "".join(f"({c} 0 0 {model.ap_gain} 250 1)" for c in range(384))
    elif model.type_code == 21:
        imro = "".join(f"({c} 1 0 {e})" for c, e in enumerate(on_shank))
    else:
        imro = "".join(f"({c} {s} 0 0 {e})" for c, (s, e) in enumerate(zip(sites.shank, on_shank, strict=True)))
    channels = "".join(f"(AP{c};{c}:{c})" for c in range(384)) + f"(SY0;{384 + model.lf_channels}:384)"
    pitch = 250 if model.n_shanks > 1 else 0
    return {
        "~imroTbl": f"({model.type_code},384){imro}",
        "~snsChanMap": f"(384,{model.lf_channels},1){channels}",
        "~snsGeomMap": f"({model.part_number},{model.n_shanks},{pitch},70)"
        + "".join(
            f"({s}:{x}:{int(y)}:{used})" for (s, _, _, used), x, y in zip(places, local_x, sites.y_um, strict=True)
        ),
        "~snsShankMap": f"({model.n_shanks},2,{model.sites_per_shank // 2})"
        + "".join(f"({s}:{c}:{r}:{used})" for s, c, r, used in places),
    }
