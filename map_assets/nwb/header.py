"""Who, when, where and what: the file's own fields and its subject. The data are added by the modules beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.nwb.probes import probes_of
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.subject import Laboratory, Subject

_LAST_FIRST = re.compile(r"[\w\s\-.']+, +[\w\s\-.']+")


class SubjectDoesNotFit(MapAssetsError):
    """What the registry says of the animal cannot be true of the session."""


@dataclass(frozen=True)
class Publication:
    """What a lab says of all its files.

    Parameters
    ----------
    keywords : tuple of str
        Beside those that follow from the tables.
    related : tuple of str
        Publications on these data, as ``doi:10.1101/2023.03.01.530520``.
    """

    keywords: tuple[str, ...] = ()
    related: tuple[str, ...] = ()


def make_file(
    session: Mapping[str, Any],
    tables: Mapping[str, pa.Table],
    subject: Subject,
    laboratory: Laboratory,
    identifier: str,
    written_at: datetime,
    publication: Publication,
) -> Any:
    """Make the NWB file in memory, without data.

    Parameters
    ----------
    session : mapping
        The row of `sessions`.
    tables : mapping of str to pyarrow.Table
        Tables of the session; here they only give the keywords and the description.
    identifier : str
        Of the file.
    written_at : datetime.datetime
        With zone; the file's creation date.
    publication : Publication
        What the lab adds: keywords, and where it has published on these data.

    Raises
    ------
    SubjectDoesNotFit
        If the animal was born after the session.
    """
    from pynwb import NWBFile

    zone = ZoneInfo(session["time_zone"])
    start = session["start_time"].astimezone(zone)
    person = session["experimenter"]
    return NWBFile(
        session_description=_description(session, tables),
        identifier=identifier,
        session_start_time=start,
        timestamps_reference_time=start,
        file_create_date=written_at,
        session_id=session["session"],
        experimenter=[person] if _is_full_name(person) else None,
        lab=laboratory.name or None,
        institution=laboratory.institution or None,
        experiment_description=f"Task {session['task']}, protocol {session['task_protocol']}.",
        keywords=list(dict.fromkeys([*_keywords(session, tables), *publication.keywords])),
        related_publications=list(publication.related) or None,
        was_generated_by=[["map_assets", version("map-assets")]],
        subject=_subject(subject, start, zone),
    )


def _subject(subject: Subject, start: datetime, zone: ZoneInfo) -> Any:
    from pynwb.file import Subject as NwbSubject

    born = subject.date_of_birth
    age_days = (start.date() - born).days if born is not None else None
    if age_days is not None and age_days < 0:
        raise SubjectDoesNotFit(
            f"The registry has animal {subject.animal} born on {born}, after its session of {start.date()}: correct its "
            "date of birth with `map-assets registry import SHEET --update`."
        )
    source = f" Source: {subject.source}." if subject.source else ""
    return NwbSubject(
        subject_id=subject.subject_id,
        description=f"Animal {subject.animal}.{source}",
        species=subject.species or None,
        sex=subject.sex,
        date_of_birth=None if born is None else datetime.combine(born, time(), zone),
        age=None if age_days is None else f"P{age_days}D",
        strain=subject.strain or None,
        genotype=subject.genotype or None,
    )


def has_photostim(trials: pa.Table) -> bool:
    """Whether any trial was photostimulated."""
    return bool(trials["photostim_onset_s"].null_count < trials.num_rows)


def _description(session: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> str:
    parts = [f"{tables['trials'].num_rows} trials"]
    if n_probes := len(probes_of(tables)):
        parts.append(f"{n_probes} probes")
    if "tracking" in tables and tables["tracking"].num_rows:
        parts.append(f"{len(tables['tracking']['camera'].unique())} tracked cameras")
    rig = f" on rig {session['rig']}" if session["rig"] else ""
    return f"Session {session['session']} of animal {session['animal']}{rig}: {', '.join(parts)}."


def _keywords(session: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> list[str]:
    words = ["behavior", session["task"]]
    words += ["optogenetics"] if has_photostim(tables["trials"]) else []
    words += ["electrophysiology", "extracellular recording"] if probes_of(tables) else []
    words += ["pose estimation"] if "tracking" in tables and tables["tracking"].num_rows else []
    return words


def _is_full_name(person: str | None) -> bool:
    return person is not None and _LAST_FIRST.fullmatch(person) is not None


def notes_of(session: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> list[str]:
    """Return sentences on the session that have no field of their own in NWB."""
    told = ["All times are seconds from the start of trial 1, which is the session's start time."]
    if session["time_zone_source"] != "configuration":
        told.append(
            f"The time zone {session['time_zone']} is that of the machine that read the session, not a setting."
        )
    if session["experimenter"] and not _is_full_name(session["experimenter"]):
        told.append(f"Experimenter as registered: {session['experimenter']}.")
    not_here = [name for name in ("instruction", "outcome") if _is_absent(tables["trials"], name)]
    told += [f"The task has no {name}: the column says so in every trial." for name in not_here]
    skipped = tables.get("skipped_trials")
    if skipped is not None and skipped.num_rows:
        reasons = pc.value_counts(skipped["reason"].combine_chunks()).to_pylist()
        counted = "; ".join(f"{one['counts']} ({one['values']})" for one in reasons)
        told.append(f"Trials of the behaviour file that are not in the trials table: {counted}.")
    return told


def _is_absent(trials: pa.Table, name: str) -> bool:
    """Whether a task has no such thing at all."""
    return trials.num_rows > 0 and bool(pc.all(pc.is_in(trials[name], pa.array(["none", "N/A"]))).as_py())
