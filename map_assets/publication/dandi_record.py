"""What was exported to a DANDI archive, kept in the store's table `dandi_assets`. Uploading lives in `dandi_upload`."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from map_assets.publication.tables import DANDI_ASSETS
from map_assets.store import Store

_SAME = ("server", "dandiset", "asset_id", "path", "state", "sha256")


def record_export(store: Store, row: Mapping[str, Any]) -> bool:
    """Add a row to the session's record, unless it says the same as the last one of that asset; rows are never taken away.

    Returns
    -------
    bool
        Whether a row was added.
    """
    with _alone(store):
        rows = exports(store, row["session"])
        last = next((one for one in reversed(rows) if one["asset_id"] == row["asset_id"]), None)
        if last is not None and all(last[name] == row[name] for name in _SAME):
            return False
        store.write(DANDI_ASSETS, row["session"], DANDI_ASSETS.from_rows([*rows, row]))
        return True


def exports(store: Store, session: str) -> list[dict[str, Any]]:
    """Read a session's record, oldest first."""
    table = store.read_if_there(DANDI_ASSETS.name, session)
    rows: list[dict[str, Any]] = [] if table is None else table.to_pylist()
    return sorted(rows, key=lambda one: one["checked_at"])


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Keep other processes of this machine from adding a row between reading and writing."""
    lock = store.root / "tables" / DANDI_ASSETS.name / ".lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
