"""Photostimulation as a stimulus of the file: where the light went and how strong it was. Its trial columns live in `trials`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.columns import distinct_names, floats, plain_name
from map_assets.nwb.timing import when

_WATT_PER_MW = 1e-3


def add_photostim(nwbfile: Any, trials: pa.Table, sites: pa.Table | None) -> list[str]:
    """Add a stimulus site and a power series for each site that any trial names.

    Returns
    -------
    list of str
        Sentences on what could not be added and why: a trial without site, duration or power, an unknown site.
    """
    needed = ("photostim_onset_s", "photostim_site", "photostim_duration_s", "photostim_power_mw")
    n_all = trials.num_rows - trials["photostim_onset_s"].null_count
    is_whole = functools.reduce(pc.and_, [pc.is_valid(trials[name]) for name in needed])
    stimulated = trials.filter(is_whole).sort_by([("photostim_onset_s", "ascending")])
    known = {row["photostim_site"]: row for row in sites.to_pylist()} if sites is not None else {}
    notes = []
    if stimulated.num_rows < n_all:
        n_left = n_all - stimulated.num_rows
        notes.append(
            f"Photostimulation of {n_left} trials is in the trials table only: site, duration or power is unknown."
        )
    found = pc.unique(stimulated["photostim_site"]).to_pylist()
    for site, name in zip(found, distinct_names(found), strict=True):
        rows = stimulated.filter(pc.equal(stimulated["photostim_site"], site))
        if site in known:
            _add_site(nwbfile, name, known[site], rows)
        else:
            notes.append(f"Photostimulation {site} is in the trials table only: its site is not described.")
    return notes


def _add_site(nwbfile: Any, name: str, site: Mapping[str, Any], rows: pa.Table) -> None:
    from pynwb.ogen import OptogeneticSeries, OptogeneticStimulusSite

    place = OptogeneticStimulusSite(
        name=name,
        device=_device(nwbfile, plain_name(site["device"])),
        description=f"Photostimulation {name} at {site['brain_area']}, hemisphere: {site['hemisphere']}. "
        f"Values from {site['source']}.",
        excitation_lambda=float(site["wavelength_nm"]),
        location=_location(site),
    )
    nwbfile.add_ogen_site(place)
    times_s, power_w = power_steps(rows)
    nwbfile.add_stimulus(
        OptogeneticSeries(
            name=f"photostim_{name}",
            description="Maximum power of the light as steps: each value holds from its time to the next value's. "
            "The waveform within a stimulation is not recorded.",
            data=power_w,
            site=place,
            **when(times_s),
        )
    )


def _device(nwbfile: Any, name: str) -> Any:
    if name not in nwbfile.devices:
        nwbfile.create_device(name=name, description="Light source of the photostimulation.")
    return nwbfile.devices[name]


def power_steps(rows: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power over time: zero at the session's start, a step up at each onset and down at its end.

    Parameters
    ----------
    rows : pyarrow.Table
        Stimulated trials in time order.

    Returns
    -------
    times_s : numpy.ndarray, shape (2 n + 1,)
    power_w : numpy.ndarray, shape (2 n + 1,)
    """
    onset_s = floats(rows["photostim_onset_s"])
    end_s = onset_s + floats(rows["photostim_duration_s"])
    power_w = floats(rows["photostim_power_mw"]) * _WATT_PER_MW
    times_s = np.column_stack([onset_s, end_s]).ravel()
    steps_w = np.column_stack([power_w, np.zeros_like(power_w)]).ravel()
    return np.r_[min(0.0, times_s[0]), times_s], np.r_[0.0, steps_w]


def _location(site: Mapping[str, Any]) -> str:
    both = " and its mirror image on the left" if site["hemisphere"] == "both" else ""
    return (
        f"{site['brain_area']} {site['hemisphere']}: AP {site['ap_um']:+.0f} um, ML {site['ml_um']:+.0f} um{both} from "
        f"{site['skull_reference']} (anterior and right positive), DV {site['dv_um']:+.0f} um from the surface (dorsal "
        f"positive); theta {site['theta_deg']:.1f} deg, phi {site['phi_deg']:.1f} deg"
    )
