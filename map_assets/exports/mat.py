"""A session's tables to the variables of one probe's MATLAB file. Its bytes are made in `mat_file`, what each variable means stands in `docs/matlab.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from map_assets.exports.spikes import spike_variables
from map_assets.exports.tracking import tracking_variable
from map_assets.exports.trials import trial_variables
from map_assets.exports.units import insertion_info, of_probe, unit_variables
from map_assets.vocabulary.errors import NoSuchTable, TableDoesNotFit

REQUIRED = (
    *("sessions", "trials", "trial_events", "licks"),
    *("probes", "clock_maps", "units", "spikes", "trial_spikes"),
)
OPTIONAL = (
    *("photostim_sites", "insertions", "electrodes", "tracking"),
    *("unit_waveforms", "unit_stats", "drift", "cell_type", "unit_classes"),
)
OF_THE_LAB = ("ccf_ontology",)
"""Tables of the whole laboratory that it takes where they stand."""

FORMAT = 2
"""Raised with every change of what is written for the same tables."""


def mat_name(session: str, probe: int) -> str:
    """Name the file as the earlier pipeline did; ``s0`` stands where it had its own count of an animal's sessions."""
    return f"map-export_{session}_s0_p{probe}.mat"


def make_mat(session: str, probe: int, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    """Make the variables of one probe's MATLAB file.

    Parameters
    ----------
    session : str
        Session key.
    probe : int
        Insertion number.
    tables : mapping of str to pyarrow.Table
        Tables of the session by name: `REQUIRED`, and of `OPTIONAL` and `OF_THE_LAB` those that stand.

    Returns
    -------
    dict
        Arrays, cells (object arrays), structs (dicts) and texts, ready for `write_mat` or `scipy.io.savemat` with
        ``oned_as="row"``. T is the number of `trials`, U of the probe's units.

    Raises
    ------
    NoSuchTable
        If a required table is missing, or the probe has no sorted units.
    TableDoesNotFit
        If tables contradict each other or belong to another session.
    """
    for name in REQUIRED:
        if name not in tables:
            raise NoSuchTable(f"The MATLAB file of {session} needs the table {name}, which does not stand yet.")
    if tables["sessions"]["session"].to_pylist() != [session]:
        raise TableDoesNotFit(f"sessions: expected the one row of {session}")
    units = of_probe(tables["units"], probe)
    if not units.num_rows:
        raise NoSuchTable(f"Probe {probe} of {session} has no sorted units.")
    made: dict[str, Any] = {"probe_insertion_info": insertion_info(tables, probe)}
    about_units = unit_variables(tables, probe)
    made |= spike_variables(tables, probe, units.sort_by("unit_id")["unit_id"].to_numpy())
    made |= about_units | trial_variables(tables)
    if "tracking" in tables and tables["tracking"].num_rows:
        made["tracking"] = tracking_variable(tables["tracking"], tables["trials"])
    made["export_info"] = _about(session, probe, tables)
    return made


def _about(session: str, probe: int, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    row = tables["sessions"].to_pylist()[0]
    sorting = next(iter(of_probe(tables["units"], probe)["sorting"].to_pylist()), None)
    return {
        "session": session,
        "probe": float(probe),
        "subject": row["subject"] or "",
        "start_time": row["start_time"].isoformat(),
        "task": row["task"],
        "sorting": sorting or "",
        "format": float(FORMAT),
    }
