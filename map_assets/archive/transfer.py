"""A session's files into the archive: named, written into the journal, asked of a mover. Reading them back is `verification`'s.

Names in the archive keep their bytes for ever. A file's first copy is ``{session}/{share}/{path}``. When other bytes
come later under the same source path (a session sorted again), they go to ``{session}/{share}/{path}.v-{sha256[:12]}``
beside it. What stands under a name without this archive having put it there is a conflict, and nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveNotReady
from map_assets.archive.elsewhere import send_again
from map_assets.archive.journal import Journal
from map_assets.archive.manifest import archive_path
from map_assets.archive.moving import Limits, Mover
from map_assets.archive.names import beside, refuse_collisions
from map_assets.archive.receipt_file import FOLDER, read_receipts
from map_assets.archive.standing import Standing, rows_of, standing
from map_assets.archive.states import State
from map_assets.archive.tables import ARCHIVE_MANIFEST
from map_assets.archive.transfer_tables import ARCHIVE_TRANSFER
from map_assets.vocabulary.errors import BadConfiguration, UnsafePath
from map_assets.vocabulary.files import inside


class Transfer(NamedTuple):
    """How far a session's files have come on their way into the archive.

    Parameters
    ----------
    table : pyarrow.Table
        ARCHIVE_TRANSFER, one row a file of the manifest, ordered by share and path.
    is_under_way : bool
        Whether a mover is at work: look again later (`polling`).
    detail : str
        One sentence for a person.
    """

    table: pa.Table
    is_under_way: bool
    detail: str


def transfer_session(
    session: str,
    manifest: pa.Table,
    roots: Mapping[str, Path],
    backend: ArchiveBackend,
    journal: Journal,
    *,
    limits: Limits | None = None,
) -> Transfer:
    """Ask the mover for every file of a manifest that the archive lacks, and leave it at work where it takes time.

    One file's failure leaves the others on their way. A file that failed is tried once a call, so many times.

    Parameters
    ----------
    session : str
        The session key.
    manifest : pyarrow.Table
        ARCHIVE_MANIFEST of the session.
    roots : mapping of str to pathlib.Path
        Root of each share on this machine, by the share's name.
    backend : ArchiveBackend
    journal : Journal
    limits : Limits, optional

    Raises
    ------
    ArchiveNotReady
        If the archive cannot be reached, or a file failed and is to be tried again: call again later.
    ArchiveConflict
        If two names cannot stand side by side in the archive (nothing is moved then), or the receipts form no chain.
    ShareNotReady
        If a share is away.
    LeasedElsewhere
        If another process is at work on the session.
    BadConfiguration
        If a share has no root, or is called ``receipts``, or the archive was changed under a transfer or a receipt.
    """
    manifest = ARCHIVE_MANIFEST.check(manifest)
    check_shares(session, manifest, roots)
    if not manifest.num_rows:
        return Transfer(ARCHIVE_TRANSFER.empty(), False, "The session has no files to archive.")
    with at_work(session, roots, backend, journal, limits) as mover:
        found = standing(session, journal)
        rows = rows_of(manifest, found)
        send_again(session, found.take(rows[rows >= 0]), backend, journal, mover.lease)
        _open(session, manifest, mover)
        mover.ask_again()
        found = standing(session, journal)
        rows = rows_of(manifest, found)
        _drop_superseded(manifest, found, rows, mover)
        waiting = np.isin(found.told.state[rows].astype(str), [str(State.MANIFESTED), str(State.FAILED)])
        mover.ask_for(found.take(rows[waiting]))
        is_under_way = journal.is_under_way(session)
        found = standing(session, journal)
    table = transfer_table(manifest, found)
    detail = _sentence(table)
    failed = found.where(State.FAILED)
    failed = failed[np.isin(failed, rows_of(manifest, found))]
    if failed.size and not is_under_way:
        first = failed[np.argmax(found.told.is_culprit[failed])]
        raise ArchiveNotReady(f"{detail} The first that failed: {found.told.detail[first]}")
    return Transfer(table, is_under_way, detail)


def transfer_table(manifest: pa.Table, found: Standing) -> pa.Table:
    """Return ARCHIVE_TRANSFER for a manifest; files past TRANSFERRED show as that."""
    chosen = found.take(rows_of(manifest, found))
    told, is_proven = chosen.told, chosen.is_proven
    return ARCHIVE_TRANSFER.from_columns(
        {
            **{name: manifest[name] for name in ("session", "share", "path", "size", "sha256")},
            "archive_path": chosen.files["archive_path"],
            "batch": chosen.files["batch"],
            "state": np.where(is_proven, str(State.TRANSFERRED), told.state.astype(str)).tolist(),
            "submission": told.submission.tolist(),
            "claim": told.claim.tolist(),
            "n_tries": told.n_tries,
            "transferred_at": told.transferred_at.tolist(),
            "detail": ["" if known else text for text, known in zip(told.detail, is_proven, strict=True)],
        }
    )


def try_again(session: str, journal: Journal, actor: str, why: str) -> int:
    """Give blocked and conflicting files of a session back to the mover, once a person has put right what was wrong.

    Parameters
    ----------
    actor, why : str
        Who says so, and what was done; both are kept.

    Returns
    -------
    int
        Files that go again.
    """
    with journal.lease(session) as lease:
        found = standing(session, journal)
        stuck = found.take(found.where(State.BLOCKED, State.CONFLICT))
        batches, numbers = stuck.files["batch"].to_pylist(), stuck.files["file"].to_pylist()
        for batch in dict.fromkeys(batches):
            files = [number for one, number in zip(batches, numbers, strict=True) if one == batch]
            journal.move(batch, files, State.MANIFESTED, actor=actor, why=why, lease=lease)
    return len(numbers)


def check_shares(session: str, manifest: pa.Table, roots: Mapping[str, Path]) -> None:
    """Raise BadConfiguration where a manifest is of another session, or names shares that cannot be archived."""
    for other in manifest["session"].unique().to_pylist():
        if other != session:
            raise BadConfiguration(f"The manifest is of session {other}, and was given for {session}.")
    for share in sorted(manifest["share"].unique().to_pylist()):
        if share == FOLDER:
            raise BadConfiguration(f"A share may not be called {FOLDER!r}: the archive keeps its receipts there.")
        if share not in roots:
            raise BadConfiguration(f"The manifest names share {share!r}, which the configuration does not know.")


@contextmanager
def at_work(
    session: str, roots: Mapping[str, Path], backend: ArchiveBackend, journal: Journal, limits: Limits | None = None
) -> Iterator[Mover]:
    """Work on a session's archive alone, for as long as it takes; raises LeasedElsewhere where another process does."""
    with journal.lease(session) as lease, lease.kept():
        yield Mover(session, roots, backend, journal, lease, limits or Limits())


def _open(session: str, manifest: pa.Table, mover: Mover) -> None:
    """Write what the journal does not hold yet into a new batch, each file with its name in the archive."""
    found = standing(session, mover.journal)
    rows = rows_of(manifest, found)
    # a file that the journal does not have is at row -1, which is this empty state
    state = np.append(found.told.state, "").astype(str)[rows]
    is_new = state == ""
    for row in np.flatnonzero(state == str(State.UNSTABLE)).tolist():
        is_new[row] = _may_be_as_manifested(manifest.slice(row, 1).to_pylist()[0], mover.roots)
    new = manifest.filter(pa.array(is_new))
    if not new.num_rows:
        return
    receipts = read_receipts(session, mover.backend)
    claims = {file["archive_path"]: file["sha256"] for receipt in receipts for file in receipt.document["files"]}
    in_use = set(claims)
    is_kept = found.told.state != str(State.UNSTABLE)
    places, hashes = found.files["archive_path"].to_pylist(), found.files["sha256"].to_pylist()
    for place, sha256, is_claim in zip(places, hashes, is_kept, strict=True):
        # a copy of bytes that were unstable may yet stand there; only an empty name is free again
        if is_claim or mover.backend.stat(PurePosixPath(place)) is not None:
            claims.setdefault(place, sha256)
            in_use.add(place)
    named = [
        str(_place(session, share, path, sha256, claims))
        for share, path, sha256 in zip(*(new[name].to_pylist() for name in ("share", "path", "sha256")), strict=True)
    ]
    refuse_collisions(PurePosixPath(place) for place in in_use.union(named))
    identity = {name: pc.fill_null(new[name], 0) for name in _IDENTITY}
    columns = {name: new[name] for name in ("share", "path", "role", "size", "sha256", "checks", "mtime_ns")}
    mover.journal.open_batch(session, pa.table({**columns, **identity, "archive_path": named}))


def _may_be_as_manifested(row: Mapping[str, Any], roots: Mapping[str, Path]) -> bool:
    """Whether a file that was unstable is worth another look: not while its source shows that it is another by now."""
    try:
        found = inside(roots[row["share"]], Path(row["path"])).stat(follow_symlinks=False)
    except (OSError, UnsafePath):
        return True
    return (found.st_size, found.st_mtime_ns) == (row["size"], row["mtime_ns"])


_IDENTITY = ("ctime_ns", "device", "inode")


def _place(session: str, share: str, path: str, sha256: str, claims: Mapping[str, str]) -> PurePosixPath:
    plain = archive_path(session, share, path)
    return plain if claims.get(str(plain)) in {None, sha256} else beside(plain, f".v-{sha256[:12]}")


def _drop_superseded(manifest: pa.Table, found: Standing, rows: np.ndarray, mover: Mover) -> None:
    """Let go of files whose path now has other bytes in the manifest, where nobody has been asked for them."""
    waiting = np.setdiff1d(found.where(State.MANIFESTED, State.FAILED), rows)
    if not waiting.size:
        return
    paths = set(zip(manifest["share"].to_pylist(), manifest["path"].to_pylist(), strict=True))
    for row in found.files.take(pa.array(waiting)).select(["batch", "file", "share", "path"]).to_pylist():
        if (row["share"], row["path"]) in paths:
            mover.journal.move(
                row["batch"],
                [row["file"]],
                State.UNSTABLE,
                actor="manifest",
                why="The manifest has other bytes under its path by now.",
                lease=mover.lease,
            )


def _sentence(table: pa.Table) -> str:
    counted = table.group_by("state").aggregate([("size", "sum"), ([], "count_all")]).to_pylist()
    parts = [f"{one['count_all']} {one['state']} ({one['size_sum']} bytes)" for one in counted]
    return f"Of {table.num_rows} files: {', '.join(sorted(parts))}."
