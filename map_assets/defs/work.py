"""One stage of one session, done: inputs gathered, tables made, checked and written, files accounted for. No Dagster here.

What is due is decided in `due`; how the outcome shows in the UI is told in `assets`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pyarrow as pa
from sqlalchemy.exc import DBAPIError

from map_assets import __version__
from map_assets.archive.backends.protocol import ArchiveNotReady
from map_assets.defs.due import Done, SessionState, signature
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB, Check, Made, Stage, Work
from map_assets.defs.state import state_of, tables_of, versions_of
from map_assets.store import Version
from map_assets.vocabulary.errors import (
    BadInput,
    ChangedWhileRead,
    CompanionMissing,
    MapAssetsError,
    NotYet,
    ShareNotReady,
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


def perform(stage: Stage, session: str, services: Services, *, may_skip: bool = False) -> Outcome:
    """Do one stage of one session.

    Parameters
    ----------
    may_skip : bool
        Whether what stands may be kept if it was made from the very same inputs: a stage is asked for when something
        that it rests on is made again, which may come out the same. A person who asks for it gets it made.

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
    if may_skip and _is_unchanged(stage, state):
        versions = {table.name: services.store.standing(table.name, session) for table in stage.writes}
        return _judged(stage, session, Made({}, notes={"kept": "made from the same inputs before"}), versions, services)
    files = files_of(stage, session, services)
    own = frozenset(table.name for table in stage.writes)
    try:
        made = stage.make(Work(session, files, _read(stage, session, services), services, own))
        if versions_of(services, session, tables_of([stage])) != state.tables:
            raise NotYet(f"Tables of {session} were written while {stage.name} read them; it is done at the next look.")
        _refuse(stage, made, services)
        versions = _write(stage, session, made, services)
        services.ledger.mark_ingested(_claimed(stage, files, made), by=stage.name)
        outcome = _judged(stage, session, made, versions, services)
    except Exception as error:
        if not _is_passing(error):
            _fail(stage, session, state, files, error, services)
        raise
    failed = [check.name for check, verdict in outcome.verdicts if check.is_blocking and not verdict.passed]
    failed += [f"{name} fits its declaration" for name, verdict in outcome.schemas.items() if not verdict.passed]
    inputs = {name: state.tables.get(name) for name in stage.inputs}
    told = {"code": stage.version, "package": __version__, "parameters": state.parameters.get(stage.name)}
    detail = json.dumps({"made": sorted(versions), "blocked": ", ".join(failed), "inputs": inputs, **told})
    services.ledger.record_stage(session, stage.name, signature(stage, _without(stage, state, made)), "done", detail)
    return outcome


def _is_unchanged(stage: Stage, state: SessionState) -> bool:
    """Whether a stage was done well from the same inputs; what is shown on its page it makes each time."""
    last = state.done.get(stage.name)
    if last is None or last.has_failed or last.blocked or stage.group == "figures":
        return False
    stands = {table.name for table in stage.writes} <= set(state.tables) & set(last.made)
    return stands and last.signature == signature(stage, state) and all(check.reads for check in stage.checks)


def _judged(stage: Stage, session: str, made: Made, versions: Mapping[str, Version], services: Services) -> Outcome:
    """Read back what stands and judge it."""
    schemas = {table.name: _fits(table, session, services) for table in stage.writes}
    return Outcome(versions, schemas, _verdicts(stage, session, made, services), made)


def _is_passing(error: BaseException | None) -> bool:
    """Whether nothing is wrong with what was found: it waits, or a disk, share or database is not there just now."""
    if isinstance(error, NotYet | ChangedWhileRead | ArchiveNotReady | ShareNotReady | DBAPIError | MemoryError):
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
        mine = [found for found in blamed or files if stage.answers_for(found.role)]
        services.ledger.quarantine(mine, str(error), by=stage.name)
    text = str(error) if isinstance(error, MapAssetsError) else f"{type(error).__name__}: {error}"
    last = state.done.get(stage.name, Done(""))
    inputs = None if last.inputs is None else dict(last.inputs)
    detail = json.dumps({"made": last.made, "blocked": last.blocked, "why": text, "inputs": inputs})
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


def _without(stage: Stage, state: SessionState, made: Made) -> SessionState:
    """Return the state as it was, less the files that were refused: they are in quarantine and no input any more."""
    refused = {(found.share, str(found.relpath)) for found in _refused(stage, made)}
    files = {role: [mark for mark in marks if mark[:2] not in refused] for role, marks in state.files.items()}
    return replace(state, files=files)


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
        mine = [found for found in rejected.files if stage.answers_for(found.role)]
        if isinstance(rejected.error, CompanionMissing):
            services.ledger.hold(mine, str(rejected.error))
        else:
            services.ledger.quarantine(mine, str(rejected.error), by=stage.name)
    if _refused(stage, made) and not any(table.num_rows for table in made.tables.values()):
        raise next(item.error for item in made.rejected if not isinstance(item.error, CompanionMissing))


def _refused(stage: Stage, made: Made) -> list[FoundFile]:
    """Files that go to quarantine: refused for good, by the stage that answers for them."""
    for_good = [item for item in made.rejected if not isinstance(item.error, CompanionMissing)]
    return [found for item in for_good for found in item.files if stage.answers_for(found.role)]


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
