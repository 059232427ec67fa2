"""Files asked of a mover, and what became of them, step by step in the journal. Which files those are is told by `transfer`.

What a mover says is a claim: a file counts as transferred when it stands in the archive with its size. The steps of a
submission's files are written before the submission is settled, so that a process killed in between looks again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from map_assets.archive.backends.protocol import ArchiveBackend, ArchiveBlocked, ArchiveNotReady, Item, Progress
from map_assets.archive.batch import Submission
from map_assets.archive.fate import Fate, fate_of, look_at_source, must_be_itself
from map_assets.archive.journal import Journal, Lease
from map_assets.archive.standing import Standing, standing
from map_assets.archive.states import State
from map_assets.vocabulary.errors import (
    BadConfiguration,
    MapAssetsError,
)


@dataclass(frozen=True)
class Limits:
    """How much is asked of a mover at once, and how often.

    Parameters
    ----------
    items_per_submission : int
        A file that failed goes again with fewer neighbours, so that one bad file does not hold up the rest for ever.
    submissions_in_flight : int
        Tasks of a service, of all sessions together; a session that finds no place waits its turn.
    n_tries : int
        Failures of one file after which a person is needed.
    """

    items_per_submission: int = 500
    submissions_in_flight: int = 3
    n_tries: int = 3


@dataclass
class Mover:
    """One session's files and the mover, under the session's lease."""

    session: str
    roots: Mapping[str, Path]
    backend: ArchiveBackend
    journal: Journal
    lease: Lease
    limits: Limits = field(default_factory=Limits)

    # -- what was asked before -----------------------------------------------------------------------------------------
    def open_submissions(self) -> list[Submission]:
        """Submissions of the session that have not come to an end.

        Raises
        ------
        BadConfiguration
            If one was asked of another backend than the configured one.
        """
        found = self.journal.submissions(self.session, is_open=True)
        for submission in found:
            if submission.backend != self.backend.name:
                raise BadConfiguration(
                    f"A transfer of {self.session} into the archive {submission.backend!r} has not come to its end, and the "
                    f"configuration now names {self.backend.name!r}; name the first again until it has."
                )
        return found

    def ask_again(self) -> None:
        """Look at each open submission once; what was never answered is asked for again, under the same id.

        Raises
        ------
        ArchiveNotReady
            If the mover cannot be asked; what it was asked stays open.
        """
        for submission in self.open_submissions():
            stood = self._of(submission)
            items = [item for _, item in self.items(stood)]
            if submission.task is None:
                progress = self._submit(submission.submission, items)
            else:
                progress = self.backend.progress(submission.task, items)
            self.note(submission, progress, stood, is_polled=False)

    def look(self, submission: Submission) -> bool:
        """Ask how far an open submission has come; returns whether it has come to its end.

        Raises
        ------
        ArchiveNotReady
            If the mover cannot be asked.
        """
        stood = self._of(submission)
        progress = self.backend.progress(submission.task or "", [item for _, item in self.items(stood)])
        return self.note(submission, progress, stood, is_polled=True)

    def note(self, submission: Submission, progress: Progress, stood: Standing, *, is_polled: bool) -> bool:
        """Write down what a mover said, and where that leaves the files; returns whether it has come to its end.

        Parameters
        ----------
        stood : Standing
            All the submission's files; those that have moved on since are left alone.
        """
        if progress.state == "active":
            self.journal.note_task(submission.submission, progress.task, progress.detail, progress.bytes_done)
            return False
        if progress.state == "blocked" and progress.task:
            self.backend.cancel(progress.task)
        if progress.failed:
            self._see_shares(item for _, item in self.items(stood))
        left = stood.take(stood.where(State.SUBMITTED))
        fates = {number: fate_of(item, progress, self.backend) for number, item in self.items(left)}
        evidence = {"submission": submission.submission, "task": progress.task, "n_faults": progress.faults}
        self.write(submission.batch, fates, left, evidence)
        self.journal.settle(submission.submission, progress.state, progress.detail, is_polled=is_polled)
        return True

    # -- what is asked now ---------------------------------------------------------------------------------------------
    def ask_for(self, waiting: Standing) -> None:
        """Ask the mover for files that stand at MANIFESTED or FAILED, as many as may be under way at once."""
        for batch, chunk in self._chunks(waiting):
            if self.journal.n_in_flight(self.backend.name) >= self.limits.submissions_in_flight:
                if not self.journal.is_under_way(self.session):  # else it goes on when one of its own has ended
                    self.journal.wait_turn(self.session)
                return
            gone, items = self._look_at_sources(chunk)
            self.write(batch, gone, chunk, {"looked_at": "source"})
            if not items:
                continue
            stood = chunk.take(np.flatnonzero(np.isin(chunk.files["file"].to_numpy(), list(items))))
            stood.told.state[:] = str(State.SUBMITTED)
            submission = self.journal.plan_submission(
                batch, items, self.backend.new_submission(), self.backend.name, self.lease
            )
            progress = self._submit(submission.submission, list(items.values()))
            self.note(submission, progress, stood, is_polled=False)

    def write(self, batch: str, fates: Mapping[int, Fate], stood: Standing, evidence: Mapping[str, Any]) -> None:
        """Let files of a batch take their steps, those with the same fate together; one that failed too often is blocked."""
        tries = dict(zip(stood.files["file"].to_pylist(), stood.told.n_tries.tolist(), strict=True))
        together: dict[tuple[State, bool, bool, bool], dict[int, Fate]] = defaultdict(dict)
        for number, fate in fates.items():
            state = fate.state
            if state is State.FAILED and fate.counts and tries[number] + 1 >= self.limits.n_tries:
                state = State.BLOCKED
            together[(state, fate.counts, fate.is_own, fate.is_adopted)][number] = fate
        for (state, counts, is_own, is_adopted), files in together.items():
            said: dict[str, Any] = dict(evidence)
            texts = {str(number): fate.why for number, fate in files.items() if fate.why}
            if state is State.TRANSFERRED:
                claims = {str(number): fate.claim for number, fate in files.items() if fate.claim}
                said |= ({"claims": claims} if claims else {}) | ({"is_adopted": True} if is_adopted else {})
            elif state in {State.FAILED, State.BLOCKED}:
                said |= {"counts": counts, "is_own": is_own}
            why = next(iter(texts.values()), "")
            if len(set(texts.values())) > 1:
                said["each"] = texts
            self.journal.move(batch, files, state, actor=self.backend.name, why=why, evidence=said, lease=self.lease)

    def items(self, stood: Standing) -> Iterator[tuple[int, Item]]:
        """Give files as a mover takes them, each with its number."""
        names = ("file", "share", "path", "archive_path", "size", "sha256")
        for number, share, path, place, size, sha256 in zip(
            *(stood.files[name].to_pylist() for name in names), strict=True
        ):
            root = self.roots.get(share)
            if root is None:
                raise BadConfiguration(f"The journal names share {share!r}, which the configuration does not know.")
            yield number, Item(share, PurePosixPath(path), root / path, PurePosixPath(place), size, sha256)

    # -- inside --------------------------------------------------------------------------------------------------------
    def _of(self, submission: Submission) -> Standing:
        """All files of a submission, as they were asked for."""
        found = standing(self.session, self.journal)
        is_mine = np.array(found.files["batch"].to_pylist(), object) == submission.batch
        is_mine &= np.isin(found.files["file"].to_numpy(), submission.files)
        return found.take(np.flatnonzero(is_mine))

    def _chunks(self, waiting: Standing) -> Iterator[tuple[str, Standing]]:
        """Files that are asked for together: of one batch, as often failed, those that failed themselves apart."""
        batches = waiting.files["batch"].to_pylist()
        groups: dict[tuple[str, bool, int], list[int]] = defaultdict(list)
        for row, batch in enumerate(batches):
            tries = int(waiting.told.n_tries[row])
            groups[(batch, bool(waiting.told.is_culprit[row]), tries)].append(row)
        for (batch, _, tries), rows in groups.items():
            size = max(1, self.limits.items_per_submission // 4**tries)
            for first in range(0, len(rows), size):
                yield batch, waiting.take(rows[first : first + size])

    def _see_shares(self, items: Iterable[Item]) -> None:
        """Raise ShareNotReady where a share is not itself: then nothing is asked for, or concluded, about its files."""
        for share in sorted({item.share for item in items}):
            must_be_itself(share, self.roots)

    def _submit(self, submission: str, items: Sequence[Item]) -> Progress:
        self._see_shares(items)
        try:
            return self.backend.submit(submission, items)
        except ArchiveNotReady:
            raise
        except ArchiveBlocked as error:
            return Progress("", "blocked", str(error))
        except MapAssetsError as error:
            return Progress("", "failed", str(error), {str(item.archive_path): error for item in items})

    def _look_at_sources(self, chunk: Standing) -> tuple[dict[int, Fate], dict[int, Item]]:
        """Tell files that cannot be asked for from those that can; what is gone may stand in the archive already."""
        self._see_shares(item for _, item in self.items(chunk))
        aside: dict[int, Fate] = {}
        items: dict[int, Item] = {}
        for number, item in self.items(chunk):
            fate = look_at_source(item, self.roots[item.share], self.backend)
            if fate is None:
                items[number] = item
            else:
                aside[number] = fate
        return aside, items
