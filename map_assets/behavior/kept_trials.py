"""Kept trials of any task become the tables of their events, licks and stimulation sites. Reading them lives in `formats`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.behavior.protocol import Protocol
from map_assets.behavior.tables import LICKS, PHOTOSTIM_SITES, TRIAL_EVENTS


@dataclass(frozen=True)
class KeptTrial:
    """What one kept trial gives.

    Parameters
    ----------
    row : dict
        Its row of `trials`, without the session.
    visits : dict of str to numpy.ndarray of float, shape (n, 2)
        Entry and exit of each event's visits, events in the order of a trial, s from the trial's start.
    licks : dict of str to numpy.ndarray of float, shape (n,)
        Contacts with each port in time order, s from the trial's start.
    """

    row: Mapping[str, Any]
    visits: Mapping[str, NDArray[np.float64]]
    licks: Mapping[str, NDArray[np.float64]]


def trial_events_of(session: str, kept: Sequence[KeptTrial]) -> pa.Table:
    """Return the table `trial_events`: a row for each visit, on the session clock."""
    blocks = [(event, pairs) for trial in kept for event, pairs in trial.visits.items()]
    counts = np.array([len(pairs) for _, pairs in blocks], np.int64)
    times_s = np.concatenate([np.empty((0, 2)), *(pairs for _, pairs in blocks)])
    sizes = np.array([sum(map(len, trial.visits.values())) for trial in kept], np.int64)
    return TRIAL_EVENTS.from_columns(
        {
            "session": np.full(len(times_s), session, object),
            "trial": np.repeat(_column(kept, "trial", np.int64), sizes),
            "event_id": _count_up(sizes),
            "event": np.repeat(np.array([event for event, _ in blocks], object), counts),
            "start_s": times_s[:, 0] + np.repeat(_column(kept, "start_s", np.float64), sizes),
            "duration_s": times_s[:, 1] - times_s[:, 0],
        }
    )


def licks_of(session: str, kept: Sequence[KeptTrial]) -> pa.Table:
    """Return the table `licks`: both ports of a trial in one order of time, on the session clock."""
    blocks = [(port, times) for trial in kept for port, times in trial.licks.items()]
    counts = np.array([len(times) for _, times in blocks], np.int64)
    sizes = np.array([sum(map(len, trial.licks.values())) for trial in kept], np.int64)
    from_trial_s = np.concatenate([np.empty(0), *(times for _, times in blocks)])
    order = np.lexsort((from_trial_s, np.repeat(np.arange(len(kept)), sizes)))
    return LICKS.from_columns(
        {
            "session": np.full(len(order), session, object),
            "trial": np.repeat(_column(kept, "trial", np.int64), sizes),
            "lick_id": _count_up(sizes),
            "time_s": from_trial_s[order] + np.repeat(_column(kept, "start_s", np.float64), sizes),
            "port": np.repeat(np.array([port for port, _ in blocks], object), counts)[order],
        }
    )


def photostim_sites_of(session: str, kept: Sequence[KeptTrial], protocol: Protocol) -> pa.Table:
    """Return the table `photostim_sites`: the sites that the kept trials name, as the protocol file has them."""
    light = protocol.photostim
    used = {trial.row["photostim_site"] for trial in kept}
    common = {
        "session": session,
        "device": light.device,
        "wavelength_nm": light.wavelength_nm,
        "brain_area": light.brain_area,
        "skull_reference": light.skull_reference,
        "source": protocol.source,
    }
    places = ("ap_um", "ml_um", "dv_um", "theta_deg", "phi_deg", "hemisphere")
    return PHOTOSTIM_SITES.from_rows(
        {**common, "photostim_site": site.name, **{place: getattr(site, place) for place in places}}
        for site in light.sites.values()
        if site.name in used
    )


def _column(kept: Sequence[KeptTrial], name: str, dtype: type[Any]) -> NDArray[Any]:
    return np.array([trial.row[name] for trial in kept], dtype)


def _count_up(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0, 1, ... anew for each group of the given size."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
