"""The backends that every promise of the archive is tested on, and how each is opened for one test.

A new backend is a context manager ``(work) -> UnderTest`` and a line in `BACKENDS`. Under `work` the share ``rig1``
stands in ``work/rig1``; whatever else a backend needs it makes beside that, under names of its own.
"""

from __future__ import annotations

import atexit
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest
from backends_globus import opened
from obstore.store import S3Store

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveBackend
from map_assets.archive.backends.s3 import S3Archive
from map_assets.archive.backends.s3_settings import S3Settings

SHARE = "rig1"
S3_KEYS = {"AWS_ACCESS_KEY_ID": "id-of-the-test", "AWS_SECRET_ACCESS_KEY": "never-to-be-seen-4711"}


class UnderTest(NamedTuple):
    """A backend and what happens to its medium behind its back.

    Parameters
    ----------
    backend : ArchiveBackend
    damage : callable
        ``(archive_path, content)``: let other bytes stand there, or nothing where `content` is None.
    """

    backend: ArchiveBackend
    damage: Callable[[PurePosixPath, bytes | None], None]


Open = Callable[[Path], AbstractContextManager[UnderTest]]


@contextmanager
def folder(work: Path) -> Iterator[UnderTest]:
    archive = FolderArchive(work / "archive")
    yield UnderTest(archive, damage_in(archive.root))


def damage_in(root: Path) -> Callable[[PurePosixPath, bytes | None], None]:
    """Rot and loss in a folder of this machine."""

    def damage(archive_path: PurePosixPath, content: bytes | None) -> None:
        path = root / archive_path
        path.unlink()
        if content is not None:
            path.write_bytes(content)

    return damage


@contextmanager
def s3(work: Path) -> Iterator[UnderTest]:
    """A bucket of its own at a service on this machine; files beyond 5 MiB go there in parts."""
    bucket = f"lab-{secrets.token_hex(6)}"
    endpoint = s3_service()
    urlopen(Request(f"{endpoint}/{bucket}", method="PUT"), timeout=10).close()
    settings = S3Settings(bucket, "raw/archive", endpoint)

    def damage(archive_path: PurePosixPath, content: bytes | None) -> None:
        store = S3Store(bucket, prefix=settings.prefix, endpoint=endpoint, client_options={"allow_http": True})
        if content is None:
            store.delete(str(archive_path))
        else:
            store.put(str(archive_path), content)

    with pytest.MonkeyPatch.context() as environment:
        for name, value in S3_KEYS.items():
            environment.setenv(name, value)
        yield UnderTest(S3Archive(settings, retries=1, part_bytes=5 << 20), damage)


@contextmanager
def globus(work: Path) -> Iterator[UnderTest]:
    """Collections of a service on this machine, the archive's mounted."""
    with opened(work) as one:
        yield UnderTest(one.backend, one.damage)


@contextmanager
def globus_without_mount(work: Path) -> Iterator[UnderTest]:
    """The same, with nothing of the archive on this machine: files are read by letting them come back."""
    with opened(work, "restore") as one:
        yield UnderTest(one.backend, one.damage)


@cache
def s3_service() -> str:
    """Start the service once for the whole run, and return its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    service = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    service.start()
    atexit.register(service.stop)
    host, port = service.get_host_and_port()
    return f"http://{host}:{port}"


BACKENDS: tuple[tuple[str, Open], ...] = (
    ("folder", folder),
    ("s3", s3),
    ("globus", globus),
    ("globus_without_mount", globus_without_mount),
)
