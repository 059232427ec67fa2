"""The restore drill: a random file is fetched from the archive and compared, so that the way back is known to work. Wanted files are fetched in `retrieval`."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.archive.backends.protocol import ArchiveBackend, NotInArchive
from map_assets.archive.fixity import judge
from map_assets.archive.journal import Journal
from map_assets.archive.journal_base import clock
from map_assets.archive.removal_decisions import Look
from map_assets.archive.removal_records import RemovalRecords
from map_assets.archive.states import PROVEN
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.files import sha256_of

MAX_BYTES = 10**10
"""The largest file that is fetched back on trial."""
_PROVEN = pa.array(sorted(str(state) for state in PROVEN))


def choose_for_drill(journal: Journal, seed: int | str, max_bytes: int = MAX_BYTES) -> dict[str, Any] | None:
    """Choose one proven file at random, every file as likely as another; None where there is none.

    Parameters
    ----------
    seed : int or str
        The same seed chooses the same file of the same journal: a week's name makes one drill a week.
    max_bytes : int, optional
        Larger files are left out.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    chosen: dict[str, Any] | None = None
    n_fit = 0
    # one batch's files are held at a time
    for batch in journal.batches():
        files = journal.files(batch=batch.batch)
        fit = np.flatnonzero(
            pc.and_(pc.is_in(files["state"], _PROVEN), pc.less_equal(files["size"], max_bytes)).to_numpy()
        )
        n_fit += len(fit)
        if len(fit) and chance.randrange(n_fit) < len(fit):
            chosen = files.slice(int(chance.choice(fit.tolist())), 1).to_pylist()[0]
    return chosen


def room_for_drill(scratch: Path) -> int:
    """Bytes that a drill may fetch into a folder: half of what is free there, at most `MAX_BYTES`.

    Parameters
    ----------
    scratch : pathlib.Path
        It is made where it is not there.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    return min(MAX_BYTES, shutil.disk_usage(scratch).free // 2)


def restore_drill(
    row: Mapping[str, Any],
    backend: ArchiveBackend,
    journal: Journal,
    records: RemovalRecords,
    scratch: Path,
    *,
    now: datetime | None = None,
) -> Look:
    """Fetch one file's copy into a scratch folder, compare it, and take it away again.

    Only what the drill itself made is taken away. A copy that is missing or differs turns its file SUSPECT; one for which
    the folder has no room (twice its size) is not fetched, and its drill says ``unread``.

    Returns
    -------
    Look
        ``equal``, ``different``, ``missing`` or ``unread``; written down too.
    """
    verdict, method, detail = "unread", "", ""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="drill-", dir=scratch) as folder:
        try:
            _must_have_room(scratch, row["size"])
            fetched = Path(folder) / "fetched"
            method = backend.fetch(PurePosixPath(row["archive_path"]), fetched).method
            size, sha256 = fetched.stat().st_size, sha256_of(fetched)
            is_equal = (sha256, size) == (row["sha256"], row["size"])
            verdict = "equal" if is_equal else "different"
            detail = "" if is_equal else f"it came back as {size} bytes of sha256 {sha256}"
        except NotInArchive:
            verdict, detail = "missing", "it is not there"
        except Exception as error:  # noqa: BLE001 - whatever kept it from coming back, the drill says so
            detail = f"{type(error).__name__}: {error}"
    look = Look(row["archive_path"], row["sha256"], row["size"], verdict, "drill", method, detail, clock(now))
    records.note_look(look)
    judge(row, [look] if verdict != "equal" else [], journal, now=now)
    return look


def _must_have_room(scratch: Path, size: int) -> None:
    free = shutil.disk_usage(scratch).free
    if size > free // 2:
        raise MapAssetsError(f"{scratch} has {free} bytes free, and {size} were to be fetched there; make room.")
