"""Small transfers that a call waits for: begun once, found again by a later call where they take longer. What they are for lives with the caller."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from map_assets.archive.backends.globus_client import GlobusClient
from map_assets.archive.backends.globus_settings import CollectionSettings
from map_assets.archive.backends.globus_verdicts import Document
from map_assets.archive.backends.protocol import ArchiveNotReady
from map_assets.store.atomic import replacing

_LOG = logging.getLogger(__name__)
_FORGOTTEN_AFTER_S: Final = 86_400.0
"""An errand that was begun longer ago is begun anew."""
_STANDS_FOR_S: Final = 3_600.0
"""What came back longer ago than this is no look at the archive of today, and is fetched anew."""
_KEPT_S: Final = 30 * 86_400.0
Files = Callable[[str], Sequence[tuple[str, str, str | None]]]
BACK: Final = "back "
"""How the keys of errands that bring a file back begin."""
Drop = Callable[[str], object]


class Errands:
    """Transfers of single files whose end a call needs, each written down under a key while it is under way.

    Parameters
    ----------
    client : GlobusClient
    folder : pathlib.Path
        Where they are written down.
    """

    def __init__(self, client: GlobusClient, folder: Path) -> None:
        self.client = client
        self.folder = folder

    def run(
        self,
        key: str,
        source: CollectionSettings,
        destination: CollectionSettings,
        files: Files,
        what: str,
        *,
        drop: Drop | None = None,
    ) -> tuple[str, Document]:
        """Transfer files and wait for the end, as long as the settings allow.

        Parameters
        ----------
        key : str
            The same key is the same errand, until its end was told once.
        files : callable
            Takes the submission's id and gives the files, as `GlobusClient.submit` wants them; the same for the same id.
        what : str
            What is done, for people.
        drop : callable, optional
            Takes the id of a submission whose outcome nobody will ask for, and clears away what it brought.

        Returns
        -------
        submission : str
        task : mapping
            The document of the task that has ended, well or not.

        Raises
        ------
        ArchiveNotReady
            If it has not ended yet: call again.
        """
        record = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        errand = self._standing(record, what)
        if errand is None:
            self._let_go(record, drop)
            self._sweep(drop)
            errand = {"key": key, "submission": self.client.new_submission(), "made_s": time.time(), "task": None}
            self._write(record, errand)
        submission = str(errand["submission"])
        if errand["task"] is None:
            errand["task"] = self.client.submit(
                submission, source, destination, files(submission), f"{what[:80]} {submission}"
            )
            self._write(record, errand)
        ended = self.client.wait(str(errand["task"]))
        if ended is None:
            raise ArchiveNotReady(
                f"Globus task {errand['task']} is still under way to {what}; it is asked again later."
            )
        record.unlink(missing_ok=True)
        return submission, ended

    def _standing(self, record: Path, what: str) -> dict[str, Any] | None:
        """The errand of a record, where it is young, and is under way or has ended lately."""
        errand = self._read(record)
        is_look = str((errand or {}).get("key")).startswith(BACK)
        age_s = time.time() - float((errand or {}).get("made_s") or 0)
        # of one that was asked for without an answer nobody can tell when it ended
        lasts_s = _STANDS_FOR_S if is_look and errand is not None and errand["task"] is None else _FORGOTTEN_AFTER_S
        if errand is None or not 0 <= age_s < lasts_s:
            return None
        if errand["task"] is None or not is_look:
            return errand
        task = self.client.task(str(errand["task"]))
        ended = str(task.get("completion_time") or "")
        if task.get("status") not in {"SUCCEEDED", "FAILED"}:
            return errand
        try:
            age_s = (datetime.now(UTC) - datetime.fromisoformat(ended)).total_seconds()
        except (TypeError, ValueError):
            _LOG.info("Globus does not say when task %s to %s ended; it is begun anew", errand["task"], what)
            return None
        return errand if age_s < _STANDS_FOR_S else None

    def _read(self, record: Path) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # what cannot be read is begun anew: an errand done twice does no harm
        return found if found.get("submission") else None

    def _let_go(self, record: Path, drop: Drop | None) -> None:
        """Forget an errand that nobody will ask for again, end its task, and let what it brought be cleared away."""
        errand = self._read(record)
        if errand is None:
            return
        if errand.get("task") is not None:
            self.client.cancel(str(errand["task"]))
        if drop is not None:
            drop(str(errand["submission"]))
        record.unlink(missing_ok=True)

    def _sweep(self, drop: Drop | None) -> None:
        """Let go of errands of the same kind that were begun too long ago to answer anything."""
        if drop is None or not self.folder.is_dir():
            return
        for record in self.folder.glob("*.json"):
            errand = self._read(record)
            if errand is None or not str(errand.get("key")).startswith(BACK):
                continue
            if time.time() - float(errand.get("made_s") or 0) >= _FORGOTTEN_AFTER_S:
                self._let_go(record, drop)

    def _write(self, record: Path, errand: dict[str, Any]) -> None:
        with replacing(record) as part:
            part.write_text(json.dumps(errand), encoding="utf-8")


class Posted:
    """Which task a submission became, for a month; Globus itself keeps a submission from becoming two.

    Parameters
    ----------
    folder : pathlib.Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_swept = False

    def task(self, submission: str) -> str | None:
        """Return the task of a submission that was posted from here."""
        try:
            return self._file(submission).read_text(encoding="utf-8") or None
        except (OSError, ValueError):
            return None

    def note(self, submission: str, task: str) -> None:
        """Write a submission's task down."""
        with replacing(self._file(submission)) as part:
            part.write_text(task, encoding="utf-8")
        if not self._is_swept:
            self._is_swept = True
            for old in self.folder.glob("*.txt"):
                if time.time() - old.stat().st_mtime > _KEPT_S:
                    old.unlink(missing_ok=True)

    def _file(self, submission: str) -> Path:
        return self.folder / f"{hashlib.sha256(submission.encode()).hexdigest()[:32]}.txt"
