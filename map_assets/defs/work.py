"""One stage of one session, done: inputs gathered, tables made, checked and written, files accounted for. No Dagster here.

What is due is decided in `due`; how the outcome shows in the UI is told in `assets`.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pyarrow as pa
from sqlalchemy.exc import DBAPIError

from map_assets.archive.backends.protocol import ArchiveNotReady
from map_assets.config import Config
from map_assets.defs.due import Done, FileMark, SessionState, signature
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB, Check, Made, Stage, Work, animal_of
from map_assets.shares.share import Inventory
from map_assets.store import Version
from map_assets.vocabulary.errors import (
    BadInput,
    ChangedWhileRead,
    CompanionMissing,
    MapAssetsError,
    NotYet,
    TableDoesNotFit,
)
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.table import Table, Verdict


@dataclass(frozen=True)
class Outcome:
    """What a stage left behind: versions and schema verdicts by table, verdicts by check, and what it made."""

    versions: Mapping[str, Version]
    schemas: Mapping[str, Verdict]
    verdicts: Sequence[tuple[Check, Verdict]]
    made: Made


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
        for found in (*inventory.files, *gone):
            files[found.role].append(_mark(found, inventory))
        there = (*inventory.files, *inventory.unsettled)
        folders = {(found.role, found.share, found.relpath.parent) for found in there}
        for found in gone:
            absent[found.role].append(found.relpath.name)
            if (found.role, found.share, found.relpath.parent) in folders:
                torn[found.role].append(found.relpath.name)
        moving = frozenset(found.role for found in inventory.unsettled)
    done = {}
    for name, record in ledger.stage_records(session).items():
        left = json.loads(record.detail)
        has_failed = record.outcome == "failed"
        done[name] = Done(record.signature, tuple(left["made"]), left["blocked"], has_failed)
    return SessionState(
        session,
        tables=_versions(services, session, _tables_of(stages)),
        lab_tables=_versions(services, LAB, lab_names),
        done=done,
        files=files,
        absent=absent,
        torn=torn,
        moving=moving,
        registry=registry_marks(services, session) if any(stage.needs for stage in stages) else {},
        parameters=parameters_of_all(stages, services) if parameters is None else parameters,
    )


def _tables_of(stages: Sequence[Stage]) -> set[str]:
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
    return {"subject": mark if known else None, "any subject": mark, "insertions": mark, "sorting choices": choices}


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


def _versions(services: Services, session: str, names: set[str]) -> dict[str, str]:
    store = services.store
    standing = {name: store.version(name, session) for name in sorted(names) if store.has(name, session)}
    return {name: version for name, version in standing.items() if version is not None}


def perform(stage: Stage, session: str, services: Services) -> Outcome:
    """Do one stage of one session.

    Raises
    ------
    BadInput
        If its files are not what they should be; they are in quarantine then.
    NotYet
        If something it needs has still to arrive.
    MapAssetsError
        If it fails for another expected reason.
    """
    state = state_of([stage], services, session)
    files = files_of(stage, session, services)
    own = frozenset(table.name for table in stage.writes)
    try:
        made = stage.make(Work(session, files, _read(stage, session, services), services, own))
        if _versions(services, session, _tables_of([stage])) != state.tables:
            raise NotYet(f"Tables of {session} were written while {stage.name} read them; it is done at the next look.")
        _refuse(stage, made, services)
        versions = _write(stage, session, made, services)
        services.ledger.mark_ingested(_claimed(stage, files, made), by=stage.name)
        schemas = {table.name: _fits(table, session, services) for table in stage.writes}
        verdicts = _verdicts(stage, session, made, services)
    except Exception as error:
        if not _is_passing(error):
            _fail(stage, session, state, files, error, services)
        raise
    failed = [check.name for check, verdict in verdicts if check.is_blocking and not verdict.passed]
    failed += [f"{name} fits its declaration" for name, verdict in schemas.items() if not verdict.passed]
    detail = json.dumps({"made": sorted(versions), "blocked": ", ".join(failed)})
    services.ledger.record_stage(session, stage.name, signature(stage, _without(state, made)), "done", detail)
    return Outcome(versions, schemas, verdicts, made)


def _is_passing(error: BaseException | None) -> bool:
    """Whether nothing is wrong with what was found: it waits, or a disk, share or database is not there just now."""
    if isinstance(error, NotYet | ChangedWhileRead | ArchiveNotReady | DBAPIError | MemoryError):
        return True
    if isinstance(error, OSError):
        # the system's own errors have a number; readers raise bare ones for files of another format
        return error.errno is not None
    return isinstance(error, BadInput) and error.__cause__ is not None and _is_passing(error.__cause__)


def _fail(
    stage: Stage, session: str, state: SessionState, files: Sequence[FoundFile], error: Exception, services: Services
) -> None:
    """Put the files to blame into quarantine and remember the failure; what the tables that stand are worth stays known."""
    if isinstance(error, BadInput):
        blamed = [found for found in files if found.path == error.path or error.path in found.path.parents]
        services.ledger.quarantine(blamed or files, str(error), by=stage.name)
    text = str(error) if isinstance(error, MapAssetsError) else f"{type(error).__name__}: {error}"
    last = state.done.get(stage.name, Done(""))
    detail = json.dumps({"made": last.made, "blocked": last.blocked, "why": text})
    services.ledger.record_stage(session, stage.name, signature(stage, state), "failed", detail)


def files_of(stage: Stage, session: str, services: Services) -> tuple[FoundFile, ...]:
    """Return the session's settled, usable files that a stage opens."""
    if not stage.roles:
        return ()
    return tuple(found for found in services.ledger.inventory(session).files if stage.opens(found.role))


def _read(stage: Stage, session: str, services: Services) -> dict[str, pa.Table]:
    store = services.store
    tables = {name: store.read(name, session) for name in stage.reads}
    asked = [(name, session) for name in (*stage.one_of, *stage.may_read)] + [(name, LAB) for name in stage.lab_reads]
    for name, key in asked:
        found = store.read_if_there(name, key)
        if found is not None:
            tables[name] = found
    return tables


def _write(stage: Stage, session: str, made: Made, services: Services) -> dict[str, Version]:
    """Check every table before the first is written, so that a bad one leaves all of them as they stood."""
    checked = [(table, table.check(made.tables.get(table.name, table.empty()))) for table in stage.writes]
    return {table.name: services.store.write(table, session, data) for table, data in checked}


def _without(state: SessionState, made: Made) -> SessionState:
    """Return the state as it was, less the files that were refused: they are in quarantine and no input any more."""
    quarantined = [item for item in made.rejected if not isinstance(item.error, CompanionMissing)]
    refused = {(found.share, str(found.relpath)) for rejected in quarantined for found in rejected.files}
    files = {role: [mark for mark in marks if mark[:2] not in refused] for role, marks in state.files.items()}
    return replace(state, files=files)


def _mark(found: FoundFile, inventory: Inventory) -> FileMark:
    path = str(found.relpath)
    return found.share, path, found.size, found.mtime_ns, inventory.changed_ns.get((found.share, path), 0)


def _refuse(stage: Stage, made: Made, services: Services) -> None:
    """Put refused files into quarantine; one that waits for another file goes on waiting, and says for which.

    Raises
    ------
    BadInput
        If nothing else was there: what stood before stays.
    """
    passing = [rejected.error for rejected in made.rejected if _is_passing(rejected.error)]
    if passing:
        raise passing[0]
    for rejected in made.rejected:
        if isinstance(rejected.error, CompanionMissing):
            services.ledger.hold(rejected.files, str(rejected.error))
        else:
            services.ledger.quarantine(rejected.files, str(rejected.error), by=stage.name)
    bad = [rejected.error for rejected in made.rejected if not isinstance(rejected.error, CompanionMissing)]
    if bad and not any(table.num_rows for table in made.tables.values()):
        raise bad[0]


def _claimed(stage: Stage, files: Sequence[FoundFile], made: Made) -> list[FoundFile]:
    """Files that count as ingested now."""
    refused = {found for rejected in made.rejected for found in rejected.files}
    return [found for found in files if found.role in stage.claims and found not in refused]


def _fits(table: Table, session: str, services: Services) -> Verdict:
    """Read a table back as it stands and hold it against its declaration."""
    try:
        n_rows, n_columns = table.check_pieces(services.store.read_groups(table.name, session))
    except TableDoesNotFit as error:
        return Verdict(False, str(error))
    return Verdict(True, f"{n_rows} rows, {n_columns} columns", {"columns": n_columns})


def _verdicts(stage: Stage, session: str, made: Made, services: Services) -> list[tuple[Check, Verdict]]:
    """Judge what was made by reading it back from the store, each table once."""
    read = cache(lambda name: services.store.read(name, session))
    verdicts = []
    for check in stage.checks:
        if not check.reads:
            verdicts.append((check, made.verdicts[check.name]))
            continue
        missing = [name for name in check.reads if not services.store.has(name, session)]
        if missing:
            verdicts.append((check, Verdict(True, f"Does not apply: there is no table {', '.join(missing)} yet.")))
            continue
        tables = [read(name) for name in check.reads]
        try:
            verdict = check.claim(*tables)
        except Exception as error:  # noqa: BLE001 - a check that cannot be made is one that does not hold
            verdict = Verdict(False, f"The check could not be made: {type(error).__name__}: {error}")
        verdicts.append((check, verdict))
    return verdicts


def digest_of(session: str, services: Services, names: Sequence[str]) -> str:
    """Hash the versions of tables that a result was drawn from."""
    versions = [f"{name}:{services.store.version(name, session)}" for name in names]
    return hashlib.sha256("\n".join(versions).encode()).hexdigest()
