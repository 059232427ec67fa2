"""What the commands about the archive work with, and how they end. The commands live in `archive`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from map_assets.cli.laboratory import has_database
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from pathlib import Path

    from map_assets.archive.journal import Journal
    from map_assets.defs.services import Services


class NothingArchived(MapAssetsError):
    """The journal knows nothing of what was asked for."""


class NotAllWell(MapAssetsError):
    """Something that was looked at or done did not end well; the rows say what."""


def journal_of(found: Services) -> Journal:
    """Open the archive's journal; raises NothingArchived where there is no database."""
    if not has_database(found.config):
        raise NothingArchived("Nothing was archived yet; `map-assets ingest` looks at the shares.")
    return found.journal


def known_sessions(journal: Journal, sessions: list[str] | None) -> list[str]:
    """Return the keys meant (none: all); raises NothingArchived for one that the journal does not know."""
    known = {batch.session for batch in journal.batches()}
    for session in sessions or ():
        if session not in known:
            raise NothingArchived(
                f"The archive's journal knows no session {session}; `map-assets archive status` lists all."
            )
    return sorted(set(sessions)) if sessions else sorted(known)


def kept_roots(found: Services) -> dict[str, Path]:
    """Return the roots of the shares and of a folder archive, by what to call them."""
    roots = {f"share {share.name}": share.path for share in found.shares}
    archive = found.config.archive
    return {**roots, "the archive": archive.root} if archive.backend == "folder" else roots


def all_well(is_well: bool, said: str) -> None:
    """Raise NotAllWell with a sentence, unless all is well."""
    if not is_well:
        raise NotAllWell(said)


def name_of(who: str | None) -> str:
    """Say who decides."""
    from map_assets.archive.removal_decisions import account_here

    return who or account_here()
