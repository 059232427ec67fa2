"""Which trial each video shows: the text that a camera's computer leaves, or, without one, the video's own number. Names live in `videos`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

from map_assets.vocabulary.errors import CompanionMissing, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile, unchanged

_TODO = "Correct the map and copy it again."
_LARGEST = 10**9
"""No camera numbers its videos so high."""


@dataclass(frozen=True)
class TrialMap:
    """A camera's map: the trials named for each video, and how often each trial is named.

    Without a file, a camera has a video for each trial that was run, in their order, from `first_video` on.
    """

    file: FoundFile | None
    trials_of: Mapping[int, list[int]]
    times_named: Mapping[int, int]
    first_video: int | None = 1
    never_run: tuple[int, ...] = ()

    @classmethod
    def read(cls, files: list[FoundFile], first_video: int | None = 1, never_run: Collection[int] = ()) -> TrialMap:
        """Read a camera's map, if there is one.

        Parameters
        ----------
        files : list of FoundFile
            Lines of video number and trial number with blanks between them; empty lines are passed over.
        first_video : int or None
            Number of the first video, for a camera without a map; None if it is not known.
        never_run : collection of int
            Numbers of trials that were planned and never run, of which there is no video.

        Raises
        ------
        PiecesDoNotFit
            If the camera has more than one.
        UnreadableFile
            If a line is not two whole numbers.
        """
        if not files:
            return cls(None, {}, {}, first_video, tuple(sorted(never_run)))
        if len(files) > 1:
            raise PiecesDoNotFit(
                files[1].path,
                f"the camera has {len(files)} frame-to-trial maps: {', '.join(str(file.relpath) for file in files)}",
                expected="one",
                todo="Remove the wrong one.",
            )
        path = files[0].path
        with unchanged(path):
            try:
                lines = path.read_text("utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise UnreadableFile(path, "it cannot be read", expected="a text file", todo=_TODO) from error
        trials_of: dict[int, list[int]] = defaultdict(list)
        for row, line in enumerate(lines, 1):
            words = line.split()
            if not words:
                continue
            is_whole = all(word.isascii() and word.isdigit() and len(word) < len(str(_LARGEST)) for word in words)
            if len(words) != 2 or not is_whole:
                raise UnreadableFile(
                    path, f"line {row} is '{line[:40]}'", expected="video number, tab, trial number", todo=_TODO
                )
            trials_of[int(words[0])].append(int(words[1]))
        return cls(files[0], trials_of, Counter(trial for named in trials_of.values() for trial in named))

    def trial_of(self, number: int, video: FoundFile, trials: Collection[int]) -> int:
        """Return the trial of a video, by its number.

        Raises
        ------
        PiecesDoNotFit
            If the map names no trial for it, several, one that another video has too, or one that was not kept; or if there
            is no map, and it is not known from which number the camera counts.
        """
        if self.file is None:
            named, by = [self._by_number(number, video)], "its number"
        else:
            named, by = self.trials_of.get(number, []), self.file.relpath.name
            if len(named) != 1:
                raise _misfit(video, f"{by} names {len(named) or 'no'} trials for video {number}")
            if self.times_named[named[0]] > 1:
                raise _misfit(video, f"{by} names trial {named[0]} for several videos, {number} among them")
        if named[0] not in trials:
            raise _misfit(video, f"by {by} it is of trial {named[0]}, which the session did not keep")
        return named[0]

    def _by_number(self, number: int, video: FoundFile) -> int:
        """Return the trial whose place among those that were run is the video's among all."""
        if self.first_video is None:
            raise PiecesDoNotFit(
                video.path,
                "the rig is not known, and the rigs' cameras begin to count their videos at different numbers",
                expected="a map of videos and trials, or the session's rig",
                todo="Name the rig of the share, or copy the camera's map.",
            )
        trial = number - self.first_video + 1
        for lost in self.never_run:
            trial += lost <= trial
        return trial

    def missing(self, found: Collection[int], trials: Collection[int]) -> CompanionMissing | None:
        """Say which videos of kept trials the map names that no file is of; None if all are there or there is no map."""
        lacking = sorted(
            number
            for number, named in self.trials_of.items()
            if number not in found and any(trial in trials for trial in named)
        )
        if self.file is None or not lacking:
            return None
        shown = ", ".join(map(str, lacking[:10])) + (", ..." if len(lacking) > 10 else "")
        return CompanionMissing(
            self.file.path,
            f"{len(lacking)} of the videos that it names have no result: {shown}",
            expected="a result for each video of a kept trial",
            todo="Copy them, or track these videos; the trials that have theirs are in the tables.",
        )


def never_run(skipped_trials: pa.Table | None) -> set[int]:
    """Return the numbers of trials that were planned and never run, out of the session's `skipped_trials`."""
    if skipped_trials is None:
        return set()
    pairs = zip(skipped_trials["trial"].to_pylist(), skipped_trials["was_run"].to_pylist(), strict=True)
    return {trial for trial, was_run in pairs if was_run is False}


def _misfit(video: FoundFile, found: str) -> PiecesDoNotFit:
    return PiecesDoNotFit(video.path, found, expected="one kept trial for each video", todo=_TODO)
