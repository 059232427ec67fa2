"""What Globus's answers mean for the archive: pure functions of errors, task documents and events. Asking lives in `globus_client`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, NotInArchive
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from globus_sdk import GlobusAPIError, GlobusError

Document = Mapping[str, Any]

CHANGED: Final = frozenset({"FILE_SIZE_CHANGED", "VERIFY_CHECKSUM"})
"""Faults after which Globus sends a file again, for ever while it keeps changing."""
FULL: Final = frozenset({"QUOTA_EXCEEDED", "NO_SPACE_LEFT"})
_WHAT_TO_DO: Final = {
    "QUOTA_EXCEEDED": "make room in the archive or raise its quota",
    "NO_SPACE_LEFT": "make room in the archive",
    "PERMISSION_DENIED": "give the client the right to read the share's and write the archive's collection",
    "NO_CREDENTIALS": "renew the collection's credentials",
    "AUTH": "check the client's rights on both collections",
    "PAUSED": "resume the task, or lift the pause rule",
    "PAUSED_BY_ADMIN": "ask the collection's administrator to resume it",
    "GC_PAUSED": "resume Globus Connect on that computer",
    "LIMIT_EXCEEDED": "ask Globus for a higher limit, or send less at a time",
    "INVALID_PATH_NAME": "rename the file",
    "NO_APPEND_FILESYSTEM": "ask the collection's administrator",
}
"""Codes that need a person, and what the person does."""
_FINE: Final = frozenset({"", "OK", "QUEUED"})
_LONGEST: Final = 300


@dataclass(frozen=True)
class Verdict:
    """What a task's document says; `code` is Globus's own word for what went wrong, or empty."""

    state: Literal["active", "succeeded", "failed", "blocked"]
    detail: str
    code: str = ""
    must_cancel: bool = False
    is_over: bool = False


def judge(task: Document, events: Sequence[Document], now: datetime, *, max_faults: int, stuck_s: float) -> Verdict:
    """Say where a transfer task stands, trusting its terminal status and counts only.

    Parameters
    ----------
    task : mapping
        The task document.
    events : sequence of mapping
        Its newest events, where any were asked for.
    now : datetime.datetime
        With a zone.
    max_faults : int
        Faults of changed files from which it is to be cancelled.
    stuck_s : float
        Standing still for longer than this needs a person.
    """
    name, status = f"Globus task {task.get('task_id')}", str(task.get("status"))
    code = _code(task, events)
    if status == "SUCCEEDED":
        n_bad = sum(_count(task, f"subtasks_{end}") for end in ("failed", "expired", "canceled", "skipped_errors"))
        if n_bad:
            return Verdict("failed", f"{name} ended, and left out {n_bad} files.", code, is_over=True)
        return Verdict("succeeded", f"{name} says that all is there.", is_over=True)
    if status == "FAILED":
        by_admin = bool(task.get("canceled_by_admin"))
        told = f"{name} failed with {code or 'no code'}"
        if by_admin or code in _WHAT_TO_DO:
            todo = _WHAT_TO_DO.get(code, "ask the collection's administrator, who cancelled it")
            return Verdict("blocked", f"{told}; {todo}, and let it be tried again.", code or "CANCELED", is_over=True)
        return Verdict("failed", f"{told}; it may be asked for again.", code or "UNKNOWN", is_over=True)
    if status not in {"ACTIVE", "INACTIVE"}:
        return Verdict("blocked", f"{name} has the unknown status {status}; look at it in Globus.", code)
    if status == "INACTIVE" or task.get("is_paused") or code in _WHAT_TO_DO:
        is_paused = status == "INACTIVE" or task.get("is_paused")
        todo = _WHAT_TO_DO.get(code, _WHAT_TO_DO["PAUSED"])
        return Verdict(
            "blocked", f"{name} {'is suspended' if is_paused else 'cannot go on'} ({code or status}); {todo}.", code
        )
    n_changed = sum(1 for event in events if event.get("is_error") and event.get("code") in CHANGED)
    if n_changed >= max_faults:
        return Verdict(
            "active", f"{name} is being cancelled: {n_changed} times a file changed under it.", code, must_cancel=True
        )
    still_s = _still_s(task, events, now)
    if code and still_s >= stuck_s:
        return Verdict(
            "blocked", f"{name} has stood still for {still_s / 3600:.1f} h ({code}); see to that endpoint.", code
        )
    return Verdict("active", f"{name} is under way{f' ({code})' if code else ''}.", code)


def _code(task: Document, events: Sequence[Document]) -> str:
    fatal = task.get("fatal_error")
    if isinstance(fatal, Mapping) and fatal.get("code"):
        return str(fatal["code"]).upper()
    nice = str(task.get("nice_status") or "").upper()
    if nice not in _FINE:
        return nice
    if task.get("status") != "FAILED":
        return ""
    return next((str(event["code"]) for event in events if event.get("is_error") and event.get("code")), "")


def _count(task: Document, name: str) -> int:
    try:
        return int(task.get(name) or 0)
    except (TypeError, ValueError):
        return 1  # a count that cannot be read is no proof of none


def _still_s(task: Document, events: Sequence[Document], now: datetime) -> float:
    times = [str(event.get("time")) for event in events if not event.get("is_error")] or [str(task.get("request_time"))]
    return max(min((now - instant).total_seconds() for instant in map(_instant, times)), 0.0)


def _instant(text: str) -> datetime:
    """Read an instant of Globus; one that cannot be read is long ago."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def files_named(events: Iterable[Document], paths: Mapping[str, str]) -> dict[str, str]:
    """Find which files the error events speak of.

    Parameters
    ----------
    events : iterable of mapping
        With ``code``, ``is_error`` and ``details``.
    paths : mapping of str to str
        Path in a collection to the name under which the answer gives the file.

    Returns
    -------
    dict of str to str
        Code of the newest such event by that name; where one path begins another, the longer is meant.
    """
    found: dict[str, str] = {}
    longest_first = sorted(paths, key=len, reverse=True)
    for event in events:
        if event.get("is_error"):
            details = str(event.get("details") or "").replace("\\/", "/")
            plain = details.encode().decode("unicode_escape", errors="replace") if "\\u" in details else details
            hit = next((path for path in longest_first if path in details or path in plain), None)
            if hit is not None:
                found.setdefault(paths[hit], str(event.get("code") or "UNKNOWN"))
    return found


# -- errors of requests ------------------------------------------------------------------------------------------------
def refusal(error: GlobusError, asked: str, hidden: Iterable[str]) -> MapAssetsError:
    """Turn what the SDK raised, after its own retries, into what the archive says of it.

    Parameters
    ----------
    error : globus_sdk.GlobusError
    asked : str
        What was asked for, in words.
    hidden : iterable of str
        Secrets and tokens, which no text may show.

    Returns
    -------
    MapAssetsError
        NotInArchive, ArchiveBlocked (a person is needed; not to be tried again) or ArchiveNotReady (to be tried again).
    """
    from globus_sdk import AuthAPIError, GlobusAPIError, NetworkError, TransferAPIError

    if isinstance(error, NetworkError):
        return ArchiveNotReady(
            f"Globus could not be reached to {asked} ({type(error).__name__}); it is tried again later."
        )
    if not isinstance(error, GlobusAPIError):
        return ArchiveBlocked(f"Globus could not be asked to {asked} ({type(error).__name__}); check [archive.globus].")
    said = shown(f"{error.http_status} {error.code or ''}: {error.message or error.http_reason}", hidden)
    status = error.http_status
    if status == 429 or (status >= 500 and not _is_for_a_person(error)):
        return ArchiveNotReady(f"Globus would not {asked} just now ({said}); it is tried again later.")
    if isinstance(error, AuthAPIError):
        todo = "check client_id and the client's secret"
    elif status == 404 and isinstance(error, TransferAPIError) and "Endpoint" not in (error.code or ""):
        return NotInArchive(f"Globus found nothing to {asked} ({said}).")
    else:
        todo = _todo(error)
    return ArchiveBlocked(f"Globus refused to {asked} ({said}); {todo}.")


def _is_for_a_person(error: GlobusAPIError) -> bool:
    code = error.code or ""
    return "External" in code and any(word in code for word in ("Denied", "Permission", "NotDirectory", "Invalid"))


def _todo(error: GlobusAPIError) -> str:
    if error.http_status == 401:
        return "the client's token was refused twice: check that the client is active and its secret is the present one"
    consent = error.info.consent_required
    if consent:
        return f"grant the client the consent {' '.join(consent.required_scopes or [])}"
    parameters = error.info.authorization_parameters
    if parameters:
        return (
            "the collection asks for a recent login, which a service account cannot give: take a collection without "
            "high assurance, or have its policy changed"
        )
    if error.http_status == 403:
        return "give the client the right to it"
    if error.http_status == 404:
        return "check the collection's UUID in [archive.globus]"
    return "check [archive.globus] against the collection's own page in Globus"


def shown(text: str, hidden: Iterable[str]) -> str:
    """Return one line of a message, short and without secrets."""
    for secret in hidden:
        if secret:
            text = text.replace(secret, "***")
    text = re.sub(r"(?i)\b(bearer|basic)\s+\S+", r"\1 ***", text)
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
