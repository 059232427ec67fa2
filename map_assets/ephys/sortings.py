"""A session's sortings: every version of them, the current one's units and spikes, and the others beside. How a sorter's files are read lives in `sorters`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from map_assets.ephys.sorters import jrclust, kilosort, spikeinterface_folder
from map_assets.ephys.sorters.protocol import Sorter, SortingFolder
from map_assets.ephys.sorting_folders import ProbeFolder, find_sortings
from map_assets.ephys.sorting_past import Past, StandingVersions
from map_assets.ephys.sorting_rows import facts_of, scale_of, tables_of
from map_assets.ephys.sorting_versions import (
    Candidate,
    bare_content,
    choose_current,
    content_in,
    content_of,
    version_id,
)
from map_assets.ephys.tables import SORTINGS
from map_assets.vocabulary.errors import BadInput, CompanionMissing, TableDoesNotFit
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.session import SessionKey
from map_assets.vocabulary.sorting import SortingChoice

SORTERS: tuple[Sorter, ...] = (kilosort, jrclust, spikeinterface_folder)
"""Exactly one of them may recognise a folder."""

_UNEXPECTED = (ValueError, TypeError, LookupError, ArithmeticError)
"""What a reader raises where files contradict each other in a way that it does not look for."""
_OF_CURRENT = ("units", "spikes", "spike_features")


@dataclass(frozen=True)
class _Version:
    """A version's row of `sortings` (less what the choice says) and its tables, by the names of the current one's."""

    row: Mapping[str, Any]
    tables: Mapping[str, pa.Table]


def read_sortings(
    session: str,
    files: Sequence[FoundFile],
    recordings: pa.Table | None = None,
    probe_sites: pa.Table | None = None,
    *,
    past: Past = lambda _name: iter(()),
    choices: Mapping[int, SortingChoice] | None = None,
    now: datetime | None = None,
) -> tuple[dict[str, pa.Table], tuple[Rejected, ...]]:
    """Read a session's sorter folders and set them beside what stood.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        The session's files; those with the role ``sorting`` are read, folder by folder.
    recordings, probe_sites : pyarrow.Table, optional
        For the scale of amplitudes and for the contact under each unit's peak channel.
    past : callable
        Gives what stands under the name of one of the returned tables, then what stood before; versions that no folder
        holds any more are carried over from it.
    choices : mapping of int to SortingChoice, optional
        People's decisions that stand, by probe.
    now : datetime.datetime, optional
        Our clock; None reads it.

    Returns
    -------
    tables : dict of str to pyarrow.Table
        `sortings` and `unit_labels` of all versions, `units`, `spikes` and `spike_features` of the current ones, and
        `other_units`, `other_spikes` and `other_spike_features` of the others; one that would be empty is left out.
    rejected : tuple of Rejected
        Folders that could not be used; other probes and other versions went on.
    """
    now = now or datetime.now(UTC)
    standing = StandingVersions(past, now)
    sorting_files = [file for file in files if file.role == "sorting"]
    folders, rejected = find_sortings(sorting_files, SORTERS, SessionKey.parse(session).animal)
    versions: dict[int, dict[str, _Version]] = defaultdict(dict)
    for found in folders:
        try:
            _read(session, found, recordings, probe_sites, versions[found.probe], standing, now)
        except (BadInput, TableDoesNotFit, *_UNEXPECTED) as error:
            rejected.append(_rejected(found.folder, error))
    for row in _to_carry(standing, versions):
        tables = standing.tables_of(row)
        if tables is not None:
            versions[row["probe"]][content_in(row["sorting"])] = _Version({**row, "is_on_share": False}, tables)
    return _assemble(versions, choices or {}), tuple(rejected)


def _read(
    session: str,
    found: ProbeFolder,
    recordings: pa.Table | None,
    probe_sites: pa.Table | None,
    versions: dict[str, _Version],
    standing: StandingVersions,
    now: datetime,
) -> None:
    """Read one folder into the probe's versions, unless another folder has given the same already."""
    result = found.sorter.read(found.folder, scale_of(recordings, found.probe))
    content = content_of(result)
    known = versions.get(content)
    if known is not None and (known.row["curation"] == "curated" or result.curation == "raw"):
        return
    facts = facts_of(session, found.probe, found.folder, result)
    sorting, first_seen = version_id(result.sorter, content), now
    for row in standing.rows:
        if row["probe"] == found.probe and content_in(row["sorting"]) == content:
            sorting, first_seen = row["sorting"], row["first_seen"]
            if result.sorter_version is None:
                # a folder that was renamed may not tell its sorter any more
                facts |= {"sorter": row["sorter"], "sorter_version": row["sorter_version"]}
    tables = tables_of(session, found.probe, sorting, result, probe_sites)
    versions[content] = _Version({**facts, "sorting": sorting, "first_seen": first_seen, "is_on_share": True}, tables)


def _rejected(folder: SortingFolder, error: Exception) -> Rejected:
    """Blame a folder's own files; what is below it waits with them where they wait."""
    blamed = _blame(folder, error)
    below = folder.below.values() if isinstance(blamed, CompanionMissing) else ()
    return Rejected((*folder.files.values(), *below), blamed)


def _blame(folder: SortingFolder, error: Exception) -> BadInput:
    """Make the folder's own error of what its reader raised; what nobody foresaw takes no other folder with it."""
    if isinstance(error, BadInput):
        return error
    said = str(error) if isinstance(error, TableDoesNotFit) else f"it cannot be read ({type(error).__name__}: {error})"
    blamed = folder.misfit(said, "files that agree with each other")
    blamed.__cause__ = error
    return blamed


def _to_carry(standing: StandingVersions, versions: Mapping[int, Mapping[str, _Version]]) -> list[dict[str, Any]]:
    """Rows of the versions that stand and that no folder gave; one whose folder counts for another probe now is not kept."""
    moved = {(content, one.row["folder"]) for found in versions.values() for content, one in found.items()}
    left = [
        row
        for row in standing.rows
        if content_in(row["sorting"]) not in versions.get(row["probe"], {})
        and (content_in(row["sorting"]), row["folder"]) not in moved
    ]
    # versions that were named out of older tables are the same where ids, trains and quality are
    read = {probe: versions[probe] for probe in {row["probe"] for row in left} & versions.keys()}
    bare = {
        (probe, bare_content(one.tables["units"], one.tables["spikes"]))
        for probe, found in read.items()
        for one in found.values()
    }
    return [row for row in left if (row["probe"], content_in(row["sorting"])) not in bare]


def _assemble(
    versions: Mapping[int, Mapping[str, _Version]], choices: Mapping[int, SortingChoice]
) -> dict[str, pa.Table]:
    """Decide each probe's current version and put all of them into their tables."""
    rows: list[dict[str, Any]] = []
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    for probe, of_probe in sorted(versions.items()):
        if not of_probe:
            continue
        found = sorted(of_probe.values(), key=lambda one: (one.row["first_seen"], one.row["sorting"]))
        candidates = [Candidate(one.row["sorting"], one.row["curation"], one.row["sorted_at"]) for one in found]
        current, because = choose_current(candidates, choices.get(probe))
        for one in found:
            is_current = one.row["sorting"] == current
            rows.append({**one.row, "is_current": is_current, "current_because": because if is_current else None})
            parts["unit_labels"].append(one.tables["unit_labels"])
            for name in _OF_CURRENT:
                part = one.tables[name]
                if is_current and name != "units":  # spikes stand under their unit, which tells the version
                    part = part.drop_columns(["sorting"])
                parts[name if is_current else f"other_{name}"].append(part)
    tables = {name: pa.concat_tables(found, promote_options="default") for name, found in parts.items()}
    if rows:
        tables["sortings"] = SORTINGS.from_rows(rows)
    return {name: table for name, table in tables.items() if table.num_rows}
