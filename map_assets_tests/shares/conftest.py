"""A small laboratory on real files, with a clock that the test turns.

With ``MAP_TEST_POSTGRES`` set to the URL of an empty PostgreSQL database the ledger lives there instead of in SQLite.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from map_assets.shares.ledger import Ledger
from map_assets.shares.scan import scan_all
from map_assets.shares.schema import METADATA
from map_assets.shares.share import LedgerFile, ScanReport, Share, ShareKind

NAMES = {"rig": "behavior", "rig2": "behavior", "ephys": "ephys", "cameras": "tracking", "slices": "histology"}


class Lab:
    """Shares, a ledger and a clock; `settle_s` is 60 unless said otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.shares: dict[str, Share] = {}
        self.url = os.environ.get("MAP_TEST_POSTGRES") or f"sqlite:///{root}/data/registry.db"
        self.ledger = Ledger(self.url)
        if "MAP_TEST_POSTGRES" in os.environ:
            METADATA.drop_all(self.ledger.engine)
            self.ledger.close()
            self.ledger = Ledger(self.url)

    def share(self, name: str, kind: ShareKind | None = None, **facts: object) -> Share:
        path = self.root / name
        path.mkdir(exist_ok=True)
        self.shares[name] = Share(name, kind or NAMES[name], path, **{"settle_s": 60, **facts})
        return self.shares[name]

    def write(self, share: str, relpath: str, content: bytes | str = b"bytes") -> Path:
        if share not in self.shares:
            self.share(share)
        path = self.root / share / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def scan(self, after: float = 0) -> dict[str, ScanReport]:
        self.now += timedelta(seconds=after)
        return {report.share: report for report in scan_all(self.shares.values(), self.ledger, self.now)}

    def settle(self) -> None:
        """Scan, let all stand still, scan again."""
        self.scan()
        self.scan(after=61)

    def file(self, relpath: str) -> LedgerFile:
        found = [file for file in self.ledger.files() if file.relpath == relpath]
        assert len(found) == 1, f"{len(found)} rows of {relpath}"
        return found[0]

    def usable(self, session: str) -> set[str]:
        return {str(file.relpath) for file in self.ledger.inventory(session).files}

    def ingest(self, session: str, by: str = "trials") -> int:
        return self.ledger.mark_ingested(self.ledger.inventory(session).files, by, self.now)


def meta(created: str = "2019-02-28T15:12:00", size: int = 10, **others: str) -> str:
    """Text of a finished SpikeGLX .meta."""
    marks = {"fileSHA1": "A0", "fileTimeSecs": "3.5", "fileSizeBytes": str(size), "fileCreateTime": created} | others
    return "".join(f"{key}={value}\n" for key, value in marks.items())


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(scope="session")
def new_lab() -> type[Lab]:
    return Lab


@pytest.fixture
def finished_meta() -> object:
    return meta
