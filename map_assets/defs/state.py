"""All that a decision about one session rests on, gathered: files, tables, records, registry, settings. Deciding is in `due`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from map_assets.archive.removal_report import away as removed_by_us
from map_assets.config import Config
from map_assets.defs.due import Done, FileMark, SessionState
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB, Stage, animal_of
from map_assets.shares.share import Inventory
from map_assets.vocabulary.files import FoundFile


def state_of(
    stages: Sequence[Stage], services: Services, session: str, parameters: Mapping[str, str] | None = None
) -> SessionState:
    """Gather all that a decision about one session rests on; `parameters_of_all` once where there are many sessions."""
    ledger = services.ledger
    lab_names = {name for stage in stages for name in stage.lab_reads}
    files: dict[str, list[FileMark]] = defaultdict(list)
    absent: dict[str, list[str]] = defaultdict(list)
    torn: dict[str, list[str]] = defaultdict(list)
    moving: frozenset[str] = frozenset()
    if session != LAB:
        inventory = ledger.inventory(session)
        gone = _ingested(inventory.absent, session, services) if inventory.absent else []
        freed = removed_by_us(services.journal, session) if gone else {}
        for found in (*inventory.files, *gone):
            files[found.role].append(_mark(found, inventory))
        there = (*inventory.files, *inventory.unsettled)
        folders = {(found.role, found.share, found.relpath.parent) for found in there}
        for found in gone:
            if freed.get((found.share, str(found.relpath))) == (found.size, found.mtime_ns):
                continue  # the archive has it: nobody need wait for it, and who needs its table carries that over
            absent[found.role].append(found.relpath.name)
            if any(
                _is_torn(found, folder) for role, share, folder in folders if (role, share) == (found.role, found.share)
            ):
                torn[found.role].append(found.relpath.name)
        moving = frozenset(found.role for found in inventory.unsettled)
    done = {}
    for name, record in ledger.stage_records(session).items():
        left = json.loads(record.detail)
        has_failed = record.outcome == "failed"
        done[name] = Done(record.signature, tuple(left["made"]), left["blocked"], has_failed, left.get("inputs"))
    return SessionState(
        session,
        tables=versions_of(services, session, tables_of(stages)),
        lab_tables=versions_of(services, LAB, lab_names),
        done=done,
        files=files,
        absent=absent,
        torn=torn,
        moving=moving,
        registry=registry_marks(services, session) if any(stage.needs for stage in stages) else {},
        parameters=parameters_of_all(stages, services) if parameters is None else parameters,
    )


def _is_torn(gone: FoundFile, folder: PurePosixPath) -> bool:
    """Whether a file has left a folder of which this one, still there, is the rest: the same, one inside or one around it."""
    return folder.is_relative_to(gone.relpath.parent) or gone.relpath.parent.is_relative_to(folder)


def tables_of(stages: Sequence[Stage]) -> set[str]:
    """Names of all tables of a session that stages may take or make."""
    return {name for stage in stages for name in (*stage.inputs, *(table.name for table in stage.writes))}


def _ingested(files: Sequence[FoundFile], session: str, services: Services) -> list[FoundFile]:
    """Those of the files that a stage has taken in."""
    taken = {(found.share, found.relpath) for found in services.ledger.files(session=session, state="ingested")}
    return [found for found in files if (found.share, str(found.relpath)) in taken]


def registry_marks(services: Services, session: str) -> dict[str, str | None]:
    """Fingerprint what the registry gives a session; None where it does not know the animal."""
    if session == LAB:
        return {"annotation": volume_mark(services.config)}
    registry, animal = services.registry, animal_of(session)
    mark = registry.fingerprint(animal)
    subject = registry.subject_of(animal)
    # an NWB file without the animal's age does not pass its gates: it waits like one without the animal
    known = subject is not None and subject.date_of_birth is not None
    choices = services.sorting_choices.fingerprint(session)
    return {
        "subject": mark if known else None,
        "any subject": mark,
        "insertions": mark,
        "sorting choices": choices,
        "tracing corrections": services.tracing_corrections.fingerprint(session),
        **_journal_marks(services, session),
    }


def _journal_marks(services: Services, session: str) -> dict[str, str | None]:
    """Fingerprint what the archive's journal has of a session: transfers that ended, none under way, any step."""
    journal = services.journal
    polled = journal.marks(session).get(session, "")
    is_under_way = journal.is_under_way(session)
    return {"transfers": polled, "transferred": None if is_under_way else "", "journal": journal.last_step(session)}


def volume_mark(config: Config) -> str | None:
    """Fingerprint the annotation volume that the configuration names; None where there is none."""
    volume = config.ccf.annotation
    if volume is None or not volume.is_file():
        return None
    found = volume.stat()
    return f"{volume}:{found.st_size}:{found.st_mtime_ns}"


def parameters_of_all(stages: Sequence[Stage], services: Services) -> dict[str, str]:
    """Fingerprint the settings that each stage's result depends on, by the stages' names."""
    return {stage.name: parameters_of(stage, services) for stage in stages}


def parameters_of(stage: Stage, services: Services) -> str:
    """Fingerprint the settings that a stage's result depends on."""
    return json.dumps(stage.parameters(services.config), default=str, sort_keys=True)


def versions_of(services: Services, session: str, names: set[str]) -> dict[str, str]:
    """Version of each of a session's tables of those names that stands."""
    store = services.store
    standing = {name: store.version(name, session) for name in sorted(names) if store.has(name, session)}
    return {name: version for name, version in standing.items() if version is not None}


def _mark(found: FoundFile, inventory: Inventory) -> FileMark:
    path = str(found.relpath)
    return found.share, path, found.size, found.mtime_ns, inventory.changed_ns.get((found.share, path), 0)
