"""A session's tables to one NWB file, in NWB's own types. Each part of the file is made by a module beside this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from map_assets.nwb.header import has_photostim, make_file, notes_of
from map_assets.nwb.identity import file_identifier, name_objects
from map_assets.nwb.photostim import add_photostim
from map_assets.nwb.pose import add_pose
from map_assets.nwb.probes import add_probes, probes_of
from map_assets.nwb.trials import add_events, add_licks, add_trials
from map_assets.nwb.units import add_units
from map_assets.vocabulary.errors import NoSuchTable, TableDoesNotFit
from map_assets.vocabulary.subject import Insertion, Laboratory, Subject

REQUIRED = ("sessions", "trials")
OPTIONAL = (
    *("skipped_trials", "trial_events", "licks", "photostim_sites", "tracking"),
    *("recordings", "sortings", "probes", "probe_sites", "clock_maps"),
    *("electrodes", "units", "spikes"),
)
"""Tables that the file is made of; others may be handed over and do not count."""


def write_nwb(
    path: Path,
    session: str,
    tables: Mapping[str, pa.Table],
    subject: Subject,
    laboratory: Laboratory,
    insertions: Sequence[Insertion] = (),
    *,
    written_at: datetime | None = None,
) -> None:
    """Write one session as one NWB file.

    The same tables give the same file, byte for byte, but for the date of writing in it. All times in the file are
    seconds of the session clock. Units whose probe has no clock map, and spikes outside the observed trials, are left
    out; the file's notes say how many and why.

    Parameters
    ----------
    path : pathlib.Path
        Written to directly; what stands there is replaced.
    session : str
        Session key.
    tables : mapping of str to pyarrow.Table
        Tables of the session by name. `sessions` and `trials` are required, every other one is optional.
    subject : Subject
    laboratory : Laboratory
    insertions : sequence of Insertion
        Where probes were aimed; those of other sessions do not count.
    written_at : datetime.datetime, optional
        Creation date in the file, with zone; now by default.

    Raises
    ------
    NoSuchTable
        If a required table is missing.
    TableDoesNotFit
        If a table holds what the file cannot say, or belongs to another session.
    """
    used = _used(session, tables)
    identifier = file_identifier(session, used)
    row = used["sessions"].to_pylist()[0]
    nwbfile = make_file(row, used, subject, laboratory, identifier, written_at or datetime.now(UTC))
    left_out = _add_data(nwbfile, session, used, insertions)
    nwbfile.notes = " ".join([*notes_of(row, used), *left_out])
    name_objects(nwbfile, identifier)
    _write(path, nwbfile)


def _used(session: str, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    for name in REQUIRED:
        if name not in tables:
            raise NoSuchTable(f"The NWB file of {session} needs the table {name}, which does not stand yet.")
    if tables["sessions"]["session"].to_pylist() != [session]:
        raise TableDoesNotFit(f"sessions: expected the one row of {session}, found {tables['sessions']['session']}")
    return {name: tables[name] for name in (*REQUIRED, *OPTIONAL) if name in tables}


def _add_data(nwbfile: Any, session: str, tables: Mapping[str, pa.Table], insertions: Sequence[Insertion]) -> list[str]:
    """Add every table to the file; return sentences on what was left out."""
    trials = tables["trials"]
    notes = []
    add_trials(nwbfile, trials)
    if "trial_events" in tables:
        add_events(nwbfile, tables["trial_events"], trials)
    if "licks" in tables:
        add_licks(nwbfile, tables["licks"])
    if has_photostim(trials):
        notes += add_photostim(nwbfile, trials, tables.get("photostim_sites"))
    if "tracking" in tables:
        add_pose(nwbfile, tables["tracking"])
    if probes_of(tables):
        add_probes(nwbfile, session, tables, insertions)
    if "units" in tables:
        notes += add_units(nwbfile, tables)
    return notes


def _write(path: Path, nwbfile: Any) -> None:
    import h5py
    from pynwb import NWBHDF5IO

    # the caller gives a temporary path, whose name pynwb would object to
    with h5py.File(path, "w") as file, NWBHDF5IO(mode="w", file=file) as io:
        io.write(nwbfile)
