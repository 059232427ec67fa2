"""What a share is and what a scan, a count or an inventory of it says. Scanning lives in `scan`, remembering in `ledger`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.files import FoundFile

ShareKind = Literal["behavior", "tracking", "ephys", "histology", "raw"]
ScanStatus = Literal["ok", "unreachable", "empty", "wrong"]
FileState = Literal["waiting", "ingested", "quarantined", "ignored"]

MARKER = ".map_assets_share"
"""Name of the file in a share's root that tells this share from another one mounted in its place."""


class NoSuchFile(MapAssetsError):
    """The ledger knows no such file."""


@dataclass(frozen=True)
class Share:
    """One network share as the configuration names it.

    Parameters
    ----------
    name : str
        Name in the configuration.
    kind : str
        ``behavior``, ``tracking``, ``ephys``, ``histology`` or ``raw``.
    path : pathlib.Path
        Its root on this machine.
    rig : str or None
        The rig that writes there.
    settle_s : float
        How long a file must stand still by our clock before it counts, s; 0 takes it as it is at first sight.
    marker : str or None
        Text that the file ``.map_assets_share`` in the root must hold; None remembers what is there at first sight.
    """

    name: str
    kind: ShareKind
    path: Path
    rig: str | None = None
    settle_s: float = 600.0
    marker: str | None = None


@dataclass(frozen=True)
class ScanReport:
    """What one scan of one share found; where `status` is not ``ok`` nothing was concluded about any file.

    Parameters
    ----------
    share : str
    status : str
        ``ok``, ``unreachable``, ``empty`` (nothing there yet, or nothing any more) or ``wrong`` (another share's marker).
    n_found, n_new, n_changed, n_newly_settled, n_absent : int
        Files found; of them new, changed, and settled in this scan; files known before that vanished in this scan.
    seconds : float
        How long the scan took, s.
    message : str
        Empty, or what a person should know, in plain sentences.
    """

    share: str
    status: ScanStatus
    n_found: int = 0
    n_new: int = 0
    n_changed: int = 0
    n_newly_settled: int = 0
    n_absent: int = 0
    seconds: float = 0.0
    message: str = ""

    @property
    def sentence(self) -> str:
        """The report in one line for people."""
        if self.status != "ok":
            return f"{self.share} ({self.status}): {self.message}"
        counts = {"new": self.n_new, "changed": self.n_changed, "settled": self.n_newly_settled, "gone": self.n_absent}
        news = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing new"
        said = f"{self.share}: {self.n_found} files, {news} ({self.seconds:.1f} s)."
        return f"{said} {self.message}".rstrip()


@dataclass(frozen=True)
class ShareStatus:
    """Counts of a share's files; ``found == ingested + waiting + quarantined + ignored`` always holds.

    Parameters
    ----------
    absent : int
        Files (of any state) that were not there any more at the last scan.
    last_scan : datetime.datetime or None
        When it was last looked at, UTC; None if never.
    scan_status, message : str
        What that scan ended with.
    """

    share: str
    found: int
    ingested: int
    waiting: int
    quarantined: int
    ignored: int
    absent: int
    last_scan: datetime | None
    scan_status: str
    message: str


@dataclass(frozen=True)
class LedgerFile:
    """One file of a share as the ledger has it.

    Parameters
    ----------
    share, relpath : str
        Which file; the path is under the share's root, with forward slashes.
    size : int
        Bytes.
    mtime_ns, ctime_ns : int
        Modification and change time on the share's clock, ns.
    inode : int
    first_seen, last_change_seen : datetime.datetime
        By our clock, UTC.
    session : str or None
        Session key; None while it is not known which.
    role : str or None
        As in `FoundFile`; None where the name was refused or ignored.
    state : str
        ``waiting``, ``ingested``, ``quarantined`` or ``ignored``.
    reason : str or None
        Plain sentence for what waits or is in quarantine.
    rule : str or None
        Named rule by which it is ignored or in quarantine.
    by : str or None
        Stage that ingested it or put it into quarantine.
    settled : bool
        Whether it has stopped changing.
    absent_since : datetime.datetime or None
        Since when it is not on the share any more, UTC.
    sha256 : str or None
        Where it was needed.
    released_by, released_why : str or None
        Who said that it is to be used as it is, and why.
    """

    share: str
    relpath: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    first_seen: datetime
    last_change_seen: datetime
    session: str | None
    role: str | None
    state: FileState
    reason: str | None
    rule: str | None
    by: str | None
    settled: bool
    absent_since: datetime | None
    sha256: str | None
    released_by: str | None = None
    released_why: str | None = None


@dataclass(frozen=True)
class Inventory:
    """A session's files.

    Parameters
    ----------
    session : str
    files : tuple of FoundFile
        On the share, settled, and neither ignored nor in quarantine: what a stage may read.
    unsettled : tuple of FoundFile
        On the share, still changing or incomplete.
    absent : tuple of FoundFile
        Once usable and not on the share any more (moved, removed, or an unreadable moment); no reason to undo anything.
    """

    session: str
    files: tuple[FoundFile, ...] = ()
    unsettled: tuple[FoundFile, ...] = ()
    absent: tuple[FoundFile, ...] = ()
    changed_ns: dict[tuple[str, str], int] = field(default_factory=dict, repr=False, compare=False)

    def with_roles(self, *roles: str) -> tuple[FoundFile, ...]:
        """Return the usable files that have one of the roles."""
        return tuple(file for file in self.files if file.role in roles)

    def signature(self, roles: Collection[str] | None = None) -> str:
        """Hash what the usable files of some roles (None: all) are: any new, changed or missing file changes it.

        Returns
        -------
        str
            16 hex digits over share, path, role, size, modification and change time.
        """
        digest = hashlib.sha256()
        for file in sorted(self.files, key=lambda one: (one.share, str(one.relpath))):
            if roles is None or file.role in roles:
                name = (file.share, str(file.relpath))
                facts = (*name, file.role, file.size, file.mtime_ns, self.changed_ns.get(name, 0))
                digest.update(repr(facts).encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class StageRecord:
    """How a stage of a session last ended.

    Parameters
    ----------
    signature : str
        Of its inputs then.
    outcome : str
        ``done`` or ``failed``.
    detail : str
        A sentence, or empty.
    at : datetime.datetime
        When, UTC.
    """

    stage: str
    signature: str
    outcome: Literal["done", "failed"]
    detail: str
    at: datetime


@dataclass(frozen=True)
class FileChange:
    """What a file was before it was ``changed``, ``moved``, ``quarantined``, ``retried`` or ``released``; by whom, why."""

    share: str
    relpath: str
    at: datetime
    what: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    session: str | None
    state: str
    reason: str | None
    by: str | None
    sha256: str | None
    who: str | None
    why: str | None
