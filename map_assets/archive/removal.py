"""Removing approved sources from their shares, one file at a time, each step written down before it is taken.

An approved file passes the gate, is renamed into quarantine on its own share, and ends there after the grace, when
everything has been proven once more. Any doubt on the way puts it back. A run that was killed is taken up from what is
written down and what stands on the disk. What is done with one file lives in `removal_run`, the gate in `removal_gate`,
the acts on the disk in `removal_quarantine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from map_assets.archive.batch import Event
from map_assets.archive.removal_approval import Desk
from map_assets.archive.removal_gate import open_gate
from map_assets.archive.removal_policy import Budget, ShareRoot
from map_assets.archive.removal_report import Outcome, steps_of
from map_assets.archive.removal_run import Row, Run
from map_assets.archive.states import State


def remove_approved(
    desk: Desk,
    session: str,
    roots: Mapping[str, ShareRoot],
    *,
    actor: str,
    account: str | None = None,
    now: datetime | None = None,
    budget: Budget | None = None,
    heard: Callable[[Outcome], object] = lambda _: None,
) -> list[Outcome]:
    """Go one step on with every file of a session whose removal is approved or under way.

    After the first doubt about any file, no other is moved into quarantine or ended in this run; putting back goes on.

    Parameters
    ----------
    desk : Desk
    session : str
    roots : mapping of str to ShareRoot
        By the share's name.
    actor : str
        Who runs it.
    account : str, optional
        As which user of the operating system; by default whose process this is.
    now : datetime.datetime, optional
        By default what our clock says, at each step anew.
    budget : Budget, optional
        Shared by the sessions of one run.
    heard : callable
        Told of each file as it is done.

    Returns
    -------
    list of Outcome
        One for each such file: where it stands now, and why.

    Raises
    ------
    LeasedElsewhere
        If another process is at work on the session.
    RemovalStopped
        If the database failed; the next run goes on from what is written down.
    """
    return _go_on(desk, session, roots, (actor, account), now, budget, heard, _RETURN, _SETTLE, _LOOK, _TAKE)


def watch_quarantine(
    desk: Desk, session: str, roots: Mapping[str, ShareRoot], *, actor: str, now: datetime | None = None
) -> list[Outcome]:
    """Put back what lies in quarantine and should not: touched, held, its approval revoked, its copy SUSPECT by now.

    Nothing is removed, and no copy is read; parameters, returns and raises as `remove_approved`.
    """
    return _go_on(desk, session, roots, (actor, ""), now, None, lambda _: None, _RETURN, _LOOK, only_watches=True)


Works = tuple[Callable[[Run, Row, Event | None], Outcome | None], Callable[[Row, bool], bool]]
_UNDER_WAY = frozenset({State.REMOVING, State.QUARANTINED, State.REMOVED})
# what is done, and with which files; a file that was once on its way out and is not any more may lie in quarantine yet
_RETURN: Works = (Run.return_left_over, lambda row, was_out: was_out and State(row["state"]) not in _UNDER_WAY)
_SETTLE: Works = (Run.settle, lambda row, _: row["state"] == State.REMOVING)
_LOOK: Works = (Run.look_at_quarantined, lambda row, _: row["state"] == State.QUARANTINED)
_TAKE: Works = (Run.take, lambda row, _: row["state"] == State.APPROVED)


def _go_on(
    desk: Desk,
    session: str,
    roots: Mapping[str, ShareRoot],
    who: tuple[str, str | None],
    now: datetime | None,
    budget: Budget | None,
    heard: Callable[[Outcome], object],
    *works: Works,
    only_watches: bool = False,
) -> list[Outcome]:
    with desk.journal.lease(session) as lease, lease.kept():
        gate = open_gate(desk, session, roots, who[0], now, who[1])
        run = Run(gate, session, lease, budget or Budget(desk.policy), only_watches)
        rows = desk.journal.files(session).to_pylist()
        steps = steps_of(desk.journal, rows)
        outcomes = []
        for work, is_meant in works:
            for row in rows:
                step = steps.get((row["batch"], row["file"]))
                if is_meant(row, step is not None):
                    outcome = run.carefully(partial(work, run), row, step)
                    if outcome is not None:
                        outcomes.append(outcome)
                        heard(outcome)
    return outcomes
