"""Everything that a path alone tells: role, ignore rule or refusal, session and day. The rules live in `roles` and `grouping`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from map_assets.shares.grouping import behavior_session, clue_of
from map_assets.shares.roles import rule_of
from map_assets.vocabulary.errors import BadInput, UnsafePath

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff\u2028\u2029]")


@dataclass(frozen=True)
class Named:
    """What a path tells.

    Parameters
    ----------
    role : str or None
        Role of a file that counts.
    rule : str or None
        Rule that ignores it.
    refusal : BadInput or None
        Why it goes to quarantine.
    session : str or None
        Session key, where the name alone tells it.
    day : str or None
        ISO date.
    """

    role: str | None = None
    rule: str | None = None
    refusal: BadInput | None = None
    session: str | None = None
    day: str | None = None


def named(kind: str, relpath: str, *, is_plain: bool) -> Named:
    """Tell what a path on a share of that kind means.

    Parameters
    ----------
    kind : str
        Kind of the share.
    relpath : str
        Under the share's root, with forward slashes.
    is_plain : bool
        Whether it is a regular file and no link.
    """
    rule = rule_of(kind, relpath)
    try:
        _refuse_unsafe(relpath, is_plain=is_plain)
        if rule.role is None:
            return Named(rule=rule.rule)
        if kind == "behavior":
            key = behavior_session(relpath)
            return Named(rule.role, session=str(key), day=key.name_date.isoformat())
        return Named(rule.role, day=clue_of(kind, relpath).day.isoformat())
    except BadInput as error:
        return Named(refusal=error)


def is_plain_file(path: Path) -> bool:
    """Whether what stands there now, if anything, is a regular file and no link."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


def _refuse_unsafe(relpath: str, *, is_plain: bool) -> None:
    if not is_plain:
        raise UnsafePath(
            relpath,
            "it is a link or no regular file, which is not followed",
            expected="the file itself",
            todo="Copy the file itself there.",
        )
    if _UNSAFE.search(relpath) or any(part in {"", ".", ".."} for part in relpath.split("/")):
        raise UnsafePath(
            relpath.encode("unicode_escape").decode("ascii"),
            "its path holds a control character, a backslash or bytes that are no text",
            expected="letters, digits, spaces and ordinary signs",
            todo="Rename it.",
        )
