"""Grafted analyses as stages: the same deciding, doing, checking and drawing, in a namespace of their own. Their assets live in `graft_assets`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from map_assets.defs.due import Decision, SessionState, decide
from map_assets.defs.hanging import hang
from map_assets.defs.services import Services
from map_assets.defs.stage import Check, Made, Stage, Work
from map_assets.defs.state import state_of
from map_assets.graft.declare import Claim, Graft, Script
from map_assets.graft.door import open_declared
from map_assets.graft.namespace import PrivateStore
from map_assets.graft.promotion import is_promoted
from map_assets.graft.script import Launch, ScriptFailed, run_script
from map_assets.shares.ledger import Ledger

GROUP = "grafted"


@dataclass(frozen=True)
class PrivateServices(Services):
    """The laboratory's services with a namespace over its store, and the namespace's own memory of how stages ended.

    Parameters
    ----------
    namespace : str
    own : frozenset of str
        Tables that may be written.
    """

    namespace: str = ""
    own: frozenset[str] = frozenset()

    @cached_property
    def store(self) -> PrivateStore:
        """The shared tables to read, the namespace's own to write."""
        return PrivateStore(super().store, self.namespace, self.own)

    @cached_property
    def ledger(self) -> Ledger:
        """How the namespace's analyses ended; the shared ledger knows nothing of them."""
        return Ledger(f"sqlite:///{self.store.root / 'ledger.db'}")


@contextmanager
def services_for(grafts: Sequence[Graft], shared: Services) -> Iterator[Services]:
    """Give the services that grafts of one place work with: the namespace's, or the shared ones of promoted grafts."""
    if is_promoted(grafts[0], shared.config.store.root):
        yield shared
        return
    own = frozenset(table.name for graft in grafts for table in graft.tables)
    private = PrivateServices(shared.config, grafts[0].namespace, own)
    try:
        yield private
    finally:
        private.ledger.close()


def by_place(grafts: Iterable[Graft], root: Path) -> dict[str, list[Graft]]:
    """Sort grafts by where they write: a namespace's name, or nothing for the shared store."""
    places: dict[str, list[Graft]] = {}
    for graft in grafts:
        places.setdefault("" if is_promoted(graft, root) else graft.namespace, []).append(graft)
    return places


def stages_of(graft: Graft, launch: Launch | None = None) -> tuple[Stage, ...]:
    """Make a graft's stages: the analysis, and its figure if it draws one.

    Parameters
    ----------
    graft : Graft
    launch : callable, optional
        Starts its script, if its body is one.
    """

    def parameters(_config: object) -> object:
        return [dict(graft.parameters), graft.source_sha256]

    whole = Stage(
        graft.name,
        partial(_make, graft, launch),
        (graft.table,),
        reads=graft.reads,
        may_read=graft.may_read,
        lab_reads=graft.lab_reads,
        group=GROUP,
        kinds=frozenset({"parquet"}),
        version=graft.version,
        parameters=parameters,
        checks=tuple(_check(graft, claim) for claim in graft.claims),
    )
    if graft.draw is None:
        return (whole,)
    figure = Stage(
        graft.figure.name,
        partial(_draw, graft),
        (graft.figure,),
        reads=(graft.name,),
        group="figures",
        kinds=frozenset({"parquet", "matplotlib"}),
        version=graft.version,
        parameters=parameters,
    )
    return whole, figure


def _check(graft: Graft, claim: Claim) -> Check:
    return Check(claim.claim, graft.name, claim.reads or (graft.name,), claim.is_blocking)


def _make(graft: Graft, launch: Launch | None, work: Work) -> Made:
    """Do the body: in this process, or as a script."""
    if not isinstance(graft.body, Script):
        session = open_declared(work.services.config.store.root, work.session, graft)
        return Made({graft.name: graft(session)})
    if launch is None:
        raise ScriptFailed(f"The body of {graft.name} is a script; `map-assets graft run {graft.name}` runs it.")
    with tempfile.TemporaryDirectory(prefix=f"map_assets_{graft.name}_") as folder:
        return Made({graft.name: run_script(graft, work.session, work.tables, Path(folder), launch)})


def _draw(graft: Graft, work: Work) -> Made:
    from map_assets.analyst.frame import frame_from

    assert graft.draw is not None
    frame = frame_from(work.table(graft.name), graft.table)
    return hang(work, graft.figure, graft.draw(work.session, frame), (graft.name,))


def decision_for(grafts: Sequence[Graft], session: str, shared: Services) -> Decision:
    """Decide which stages of grafts of one place a session is due for, by the very rule of the shared graph.

    A shared table that a blocking check refused, or whose last making failed, holds up the grafts that rest on it too.
    """
    stages = [stage for graft in grafts for stage in stages_of(graft)]
    with services_for(grafts, shared) as services:
        return decide(stages, _with_shared(state_of(stages, services, session), session, shared))


def _with_shared(state: SessionState, session: str, shared: Services) -> SessionState:
    """Add how the shared stages ended."""
    theirs = state_of([], shared, session, {}).done
    told = {
        name: replace(done, blocked=done.blocked or f"{name}, which failed") if done.has_failed else done
        for name, done in theirs.items()
    }
    return replace(state, done={**told, **state.done})
