"""A session's tables to one NWB file, in NWB's own types. Each part of the file is made by a module beside this one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pyarrow as pa

from map_assets.nwb.beside import PLACES, add_plain_tables
from map_assets.nwb.chunks import fill
from map_assets.nwb.header import Publication, has_photostim, make_file, notes_of
from map_assets.nwb.identity import file_identifier, name_objects
from map_assets.nwb.joined import JOINED
from map_assets.nwb.photostim import add_photostim
from map_assets.nwb.pose import add_pose
from map_assets.nwb.probes import add_probes, probes_of
from map_assets.nwb.published import add_published_data
from map_assets.nwb.raw import add_raw
from map_assets.nwb.trials import add_events, add_licks, add_rig_events, add_trials
from map_assets.nwb.units import add_units
from map_assets.nwb.videos import add_videos, placed_videos
from map_assets.vocabulary.errors import NoSuchTable, TableDoesNotFit
from map_assets.vocabulary.subject import Laboratory, Subject

REQUIRED = ("sessions", "trials")
OPTIONAL = (
    *("trial_events", "licks", "photostim_sites", "rig_events", "tracking", "probes", "probe_sites", "electrodes"),
    *("units", "spikes"),
    *JOINED,
    *(name for names in PLACES.values() for name in names),
)
"""Tables that the file is made of, and the only list of them; others may be handed over and do not count."""

Profile = Literal["map-assets", "dandi-000363"]
NOTHING_SAID = Publication()
NOWHERE: Mapping[str, Path] = MappingProxyType({})


def write_nwb(
    path: Path,
    session: str,
    tables: Mapping[str, pa.Table],
    subject: Subject,
    laboratory: Laboratory,
    *,
    profile: Profile = "map-assets",
    publication: Publication = NOTHING_SAID,
    roots: Mapping[str, Path] = NOWHERE,
    embeds_raw: bool = False,
    embeds_video: bool = False,
    written_at: datetime | None = None,
) -> None:
    """Write one session as one NWB file.

    The same tables, subject, laboratory and found videos give the same file, byte for byte, but for the date of writing
    in it and the videos' place as seen from it. All times in the file are
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
    profile : str
        ``map-assets``, or ``dandi-000363``: names and forms of that published dandiset, for code that was made for it.
    publication : Publication
        Keywords and publications that the lab adds.
    roots : mapping of str to pathlib.Path
        Folder of each share, by its name. Videos that are found there are named in the file (they stay where they are).
    embeds_raw : bool
        Whether the recordings that are found under `roots` are copied into the file, both bands.
    embeds_video : bool
        Whether the images of the videos that are found under `roots` are copied into the file.
    written_at : datetime.datetime, optional
        Creation date in the file, with zone; now by default.

    Raises
    ------
    NoSuchTable
        If a required table is missing.
    TableDoesNotFit
        If a table holds what the file cannot say, or belongs to another session.
    SubjectDoesNotFit
        If the animal was born after the session.
    """
    used = _used(session, tables)
    embeds = {"embeds_raw": embeds_raw, "embeds_video": embeds_video}
    identifier = identifier_of(
        session, used, subject, laboratory, profile=profile, publication=publication, roots=roots, **embeds
    )
    row = used["sessions"].to_pylist()[0]
    nwbfile = make_file(row, used, subject, laboratory, identifier, written_at or datetime.now(UTC), publication)
    left_out = add_published_data(nwbfile, used) if profile == "dandi-000363" else _add_data(nwbfile, used)
    if "videos" in used and (embeds_video or profile == "map-assets"):
        left_out += add_videos(nwbfile, path, used, roots, embeds=embeds_video)
    if embeds_raw and "recordings" in used and "probe_sites" in used:
        left_out += add_raw(nwbfile, used, roots)
    nwbfile.notes = " ".join([*notes_of(row, used), *left_out])
    name_objects(nwbfile, identifier)
    write_file(path, nwbfile)


def identifier_of(
    session: str,
    tables: Mapping[str, pa.Table],
    subject: Subject,
    laboratory: Laboratory,
    *,
    profile: Profile = "map-assets",
    publication: Publication = NOTHING_SAID,
    roots: Mapping[str, Path] = NOWHERE,
    embeds_raw: bool = False,
    embeds_video: bool = False,
) -> str:
    """Return the identifier that `write_nwb` gives the file of the same arguments: it names all that is in the file."""
    videos = placed_videos(tables["videos"], roots) if "videos" in tables else []
    outside = [(row["share"], row["file"]) for row, _ in videos]
    told = (profile, subject, laboratory, publication, outside, embeds_raw, embeds_video)
    return file_identifier(session, _used(session, tables), repr(told))


def _used(session: str, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    for name in REQUIRED:
        if name not in tables:
            raise NoSuchTable(f"The NWB file of {session} needs the table {name}, which does not stand yet.")
    if tables["sessions"]["session"].to_pylist() != [session]:
        raise TableDoesNotFit(f"sessions: expected the one row of {session}, found {tables['sessions']['session']}")
    return {name: tables[name] for name in (*REQUIRED, *OPTIONAL) if name in tables}


def _add_data(nwbfile: Any, tables: Mapping[str, pa.Table]) -> list[str]:
    """Add every table to the file; return sentences on what was left out."""
    trials = tables["trials"]
    notes = []
    add_trials(nwbfile, trials)
    if "trial_events" in tables:
        add_events(nwbfile, tables["trial_events"], trials)
    if "licks" in tables:
        add_licks(nwbfile, tables["licks"])
    if "rig_events" in tables:
        add_rig_events(nwbfile, tables["rig_events"])
    if has_photostim(trials):
        notes += add_photostim(nwbfile, trials, tables.get("photostim_sites"))
    if "tracking" in tables:
        notes += add_pose(nwbfile, tables["tracking"])
    if probes_of(tables):
        add_probes(nwbfile, tables)
    if "units" in tables:
        notes += add_units(nwbfile, tables)
    add_plain_tables(nwbfile, tables)
    return notes


def write_file(path: Path, nwbfile: Any) -> None:
    """Write a file that is made in memory, its large arrays too."""
    import h5py
    from pynwb import NWBHDF5IO

    # the caller gives a temporary path, whose name pynwb would object to
    with h5py.File(path, "w") as file, NWBHDF5IO(mode="w", file=file) as io:
        io.write(nwbfile)
        fill(nwbfile)
