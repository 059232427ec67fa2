"""Looking at transfers that are under way, once each and without waiting. Asking for them lives in `transfer`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveNotReady
from map_assets.archive.journal import Journal, LeasedElsewhere
from map_assets.archive.moving import Limits, Mover

LOOKS_FOR_S = 20.0
"""How long one round of looks lasts at most; the next goes on with those that were not looked at for longest."""


class Polled(NamedTuple):
    """What one look at the transfers under way found.

    Parameters
    ----------
    sessions : tuple of str
        Those of which a transfer came to its end since, or whose turn has come; something is due for them.
    cursor : int
        To be given at the next look, once these sessions have been told of; until then the same sessions come again.
    n_under_way : int
        Submissions that are still at work.
    sentence : str
        For a person.
    """

    sessions: tuple[str, ...]
    cursor: int
    n_under_way: int
    sentence: str


def poll(
    journal: Journal,
    backend: ArchiveBackend,
    roots: Mapping[str, Path],
    cursor: int = 0,
    *,
    limits: Limits | None = None,
    looks_for_s: float = LOOKS_FOR_S,
    heard: Callable[[str], object] = lambda _session: None,
) -> Polled:
    """Ask the mover once about each submission of its that has a task, and write down what has come to its end.

    Sessions that wait their turn are called where places are free by then. A submission that was never answered is left
    to `transfer.transfer_session`, which asks for it again; so is a session that another process is at work on.

    Parameters
    ----------
    cursor : int
        Of the look before; 0 at first.
    looks_for_s : float
        No further look is begun after so long.
    heard : callable
        Takes each session as soon as a transfer of it has ended or its turn has come: what follows may be cut short.
    """
    limits = limits or Limits()
    troubles: list[str] = []
    end = time.monotonic() + looks_for_s
    for session, submission in journal.tasks(backend.name):
        if time.monotonic() >= end:
            troubles.append("Not all of them were looked at in this round.")
            break
        try:
            with journal.lease(session) as lease, lease.kept():
                still = {one.submission for one in journal.submissions(session, is_open=True)}
                mover = Mover(session, roots, backend, journal, lease, limits)
                if submission.submission in still and mover.look(submission):
                    heard(session)
        except LeasedElsewhere:  # whoever holds it goes on
            continue
        except ArchiveNotReady as error:
            troubles.append(str(error))
    under_way = journal.n_in_flight(backend.name)
    for session in journal.call_next(limits.submissions_in_flight - under_way):
        heard(session)
    told, last = journal.calls_after(cursor)
    sentence = (
        f"{under_way} transfers are under way, and {len(told)} sessions had one come to its end or their turn come."
    )
    return Polled(tuple(told), last, under_way, " ".join([sentence, *dict.fromkeys(troubles)]))
