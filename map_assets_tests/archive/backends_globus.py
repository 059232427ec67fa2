"""The archive that a Globus service on 127.0.0.1 fills, with the archive mounted here and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from map_assets.archive.backends.globus import GlobusArchive
from map_assets.archive.globus_loopback.service import LoopbackGlobus
from map_assets.archive.globus_loopback.start import start_loopback

SHARE = "rig1"


class Opened(NamedTuple):
    """An archive, what may happen to its medium, and the service that fills it."""

    backend: GlobusArchive
    damage: Callable[[PurePosixPath, bytes | None], None]
    service: LoopbackGlobus


@contextmanager
def opened(
    work: Path,
    verification: Literal["mount", "restore"] = "mount",
    changed: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Iterator[Opened]:
    """Serve ``work/rig1`` and ``work/archive`` and open the archive."""
    share, archive = work / SHARE, work / "archive"
    share.mkdir(exist_ok=True)

    def damage(archive_path: PurePosixPath, content: bytes | None) -> None:
        path = archive / archive_path
        path.unlink()
        if content is not None:
            path.write_bytes(content)

    more = {"retries": 2, "max_sleep_s": 0.05, "wait_s": 10.0, **more}
    with start_loopback(
        {SHARE: share}, archive, work / "globus", verification=verification, changed=changed, **more
    ) as one:
        yield Opened(GlobusArchive(one.settings), damage, one.service)
