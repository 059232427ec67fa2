"""Which sessions a command of publication is about: named one by one, or by a condition. What is done with them lives with the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from map_assets.store import Store

Sessions = Annotated[list[str] | None, typer.Argument(metavar="[SESSION]...", help="Keys of the sessions.")]
Where = Annotated[
    str | None, typer.Option(help="SQL condition on the table sessions, instead of keys: \"task = 'audio delay'\".")
]


def chosen_sessions(store: Store, sessions: list[str] | None, where: str | None) -> list[str]:
    """Return the keys meant.

    Raises
    ------
    MapAssetsError
        If neither or both are given, a key has no session, or no session fulfils the condition.
    """
    if bool(sessions) == (where is not None):
        raise MapAssetsError("Name sessions, or give a condition with --where; one of the two.")
    if where is not None:
        from map_assets.analyst import open_lab

        query = f"select session from sessions where ({where}) order by session"  # noqa: S608 - reads the store only
        found = [str(one) for one in open_lab(store.root).sql(query).arrow()["session"].to_pylist()]
        if not found:
            raise MapAssetsError(f"No session fulfils --where {where!r}.")
        return found
    known = set(store.sessions())
    missing = [one for one in sessions or () if one not in known]
    if missing:
        raise MapAssetsError(f"There is no session {missing[0]}; `map-assets sessions` lists all.")
    return sorted(set(sessions or ()))


def nwb_inputs() -> tuple[str, ...]:
    """Name the tables that an NWB file is made of."""
    from map_assets.nwb.write import OPTIONAL, REQUIRED

    return (*REQUIRED, *OPTIONAL)
