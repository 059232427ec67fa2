"""A session's archived files read back whole and compared with the manifest. Getting them there is `transfer`'s part.

What could not be read is not verified, and is read at the next call. A copy that differs is set aside with its bytes
(``.BAD-...``) and its file goes again, so many times; then a person is needed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveNotReady, NotInArchive, ReadBack
from map_assets.archive.backends.question import asking
from map_assets.archive.fate import Fate
from map_assets.archive.identity import place_of
from map_assets.archive.journal import Journal
from map_assets.archive.moving import Limits, Mover
from map_assets.archive.parallel import each_in_parallel
from map_assets.archive.standing import Standing, rows_of, standing
from map_assets.archive.states import State
from map_assets.archive.tables import ARCHIVE_MANIFEST
from map_assets.archive.transfer import at_work, check_shares
from map_assets.archive.transfer_tables import ARCHIVE_VERIFICATION
from map_assets.vocabulary.errors import MapAssetsError

_WRITTEN_EVERY_FILES = 256
_WRITTEN_EVERY_S = 5.0


class _Read(NamedTuple):
    """One file that was read back, or why it was not."""

    batch: str
    file: int
    found: ReadBack | MapAssetsError


def verify_session(
    session: str,
    manifest: pa.Table,
    roots: Mapping[str, Path],
    backend: ArchiveBackend,
    journal: Journal,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
) -> pa.Table:
    """Read back every file that is there and not proven yet.

    A copy that differs is set aside and asked for again at once; where the mover takes its time with that, the file
    shows as not verified and is read at a later call.

    Parameters
    ----------
    session, manifest, roots, backend, journal, limits
        As for `transfer.transfer_session`.
    workers : int, optional
        Files at a time; by default one a core, at most four.

    Returns
    -------
    pyarrow.Table
        ARCHIVE_VERIFICATION, one row a file of the manifest that the journal holds, ordered by share and path.

    Raises
    ------
    ArchiveNotReady
        If a copy cannot be read just now, or a file is to be tried again; what was read until then stays verified.
    LeasedElsewhere
        If another process is at work on the session.
    """
    manifest = ARCHIVE_MANIFEST.check(manifest)
    check_shares(session, manifest, roots)
    with at_work(session, roots, backend, journal, limits) as mover:
        for _ in range(mover.limits.n_tries):
            found = _of(manifest, mover)
            _read_all(found.take(found.where(State.TRANSFERRED)), mover, workers)
            found = _of(manifest, mover)
            failed = found.where(State.FAILED)
            if not failed.size or mover.open_submissions():
                break
            mover.ask_for(found.take(failed))
        found = _of(manifest, mover)
        failed = found.where(State.FAILED)
        if failed.size and not mover.open_submissions():
            raise ArchiveNotReady(
                f"{failed.size} files of {session} are to be tried again. The first that failed: {found.told.detail[failed[0]]}"
            )
        return _table(found)


def _of(manifest: pa.Table, mover: Mover) -> Standing:
    found = standing(mover.session, mover.journal)
    rows = rows_of(manifest, found)
    return found.take(rows[rows >= 0])


def _table(found: Standing) -> pa.Table:
    files, told = found.files, found.told
    is_proven = found.is_proven.tolist()

    def proven(values: Iterable[Any]) -> list[Any]:
        return [value if is_known else None for value, is_known in zip(values, is_proven, strict=True)]

    return ARCHIVE_VERIFICATION.from_columns(
        {
            **{name: files[name] for name in ("session", "share", "path", "archive_path", "size")},
            "sha256": proven(files["sha256"].to_pylist()),
            "method": proven(told.method),
            "verified_at": proven(told.verified_at),
            "n_tries": told.n_tries,
            "detail": ["" if is_known else text for text, is_known in zip(told.detail, is_proven, strict=True)],
        }
    )


def _read_all(pending: Standing, mover: Mover, workers: int | None) -> None:
    """Read files back, the largest first, and write down every few of them what was found."""
    # the largest first, so that no worker is left alone with one at the end
    pending = pending.take(np.argsort(-pending.files["size"].to_numpy(), kind="stable"))
    names = [PurePosixPath(place) for place in pending.files["archive_path"].to_pylist()]
    batches, numbers = pending.files["batch"].to_pylist(), pending.files["file"].to_pylist()

    def read(row: int) -> _Read:
        try:
            with asking(f"verification of {batches[row]}:{numbers[row]}"):
                return _Read(batches[row], numbers[row], mover.backend.read_back_sha256(names[row]))
        except MapAssetsError as error:
            return _Read(batches[row], numbers[row], error)

    rows = {(batches[row], numbers[row]): row for row in range(len(numbers))}
    unread: list[MapAssetsError] = []
    for some in _every_few(each_in_parallel(read, range(len(numbers)), workers)):
        chosen = pending.take([rows[one.batch, one.file] for one in some])
        unread += _write(some, chosen, mover)
    if unread:
        raise ArchiveNotReady(f"{len(unread)} archived files of {mover.session} could not be read back. {unread[0]}")


def _every_few(found: Iterator[_Read]) -> Iterator[list[_Read]]:
    some: list[_Read] = []
    since = time.monotonic()
    for one in found:
        some.append(one)
        if len(some) >= _WRITTEN_EVERY_FILES or time.monotonic() - since > _WRITTEN_EVERY_S:
            yield some
            some, since = [], time.monotonic()
    if some:
        yield some


def _write(some: list[_Read], chosen: Standing, mover: Mover) -> list[MapAssetsError]:
    """Write down what was read; returns why some could not be."""
    equal: dict[tuple[str, str], list[int]] = defaultdict(list)
    fates: dict[str, dict[int, Fate]] = defaultdict(dict)
    unread: list[MapAssetsError] = []
    batches = np.array(chosen.files["batch"].to_pylist(), object)
    for row, one in enumerate(some):
        found = one.found
        size, sha256 = chosen.files["size"][row].as_py(), chosen.files["sha256"][row].as_py()
        if isinstance(found, NotInArchive):
            fates[one.batch][one.file] = Fate(State.FAILED, str(found), is_own=True)
        elif isinstance(found, MapAssetsError):
            unread.append(found)
        elif (found.sha256, found.size) == (sha256, size):
            equal[one.batch, found.method].append(one.file)
        else:
            fates[one.batch][one.file] = _set_aside(chosen, row, found, mover)
    for (batch, method), files in equal.items():
        said = {"method": method, "algorithm": "sha256", "archive": place_of(mover.backend)}
        mover.journal.move(batch, files, State.VERIFIED, actor="verification", evidence=said, lease=mover.lease)
    for batch, their in fates.items():
        mover.write(batch, their, chosen.take(np.flatnonzero(batches == batch)), {"looked_at": "archive"})
    return unread


def _set_aside(chosen: Standing, row: int, found: ReadBack, mover: Mover) -> Fate:
    """Give a copy that differs another name; what nobody put there keeps its own."""
    place = chosen.files["archive_path"][row].as_py()
    why = (
        f"{place} in the archive {mover.backend.location} reads back as {found.size} bytes of sha256 {found.sha256}, not "
        f"as the {chosen.files['size'][row].as_py()} bytes of {chosen.files['sha256'][row].as_py()} of the manifest"
    )
    if chosen.told.is_adopted[row]:
        return Fate(State.CONFLICT, f"{why}; it was there before, and nothing was overwritten.")
    mover.lease.renew()
    try:
        aside = mover.backend.set_aside(PurePosixPath(place))
    except NotInArchive:
        return Fate(State.FAILED, f"{why}, and was gone when it was to be set aside.", is_own=True)
    return Fate(State.FAILED, f"{why}; that copy is now {aside}.", is_own=True)
