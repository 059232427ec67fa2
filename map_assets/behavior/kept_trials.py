"""Kept trials of any task become the tables of their events, licks and stimulation sites. Reading them lives in `formats`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.behavior.protocol import Protocol
from map_assets.behavior.tables import (
    AVAILABLE_REWARDS,
    BEHAVIOR_FILE,
    BLOCK_PORTS,
    BLOCKS,
    LICKS,
    PHOTOSTIM_SITES,
    SKIPPED_TRIALS,
    TRIAL_EVENTS,
    TRIALS,
    WATER_PORT_SETTINGS,
)


class Skip(Exception):
    """Why a trial is not kept; it becomes a row of `skipped_trials`."""


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
    rewards : tuple of dict
        Its rows of `available_rewards`, without session and trial.
    ports : dict
        Its row of `water_port_settings`, likewise; empty where the rig wrote none.
    """

    row: Mapping[str, Any]
    visits: Mapping[str, NDArray[np.float64]]
    licks: Mapping[str, NDArray[np.float64]]
    rewards: tuple[Mapping[str, Any], ...] = ()
    ports: Mapping[str, Any] = field(default_factory=dict)


def read_trials(
    start_s: NDArray[np.float64], read: Callable[[int], KeptTrial]
) -> tuple[list[KeptTrial], list[dict[str, Any]]]:
    """Read the trials of a file one by one.

    Parameters
    ----------
    start_s : numpy.ndarray of float, shape (n,)
        Start of each trial on the session clock; NaN if unknown.
    read : callable
        From a trial's place (from 0) to what it gives; raises `Skip` where the trial is not kept.

    Returns
    -------
    list of KeptTrial, list of dict
        What was kept, and the rows of `skipped_trials` without the session; trials are numbered from 1.
    """
    kept: list[KeptTrial] = []
    skipped: list[dict[str, Any]] = []
    for index, start in enumerate(start_s):
        try:
            kept.append(read(index))
        except Skip as reason:
            known = float(start) if np.isfinite(start) else None
            skipped.append({"trial": index + 1, "start_s": known, "reason": str(reason), "was_run": True})
    return kept, skipped


def tables_of(
    session: str, about: Mapping[str, Any], kept: Sequence[KeptTrial], skipped: Sequence[Mapping[str, Any]]
) -> dict[str, pa.Table]:
    """Return the tables that every task makes: of the file, of its trials, and of what happened in those."""
    said = {"session": session}
    rewards = ({**said, "trial": one.row["trial"], **row} for one in kept for row in one.rewards)
    ports = ({**said, "trial": one.row["trial"], **one.ports} for one in kept if one.ports)
    return {
        "behavior_file": BEHAVIOR_FILE.from_rows([{**said, **about}]),
        "trials": TRIALS.from_rows({**said, **one.row} for one in kept),
        "skipped_trials": SKIPPED_TRIALS.from_rows({**said, **row} for row in skipped),
        "trial_events": trial_events_of(session, kept),
        "licks": licks_of(session, kept),
        "photostim_sites": PHOTOSTIM_SITES.empty(),
        "blocks": BLOCKS.empty(),
        "block_ports": BLOCK_PORTS.empty(),
        "water_port_settings": WATER_PORT_SETTINGS.from_rows(ports),
        "available_rewards": AVAILABLE_REWARDS.from_rows(rewards),
    }


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
