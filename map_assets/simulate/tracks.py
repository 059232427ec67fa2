"""Where each probe truly stands in the made-up brain. What the histology files tell of it lives in `histology`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.simulate.atlas import Volume
from map_assets.simulate.blueprint import TARGETS, SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.defects import Defect
from map_assets.simulate.probes import MODELS, Sites
from map_assets.vocabulary.frame import ccf_from_bregma

_SHANK_PITCH_UM = 250.0


@dataclass(frozen=True)
class Track:
    """A straight probe; the second to fourth shanks stand behind the first, 250 um apart.

    Parameters
    ----------
    tip_ccf_um : numpy.ndarray of float, shape (3,)
        AP, DV, ML of shank 0's tip-most row, um.
    up : numpy.ndarray of float, shape (3,)
        Unit vector from the tip towards the top, AP, DV, ML.
    entry_ccf_um : numpy.ndarray of float, shape (3,)
        Where shank 0 passes the brain's surface, um.
    depth_um : float
        From the entry to the tip-most row, um.
    """

    tip_ccf_um: NDArray[np.float64]
    up: NDArray[np.float64]
    entry_ccf_um: NDArray[np.float64]
    depth_um: float

    def positions(self, shank: NDArray[np.int64], y_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Place contacts (n,) by shank and height above the tip-most row; AP, DV, ML, um, shape (n, 3)."""
        behind = np.zeros((len(shank), 3))
        behind[:, 0] = shank * _SHANK_PITCH_UM
        return self.tip_ccf_um + behind + np.asarray(y_um, float)[:, None] * self.up

    def of(self, sites: Sites) -> NDArray[np.float64]:
        """Place contacts; AP, DV, ML, um, shape (n, 3)."""
        return self.positions(sites.shank, sites.y_um)


def make_track(plan: SessionPlan, number: int, volume: Volume) -> Track:
    """Push a probe in: at its target, give or take 50 um, down to its depth."""
    probe = plan.probes[number - 1]
    target = TARGETS[probe.target]
    jitter_ap, jitter_ml = generator(plan.seed, plan.key, number, "track").uniform(-50, 50, 2)
    entry = ccf_from_bregma(target.ml_um + jitter_ml, target.ap_um + jitter_ap, 0.0)
    entry[1] = volume.surface_dv_um(float(entry[0]), float(entry[2]))
    depth_um = target.depth_um
    if Defect.OUTSIDE_BRAIN in plan.defects:
        depth_um = float(MODELS[probe.model].sites().y_um.max()) / 2
    tilt = np.deg2rad(target.tilt_deg)
    up = np.array([0.0, -np.cos(tilt), np.sign(target.ml_um) * np.sin(tilt)])
    return Track(entry - depth_um * up, up, entry, depth_um)
