"""A share with a session's raw files, and what the tests of the archive read from it."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import pytest

from map_assets.archive.backends.protocol import ArchiveBackend, Item, Progress
from map_assets.vocabulary.files import FoundFile

sys.path.insert(0, str(Path(__file__).parent))
from backends_under_test import BACKENDS, Open, UnderTest

SESSION = "SC022_20190228_151010"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A share's root with three raw files, one of them empty."""
    root = tmp_path / "rig1"
    for name, content in {
        "SC022/behavior.mat": b"behaviour " * 1000,
        "SC022/run_g0/run_g0_t0.imec0.ap.bin": bytes(range(256)) * 4096,
        "SC022/notes/empty.txt": b"",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture(params=[pytest.param(opened, id=name) for name, opened in BACKENDS])
def under_test(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UnderTest]:
    """Each backend in turn, with what may happen to its medium."""
    opened: Open = request.param
    with opened(tmp_path) as under_test:
        yield under_test


@pytest.fixture
def backend(under_test: UnderTest) -> ArchiveBackend:
    """Each backend in turn."""
    return under_test.backend


@pytest.fixture
def moved() -> Callable[..., Progress]:
    """Move files into an archive and wait for the end, at most half a minute."""

    def moved(backend: ArchiveBackend, items: Sequence[Item], submission: str | None = None) -> Progress:
        done = backend.submit(submission or backend.new_submission(), items)
        end = time.monotonic() + 30
        while done.state == "active" and time.monotonic() < end:
            time.sleep(0.02)
            done = backend.progress(done.task, items)
        return done

    return moved


@pytest.fixture
def found_in() -> Callable[..., list[FoundFile]]:
    """Find every file under a root, as the scan of a share does."""

    def found(root: Path, share: str = "rig1", role: str = "raw") -> list[FoundFile]:
        files = []
        for path in sorted(root.rglob("*")):
            status = path.lstat()
            if not path.is_dir() or path.is_symlink():
                relpath = PurePosixPath(path.relative_to(root))
                files.append(FoundFile(share, root, relpath, role, status.st_size, status.st_mtime_ns))
        return files

    return found


@pytest.fixture
def archived_files() -> Callable[[Path], dict[str, str]]:
    """Hash everything that stands under a final name in an archive folder, receipts aside."""

    def files(root: Path) -> dict[str, str]:
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*")
            if path.is_file() and path.parent.name != "receipts" and ".parts" not in path.parts
        }

    return files
