"""Files that were read back in another archive than the present one: no receipt here may speak of them. Moving files lives in `moving`."""

from __future__ import annotations

import numpy as np

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.identity import is_of
from map_assets.archive.journal import Journal, Lease
from map_assets.archive.standing import Standing
from map_assets.archive.states import State
from map_assets.vocabulary.errors import BadConfiguration


def is_elsewhere(found: Standing, backend: ArchiveBackend) -> np.ndarray:
    """Whether each proven file was read back in another archive; one that was read but has no receipt must say where."""
    is_verified = found.told.state.astype(str) == str(State.VERIFIED)
    elsewhere = [
        is_fresh if place is None else not is_of(place, backend)
        for place, is_fresh in zip(found.told.place, is_verified, strict=True)
    ]
    found_elsewhere: np.ndarray = np.asarray(elsewhere, bool) & found.is_proven
    return found_elsewhere


def refuse_elsewhere(session: str, found: Standing, backend: ArchiveBackend) -> None:
    """Raise BadConfiguration where another archive has a receipt for some of the files."""
    is_bound = is_elsewhere(found, backend) & (found.told.state.astype(str) != str(State.VERIFIED))
    if not is_bound.any():
        return
    place = found.told.place[np.flatnonzero(is_bound)[0]]
    raise BadConfiguration(
        f"{int(is_bound.sum())} files of {session} have their receipt in the archive {place.get('backend')} at "
        f"{place.get('location')}, and the configuration now names {backend.name} at {backend.location}; name the first again. "
        "An archive that was moved is known by its marker: move it whole."
    )


def send_again(session: str, found: Standing, backend: ArchiveBackend, journal: Journal, lease: Lease) -> None:
    """Let files without a receipt that were read back elsewhere go into the present archive; that is no failure of theirs.

    Raises
    ------
    BadConfiguration
        If another archive has a receipt for some of the files.
    """
    refuse_elsewhere(session, found, backend)
    files = found.take(np.flatnonzero(is_elsewhere(found, backend))).files
    batches, numbers = files["batch"].to_pylist(), files["file"].to_pylist()
    why = f"It was not read back in the archive {backend.name} at {backend.location}, which is the present one."
    for batch in dict.fromkeys(batches):
        some = [number for one, number in zip(batches, numbers, strict=True) if one == batch]
        for to in (State.SUSPECT, State.FAILED):
            journal.move(batch, some, to, actor="transfer", why=why, evidence={"counts": False}, lease=lease)
