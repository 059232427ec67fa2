"""What is said about removal: an approval, a hold, a look at a copy. Keeping them lives in `removal_records`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

FileName = tuple[str, int]
"""Batch, and number of a file in it."""


@dataclass(frozen=True)
class Approval:
    """Leave to remove named bytes; `files` are sha256 by file, `account` is who was logged in where it was given."""

    approval: str
    session: str
    who: str
    why: str
    plan: str
    at: datetime
    until: datetime
    files: Mapping[FileName, str]
    is_revoked: bool
    account: str = ""


@dataclass(frozen=True)
class Hold:
    """Somebody's word that a session, what it has on one share, or one file of that, stays; None is all of them."""

    hold: str
    session: str
    share: str | None
    path: str | None
    who: str
    why: str
    at: datetime

    def covers(self, share: str, path: str) -> bool:
        """Whether it speaks of a file."""
        return self.share in (None, share) and self.path in (None, path)


@dataclass(frozen=True)
class Look:
    """What reading an archived copy again said: ``equal``, ``different``, ``missing`` or ``unread``."""

    archive_path: str
    sha256: str
    size: int
    verdict: str
    reason: str
    method: str
    detail: str
    at: datetime


def account_here() -> str:
    """Name the user of the operating system whose process this is; unlike a name that is given, nobody chooses it."""
    try:
        import pwd
    except ImportError:  # Windows
        from getpass import getuser

        return getuser()
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container's user need not have a name
        return f"user {number}"


def standing(approvals: Iterable[Approval], file: FileName, sha256: str, now: datetime) -> Approval | None:
    """Return the youngest approval that names these bytes and may be acted on at `now`, or None."""
    found = [
        one for one in approvals if one.files.get(file) == sha256 and not one.is_revoked and one.at <= now < one.until
    ]
    return found[-1] if found else None
