"""Archived copies that could not be proven at a later look, read again, and made again where the source still stands.

Looking for such copies is `fixity`'s part. A copy is never overwritten: one that differs keeps its bytes under another
name, and where no source stands any more nothing is touched, for the damaged copy may be the best there is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from map_assets.archive.backends.protocol import ArchiveBackend, Item, NotInArchive
from map_assets.archive.backends.question import asking
from map_assets.archive.fate import must_be_itself
from map_assets.archive.journal import Journal
from map_assets.archive.moving import Mover
from map_assets.archive.reading import read_once
from map_assets.archive.standing import standing
from map_assets.archive.states import State
from map_assets.archive.transfer import at_work
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import inside


class Mended(NamedTuple):
    """What became of a session's suspect files.

    Parameters
    ----------
    n_proven : int
        Read back equal after all.
    n_sent_again : int
        To be copied again from their sources by `transfer.transfer_session`.
    beyond_us : tuple of str
        Archive paths of those whose source does not stand any more: a person and another copy are needed.
    """

    n_proven: int
    n_sent_again: int
    beyond_us: tuple[str, ...]


def mend_session(
    session: str, roots: Mapping[str, Path], backend: ArchiveBackend, journal: Journal, actor: str
) -> Mended:
    """Read every suspect file of a session again, and let those that are damaged or gone be copied again.

    Parameters
    ----------
    actor : str
        Who asked for it.

    Raises
    ------
    ArchiveNotReady
        If the archive cannot be read just now; what was done until then stands.
    LeasedElsewhere
        If another process is at work on the session.
    """
    n_proven, n_sent, beyond = 0, 0, []
    with at_work(session, roots, backend, journal) as mover:
        found = standing(session, journal)
        suspect = found.take(found.where(State.SUSPECT))
        for batch in dict.fromkeys(suspect.files["batch"].to_pylist()):
            chosen = suspect.take(np.flatnonzero(np.array(suspect.files["batch"].to_pylist(), object) == batch))
            for number, item in mover.items(chosen):
                to, why = _look(item, mover, _before_doubt(batch, number, journal))
                if to is None:
                    beyond.append(str(item.archive_path))
                    continue
                journal.move(batch, [number], to, actor=actor, why=why, evidence={"counts": False}, lease=mover.lease)
                n_proven += to is not State.FAILED
                n_sent += to is State.FAILED
    return Mended(n_proven, n_sent, tuple(beyond))


def _before_doubt(batch: str, number: int, journal: Journal) -> State:
    """Where a file whose copy is whole again goes on from; one without a receipt of that copy is read back anew."""
    past = [event.state for event in journal.events(batch) if number in event.files]
    telling = [state for state in past if state in {State.SUBMITTED, State.TRANSFERRED, State.RECEIPTED, State.REMOVED}]
    return telling[-1] if telling and telling[-1] in {State.RECEIPTED, State.REMOVED} else State.FAILED


def _look(item: Item, mover: Mover, before: State) -> tuple[State | None, str]:
    try:
        with asking(f"mending of {item.share}:{item.path}"):
            held = mover.backend.read_back_sha256(item.archive_path)
    except NotInArchive as error:
        return (State.FAILED, str(error)) if _stands(item, mover) else (None, "")
    if (held.sha256, held.size) == (item.sha256, item.size):
        return before, f"it was read back equal again ({held.method})"
    if not _stands(item, mover):
        return None, ""
    aside = mover.backend.set_aside(item.archive_path)
    return State.FAILED, f"it read back as {held.size} bytes of sha256 {held.sha256}; that copy is now {aside}"


def _stands(item: Item, mover: Mover) -> bool:
    """Whether the source still has the bytes of the manifest, by reading it."""
    must_be_itself(item.share, mover.roots)
    found = hashlib.sha256()
    try:
        status = read_once(inside(mover.roots[item.share], Path(item.path)), found.update)
    except (BadInput, OSError):
        return False
    return (found.hexdigest(), status.st_size) == (item.sha256, item.size)
