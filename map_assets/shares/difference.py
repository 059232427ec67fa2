"""What a look at a share tells the ledger: new, changed, settled and absent files. Looking lives in `walk`, writing in `scan`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Integer, Row, select, type_coerce

from map_assets.shares.naming import Named, named
from map_assets.shares.roles import SAME_BYTES, TWO_FILES
from map_assets.shares.schema import FILES
from map_assets.shares.settling import MetaBook, why_unsettled
from map_assets.shares.share import Share
from map_assets.shares.stages import chunks
from map_assets.shares.walk import Look

_LIGHT = (
    *(FILES.c.id, FILES.c.relpath, FILES.c.size, FILES.c.mtime_ns, FILES.c.ctime_ns, FILES.c.inode),
    *(type_coerce(FILES.c.settled, Integer), FILES.c.absent_since_us),
)
_FULL = tuple(
    FILES.c[name]
    for name in (
        *("id", "relpath", "size", "mtime_ns", "ctime_ns", "inode", "settled", "unsettled", "still_since_us"),
        *("absent_since_us", "role", "state", "rule", "day", "session", "by"),
    )
)
_LEARNT_LATER = (
    *("absent_since_us", "unplaced", "reason", "by", "ingested_us", "sha256"),
    *("released_by", "released_why", "released_us"),
)
_MEANT = frozenset({"ingested", "quarantined"})


@dataclass
class Difference:
    """What a scan has to tell the ledger.

    Parameters
    ----------
    new : list of dict
        Whole rows.
    changed : list of (row, dict)
        Row as it stands, and what it becomes.
    settled, absent, back : list of rows
        Those that settled, vanished or came back.
    reasons, inodes : list of (int, value)
        Rows of which only that is another one.
    """

    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[Row[Any], dict[str, Any]]] = field(default_factory=list)
    settled: list[Row[Any]] = field(default_factory=list)
    absent: list[Row[Any]] = field(default_factory=list)
    back: list[Row[Any]] = field(default_factory=list)
    reasons: list[tuple[int, str]] = field(default_factory=list)
    inodes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def n_settled(self) -> int:
        """Files that settled in this scan, at first sight too."""
        fresh = [*self.new, *(values for _, values in self.changed)]
        return len(self.settled) + sum(bool(row["settled"] and row["state"] == "waiting") for row in fresh)

    @property
    def meant(self) -> list[Row[Any]]:
        """Changed files of which something was made or decided."""
        return [row for row, _ in self.changed if row.state in _MEANT or row.rule == SAME_BYTES]

    def days(self) -> list[str | None]:
        """Days whose files are to be placed anew."""
        changed = (day for row, values in self.changed for day in (row.day, values["day"]))
        moved = (row.day for row in (*self.absent, *self.back) if row.role == "behavior")
        return [*(row["day"] for row in self.new), *changed, *moved]

    def settled_behavior(self) -> list[str]:
        """Sessions of which a behaviour file settled."""
        return [row.session for row in self.settled if row.role == "behavior"]

    def sessions(self) -> list[str | None]:
        """Sessions whose inventory is another one now."""
        moved = (*(row for row, _ in self.changed), *self.settled, *self.absent, *self.back)
        return [*(row["session"] for row in self.new), *(row.session for row in moved)]


def compare(
    connection: Connection, share: Share, look: Look, book: MetaBook, now_us: int, *, is_restart: bool, is_renamed: bool
) -> Difference:
    """Hold what was found against what the ledger has.

    Parameters
    ----------
    now_us : int
        Our clock, us.
    is_restart : bool
        Whether all waits start anew.
    is_renamed : bool
        Whether names mean something else since the last scan: the share is of another kind, or the rules are others.
    """
    difference = Difference()
    known = {row[1]: row for row in connection.execute(select(*_LIGHT).where(FILES.c.share == share.name))}
    closer: list[int] = []
    for relpath, facts in look.found.items():
        row = known.pop(relpath, None)
        if row is None:
            difference.new.append(_row(share, book, look, relpath, now_us))
            continue
        row_id, _, size, mtime_ns, ctime_ns, inode, settled, absent_us = row
        if is_renamed or not settled or absent_us is not None or (size, mtime_ns, ctime_ns, inode) != facts:
            closer.append(row_id)
    for row in _full(connection, closer):
        _look_closer(difference, share, book, look, row, now_us, is_restart=is_restart, is_renamed=is_renamed)
    gone = [row[0] for relpath, row in known.items() if row[-1] is None and not look.is_unread(relpath)]
    difference.absent = _full(connection, gone)
    return difference


def _full(connection: Connection, ids: list[int]) -> list[Row[Any]]:
    parts = (connection.execute(select(*_FULL).where(FILES.c.id.in_(part))).all() for part in chunks(ids))
    return [row for rows in parts for row in rows]


def _look_closer(
    difference: Difference,
    share: Share,
    book: MetaBook,
    look: Look,
    row: Row[Any],
    now_us: int,
    *,
    is_restart: bool,
    is_renamed: bool,
) -> None:
    """Decide about one file that the ledger knows."""
    facts = look.found[row.relpath]
    is_other = (row.size, row.mtime_ns, row.ctime_ns) != facts[:3] or (row.inode != facts.inode and not row.settled)
    if is_other or (is_renamed and _means_else(row, _name(share, look, row.relpath))):
        difference.changed.append((row, _row(share, book, look, row.relpath, now_us)))
        return
    if row.inode != facts.inode:  # a remount deals new ones; what replaces a file has a change time of its own
        difference.inodes.append((row.id, facts.inode))
    if row.absent_since_us is not None:
        difference.back.append(row)
    if not row.settled:
        still_us = 0 if is_restart else now_us - row.still_since_us
        reason = why_unsettled(share, book, row.role, row.relpath, still_us)
        if reason is None:
            difference.settled.append(row)
        elif reason != row.unsettled:
            difference.reasons.append((row.id, reason))


def _name(share: Share, look: Look, relpath: str) -> Named:
    return named(share.kind, relpath, is_plain=relpath not in look.odd)


def _means_else(row: Row[Any], name: Named) -> bool:
    by_name = None if row.rule in {SAME_BYTES, TWO_FILES} else row.rule
    return (row.role, by_name, row.day) != (name.role, name.rule, name.day)


def _row(share: Share, book: MetaBook, look: Look, relpath: str, now_us: int) -> dict[str, Any]:
    """Row of a file that is new or has changed: nothing of what was known of other bytes is kept."""
    name = _name(share, look, relpath)
    state = "waiting" if name.role is not None else "ignored" if name.rule is not None else "quarantined"
    unsettled = why_unsettled(share, book, name.role, relpath, 0) if state == "waiting" else None
    row: dict[str, Any] = dict.fromkeys(_LEARNT_LATER)
    row |= {"share": share.name, "relpath": relpath} | look.found[relpath]._asdict()
    row |= dict.fromkeys(("first_seen_us", "last_change_seen_us", "still_since_us"), now_us)
    row |= {"role": name.role, "day": name.day, "session": name.session, "state": state, "rule": name.rule}
    row |= {"settled": unsettled is None, "unsettled": unsettled}
    if name.refusal is not None:
        row |= {"reason": str(name.refusal), "by": "scan"}
    return row
