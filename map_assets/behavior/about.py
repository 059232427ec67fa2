"""The one row of `behavior_file`: which file it is, of which task, and when it began. The tables of trials live in `kept_trials`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from map_assets.behavior.start import Start
from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile


class Content(Protocol):
    """What was read of a file."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def sha256(self) -> str:
        """Of these bytes, lower-case hex."""


def about_file(file: FoundFile, content: Content, start: Start, **task: Any) -> dict[str, Any]:
    """Return the row, without the session; `task` gives the columns that the task knows."""
    return {
        "file": str(file.relpath),
        "share": file.share,
        "rig": file.rig,
        "size": content.size,
        "sha256": content.sha256,
        "start_local": _written(start.start_local),
        "start_source": start.source,
        "info_start_local": start.info_start_local and _written(start.info_start_local),
        **task,
    }


def check_enough_trials(file: FoundFile, n_trials: int, fewest: int, source: str) -> None:
    """Refuse a file with fewer trials than its protocol file asks for.

    Raises
    ------
    PiecesDoNotFit
        If there are fewer.
    """
    if n_trials < fewest:
        raise PiecesDoNotFit(
            file.path,
            f"it holds {n_trials} trials",
            expected=f"at least {fewest}, as fewest_trials of {source} says",
            todo="If it counts as a session, lower fewest_trials there.",
        )


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
