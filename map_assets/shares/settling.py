"""Whether a file has stopped changing and is whole. What a ``.meta`` says lives in `spikeglx`, the scan in `scan`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from map_assets.shares.share import Share
from map_assets.shares.spikeglx import EndMarks, read_end_marks, why_incomplete
from map_assets.shares.walk import Look


class MetaBook:
    """What a share's ``.meta`` files say: each is read once, and again only when it has changed.

    Parameters
    ----------
    share : Share
    look : Look
        What is on the share now.
    rows : iterable of rows
        The ledger's memory of those read before.
    """

    def __init__(self, share: Share, look: Look, rows: Iterable[Row[Any]]) -> None:
        self._share, self._look = share, look
        self._rows = {row.relpath: row for row in rows}
        self.read: dict[str, EndMarks] = {}
        """Those read for this scan, by path."""

    def marks(self, relpath: str) -> EndMarks | None:
        """Return what a ``.meta`` says, or None where there is none (or only a link)."""
        facts = self._look.found.get(relpath)
        if facts is None or relpath in self._look.odd:
            return None
        row = self._rows.get(relpath)
        if row is not None and (row.size, row.mtime_ns, row.ctime_ns) == facts[:3]:
            return EndMarks(row.missing, row.bin_bytes, row.created and datetime.fromisoformat(row.created))
        if relpath not in self.read:
            self.read[relpath] = read_end_marks(self._share.path / relpath)
        return self.read[relpath]

    def why_incomplete(self, role: str | None, relpath: str) -> str | None:
        """Say what a SpikeGLX file's pair lacks; None for a complete pair and for any other file."""
        if role not in {"spikeglx_meta", "spikeglx_bin"}:
            return None
        stem = relpath.rpartition(".")[0]
        facts = self._look.found.get(f"{stem}.bin")
        name = stem.rpartition("/")[2]
        marks = self.marks(f"{stem}.meta")
        return why_incomplete(f"{name}.meta", marks, f"{name}.bin", None if facts is None else facts.size)

    def rows_read(self) -> list[dict[str, Any]]:
        """Rows for the ledger of what was read for this scan; what could not be read is tried again next time."""
        rows = []
        for relpath, marks in self.read.items():
            facts = self._look.found[relpath]
            if marks.is_read:
                created = None if marks.created is None else marks.created.isoformat()
                size, mtime_ns, ctime_ns, _ = facts
                row: dict[str, Any] = {"size": size, "mtime_ns": mtime_ns, "ctime_ns": ctime_ns, "created": created}
                row |= {"missing": marks.missing, "bin_bytes": marks.bin_bytes}
                rows.append({"share": self._share.name, "relpath": relpath, **row})
        return rows


def why_unsettled(share: Share, book: MetaBook, role: str | None, relpath: str, still_us: int) -> str | None:
    """Say why a file does not count yet; None where it does.

    Parameters
    ----------
    still_us : int
        For how long it has been seen standing still, by our clock, us.
    """
    incomplete = book.why_incomplete(role, relpath)
    if incomplete is not None:
        return incomplete
    return None if still_us >= share.settle_s * 1e6 else f"it must stand still for {share.settle_s:g} s"
