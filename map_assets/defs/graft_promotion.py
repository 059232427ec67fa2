"""A grafted analysis joins the shared graph: what stands in its namespace is judged, then its tables are taken over. The conditions live in `graft.promotion`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from map_assets.defs.due import signature
from map_assets.defs.grafts import PrivateServices, decision_for, services_for, stages_of
from map_assets.defs.services import Services
from map_assets.defs.stage import Stage, Work
from map_assets.defs.state import state_of
from map_assets.graft.declare import Graft, Script
from map_assets.graft.installed import Installed
from map_assets.graft.promotion import (
    MayNotBePromoted,
    Promoted,
    Standing,
    is_promoted,
    objections,
    read_record,
    write_record,
)
from map_assets.graft.proving import failing_tests, own_tests_of
from map_assets.vocabulary.errors import TableDoesNotFit

Say = Callable[[str], None]


def standing_of(graft: Graft, services: Services, *, try_again: bool = True) -> Standing:
    """Judge how far a graft has come in its namespace.

    Parameters
    ----------
    graft : Graft
    services : Services
        The laboratory's shared ones.
    try_again : bool
        Whether it is done anew in memory for the first session, the last and one between, to see whether the same
        comes out; a script is not (only a run can start it).
    """
    made, due, failed, refused = [], [], [], []
    stage = stages_of(graft)[0]
    with services_for([graft], services) as private:
        for session in services.store.sessions():
            if not all(services.store.has(name, session) for name in graft.reads):
                continue
            record = private.ledger.stage_records(session).get(graft.name)
            if record is not None and record.outcome == "failed":
                failed.append(session)
            elif record is None or graft.name in decision_for([graft], session, services).stages:
                due.append(session)
            elif json.loads(record.detail)["blocked"]:
                refused.append(session)
            else:
                made.append(session)
        chosen = sorted({made[0], made[len(made) // 2], made[-1]}) if made and try_again else []
        differing = [one for one in chosen if not _comes_out_the_same(graft, stage, one, private)]
    return Standing(made, due, failed, refused, differing)


def _comes_out_the_same(graft: Graft, stage: Stage, session: str, private: Services) -> bool:
    if isinstance(graft.body, Script):
        return True
    again = stage.make(Work(session, (), {}, private)).tables[graft.name]
    return bool(graft.table.check(again).equals(private.store.read(graft.name, session)))


def in_the_way(one: Installed, services: Services) -> list[str]:
    """Say what is in the way of a graft's promotion, a sentence each; the tests beside its package are run for it."""
    graft = one.graft
    assert graft is not None
    earlier = read_record(services.config.store.root, graft.name)
    is_taken = graft.name in services.store.tables()
    found = objections(graft, standing_of(graft, services), earlier, is_taken=is_taken)
    tests = own_tests_of(one.package)
    failing = None if tests is None else failing_tests(tests)
    return found if failing is None else [*found, failing]


def promote(one: Installed, services: Services, *, who: str, why: str, say: Say = lambda _text: None) -> Promoted:
    """Take a graft's tables over into the shared store, and write down that its code is part of the shared graph.

    Its results are copied, not made again: they were made from what stands, by this code, under these settings. The
    shared ledger learns their signatures, so that nothing is due anew. Its figure is drawn again by the shared graph.

    Parameters
    ----------
    one : Installed
    services : Services
        The laboratory's shared ones.
    who, why : str
        Kept with the record.

    Raises
    ------
    MayNotBePromoted
        If something is in the way; nothing is changed then.
    """
    graft, root = one.graft, services.config.store.root
    assert graft is not None
    if is_promoted(graft, root):
        raise MayNotBePromoted(f"{graft.name} is part of the shared graph as it stands; there is nothing to promote.")
    found = in_the_way(one, services)
    if found:
        raise MayNotBePromoted(f"{graft.name} stays private: {'; '.join(found)}.")
    own = frozenset(table.name for table in graft.tables)
    private = PrivateServices(services.config, graft.namespace, own)
    try:
        sessions = private.store.sessions(graft.name)
        # the record comes last: a promotion that was broken off is done again, and finds the same bytes
        for session in sessions:
            say(f"{session}: {graft.name}")
            _take_over(graft, session, private, services)
    finally:
        private.ledger.close()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    code = (graft.version, graft.source_sha256)
    record = Promoted(
        graft.name, graft.namespace, one.package, one.package_version, *code, now, who, why, len(sessions)
    )
    write_record(root, record)
    return record


def _take_over(graft: Graft, session: str, private: Services, shared: Services) -> None:
    """Write a session's table into the shared store, hold it against the private one, and remember how it was made."""
    stage = stages_of(graft)[0]
    state = state_of([stage], private, session)
    record = private.ledger.stage_records(session)[graft.name]
    if record.signature != signature(stage, state):
        raise MayNotBePromoted(f"What {graft.name} of {session} rests on changed just now; promote it again.")
    table = private.store.read(graft.name, session)
    version = shared.store.write(graft.table, session, table)
    if version.sha256 != private.store.standing(graft.name, session).sha256:
        raise TableDoesNotFit(f"{graft.name} of {session} came out as other bytes in the shared store.")
    shared.ledger.record_stage(session, graft.name, record.signature, "done", record.detail)
