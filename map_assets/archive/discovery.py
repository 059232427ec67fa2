"""What stands in the archive against what the journal knows, and files that somebody else archived taken into it. Archiving lives in `transfer`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa

from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.backends.question import asking
from map_assets.archive.batch import Batch
from map_assets.archive.identity import place_of
from map_assets.archive.journal import Journal
from map_assets.archive.receipt_file import FOLDER
from map_assets.archive.removal_tables import RECONCILIATION
from map_assets.archive.states import PROVEN, State
from map_assets.vocabulary.errors import BadConfiguration, MapAssetsError, NameDoesNotParse
from map_assets.vocabulary.session import SessionKey

OURS = r"(?P<session>[^/]+)/(?P<share>[^/]+)/(?P<path>.+)"
"""How our own archives name files."""
_IN_ARCHIVE = frozenset({*PROVEN, State.TRANSFERRED, State.SUSPECT})
_SET_ASIDE = re.compile(r"\.BAD-\d{8}T\d{6}")


class Place(NamedTuple):
    """Which file of which session an archived file is."""

    session: str
    share: str
    path: str


def reconcile(journal: Journal, backend: ArchiveBackend, session: str | None = None) -> pa.Table:
    """Hold the archive's listing against the journal, both ways; no byte is read.

    Parameters
    ----------
    session : str, optional
        Only this one; by default the whole archive.

    Returns
    -------
    pyarrow.Table
        RECONCILIATION, ordered by archive path. Receipts, and copies that were set aside as damaged, are not unknown.
    """
    files = journal.files(session)
    columns = (files[name].to_pylist() for name in ("archive_path", "size", "session", "state"))
    known = {place: (size, owner, state) for place, size, owner, state in zip(*columns, strict=True)}
    seen, rows = set(), []
    for path, size in backend.listing(PurePosixPath(session) if session else PurePosixPath()):
        name = str(path)
        if name in known:
            seen.add(name)
            expected, owner, state = known[name]
            if size != expected and state in _IN_ARCHIVE:
                rows.append(_row(name, "other size", owner, expected, size))
        elif not _is_our_own(path):
            owner = path.parts[0] if len(path.parts) > 1 else None
            rows.append(_row(name, "unknown", owner, size, size))
    for name in known.keys() - seen:
        size, owner, state = known[name]
        if state in _IN_ARCHIVE:
            rows.append(_row(name, "missing", owner, size, None))
    return RECONCILIATION.from_rows(sorted(rows, key=lambda row: row["archive_path"]))


def place_by(pattern: str, share: str | None = None) -> Callable[[PurePosixPath], Place | None]:
    """Read which session an archived file is of from its path.

    Parameters
    ----------
    pattern : str
        Regular expression for the whole path, with the groups ``path``, ``session`` (or ``animal``, ``date`` as
        YYYYMMDD and ``time`` as HHMMSS), and ``share`` unless `share` is given.

    Raises
    ------
    BadConfiguration
        If it is no regular expression, or lacks a group.
    """
    try:
        form = re.compile(pattern)
    except re.error as error:
        raise BadConfiguration(f"{pattern!r} is no regular expression: {error}") from error
    groups = set(form.groupindex)
    if "path" not in groups or not (share or "share" in groups) or not groups & {"session", "animal"}:
        raise BadConfiguration(f"{pattern!r} needs the groups path, session (or animal, date, time) and share.")

    def place(path: PurePosixPath) -> Place | None:
        found = form.fullmatch(str(path))
        if found is None:
            return None
        said = found.groupdict()
        key = said.get("session") or f"{said.get('animal')}_{said.get('date')}_{said.get('time')}"
        try:
            return Place(str(SessionKey.parse(key)), share or said["share"], said["path"])
        except NameDoesNotParse:
            return None

    return place


def take_in(
    journal: Journal,
    backend: ArchiveBackend,
    paths: Iterable[PurePosixPath],
    place: Callable[[PurePosixPath], Place | None],
    *,
    role: Callable[[Place], str] = lambda _: "raw",
    now: datetime | None = None,
    heard: Callable[[PurePosixPath], object] = lambda _: None,
) -> tuple[list[Batch], dict[str, str]]:
    """Take files that somebody else archived into the journal: each is read whole and stands as VERIFIED then.

    Nothing is moved or renamed. Their receipt is written by the next `receipt_session`; a source with the same bytes
    under the same share and path counts as archived from then on.

    Parameters
    ----------
    paths : iterable of pathlib.PurePosixPath
        As `reconcile` names the unknown ones.
    place : callable
        As `place_by` gives it.
    role : callable
        What a file is for.

    Returns
    -------
    batches : list of Batch
        One a session.
    left : dict of str to str
        Why files were left out, by archive path.

    Raises
    ------
    LeasedElsewhere
        If another process is at work on one of the sessions; sessions before it are taken in.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    methods: dict[str, str] = {}
    left = {}
    for path in paths:
        where = place(path)
        if where is None:
            left[str(path)] = "its path names no session"
            continue
        try:
            with asking("registration"):
                held = backend.read_back_sha256(path)
        except MapAssetsError as error:
            left[str(path)] = str(error)
            continue
        facts = {"share": where.share, "path": where.path, "archive_path": str(path), "role": role(where)}
        nothing = dict.fromkeys(("mtime_ns", "ctime_ns", "device", "inode"), 0)
        rows.setdefault(where.session, []).append(
            {**facts, **nothing, "size": held.size, "sha256": held.sha256, "checks": ""}
        )
        methods[str(path)] = held.method
        heard(path)
    return [
        batch for session in sorted(rows) for batch in _opened(session, rows[session], methods, backend, journal, now)
    ], left


def _opened(
    session: str,
    rows: list[dict[str, Any]],
    methods: dict[str, str],
    backend: ArchiveBackend,
    journal: Journal,
    now: datetime | None,
) -> list[Batch]:
    with journal.lease(session):
        batch = journal.open_batch(session, rows, now)
        if batch is None:
            return []
        files = journal.files(batch=batch.batch)
        numbers = files["file"].to_pylist()
        journal.move(batch.batch, numbers, State.TRANSFERRED, actor="discovery", why="found in the archive", now=now)
        by_method: dict[str, list[int]] = {}
        for number, path in zip(numbers, files["archive_path"].to_pylist(), strict=True):
            by_method.setdefault(methods[path], []).append(number)
        for method, some in by_method.items():
            evidence = {"method": method, "algorithm": "sha256", "archive": place_of(backend)}
            journal.move(batch.batch, some, State.VERIFIED, actor="discovery", evidence=evidence, now=now)
    return [batch]


def _is_our_own(path: PurePosixPath) -> bool:
    """Whether a file is a receipt, or a copy that was set aside as damaged."""
    return (len(path.parts) == 3 and path.parts[1] == FOLDER) or bool(_SET_ASIDE.search(path.name))


def _row(path: str, what: str, session: str | None, size: int, found: int | None) -> dict[str, Any]:
    return {"archive_path": path, "what": what, "session": session, "size": size, "found_size": found}
