"""Which camera and trial each video is of: file names and frame-to-trial maps. Their content is read in `formats`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from map_assets.vocabulary.errors import BadInput, NameDoesNotParse, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile, Rejected, unchanged

CAMERA_OF_POSITION = {
    "side": "side",
    "side_face": "side",
    "bottom": "bottom",
    "bottom_face": "bottom",
    "body": "body",
    "side_body": "body",
}
"""Position in a file's name -> camera."""

RATE_HZ = {"side": 1 / 0.0034, "bottom": 1 / 0.0034, "body": 100.0}
"""Frame rate of each camera, Hz: the face cameras expose every 3.4 ms, the body camera every 10 ms (the earlier MAP
pipeline's tracking devices, Chameleon3 CM3-U3-13Y3M-CS)."""

_POSITIONS = "|".join(sorted(CAMERA_OF_POSITION, key=len, reverse=True))
_MAP_NAME = re.compile(rf".*_(?P<position>{_POSITIONS})\.txt")
_TODO_MAP = "Correct the map and copy it again."


@dataclass(frozen=True)
class Video:
    """A tracker's result and what it is of."""

    file: FoundFile
    camera: str
    number: int
    trial: int


def find_videos(animal: str, files: Iterable[FoundFile], trials: Collection[int]) -> tuple[list[Video], list[Rejected]]:
    """Give each result its camera and trial.

    Parameters
    ----------
    animal : str
        How the files' names begin: ``{animal}*_{position}_{number}-*.csv`` or ``{animal}*_{position}_{number}.csv``.
    files : iterable of FoundFile
        Of role ``tracking`` (results) and ``tracking_map`` (``*_{position}.txt``: video number, tab, trial number);
        others are passed over. A camera without a map has one video a trial, with the trial's number.
    trials : collection of int
        Numbers of the session's kept trials.

    Returns
    -------
    videos : list of Video
        In the order of trial and camera; no two are of one trial and camera.
    rejected : list of Rejected
        Results that cannot be placed, each with the reason.
    """
    files = list(files)
    rejected: list[Rejected] = []
    by_camera: dict[str, dict[int, list[FoundFile]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted((file for file in files if file.role == "tracking"), key=lambda file: str(file.relpath)):
        try:
            camera, number = parse_name(animal, file)
        except NameDoesNotParse as error:
            rejected.append(Rejected((file,), error))
        else:
            by_camera[camera][number].append(file)
    maps = _maps_by_camera(files, rejected)
    videos: list[Video] = []
    for camera, found in by_camera.items():
        try:
            trial_map = TrialMap.read(maps.get(camera, []))
        except BadInput as error:
            of_camera = (file for same in found.values() for file in same)
            rejected.append(Rejected((*maps[camera], *of_camera), error))
            continue
        for number, same in found.items():
            try:
                videos.append(Video(_only(same), camera, number, trial_map.trial_of(number, same[0], trials)))
            except PiecesDoNotFit as error:
                rejected.append(Rejected(tuple(same), error))
    return sorted(videos, key=lambda video: (video.trial, video.camera)), rejected


def parse_name(animal: str, file: FoundFile) -> tuple[str, int]:
    """Return camera and video number of a result file.

    Raises
    ------
    NameDoesNotParse
        If the name is of another animal or form.
    """
    name = file.relpath.name
    form = rf"{re.escape(animal)}(?![A-Za-z0-9]).*?_(?P<position>{_POSITIONS})_(?P<number>\d+)(-.*)?\.csv"
    found = re.fullmatch(form, name)
    if found is None:
        raise NameDoesNotParse(
            file.path,
            "its name says no camera and video number",
            expected=f"{animal}*_{{{_POSITIONS}}}_{{number}}-*.csv",
            todo="Rename it.",
        )
    return CAMERA_OF_POSITION[found["position"]], int(found["number"])


@dataclass(frozen=True)
class TrialMap:
    """A camera's map: the trials named for each video, how often each trial is named; without a file, numbers agree."""

    file: FoundFile | None
    trials_of: Mapping[int, list[int]]
    times_named: Mapping[int, int]

    @classmethod
    def read(cls, files: list[FoundFile]) -> TrialMap:
        """Read a camera's map, if there is one.

        Raises
        ------
        PiecesDoNotFit
            If the camera has more than one.
        UnreadableFile
            If a line is not two whole numbers.
        """
        if not files:
            return cls(None, {}, {})
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
                raise UnreadableFile(path, "it cannot be read", expected="a text file", todo=_TODO_MAP) from error
        trials_of: dict[int, list[int]] = defaultdict(list)
        for row, line in enumerate(lines, 1):
            words = line.split()
            if not words:
                continue
            if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
                raise UnreadableFile(
                    path, f"line {row} is '{line[:40]}'", expected="video number, tab, trial number", todo=_TODO_MAP
                )
            trials_of[int(words[0])].append(int(words[1]))
        return cls(files[0], trials_of, Counter(trial for named in trials_of.values() for trial in named))

    def trial_of(self, number: int, video: FoundFile, trials: Collection[int]) -> int:
        """Return the trial of a video, by its number.

        Raises
        ------
        PiecesDoNotFit
            If the map names no trial for it, several, one that another video has too, or one that was not kept.
        """
        named, by = [number], "its number"
        if self.file is not None:
            named, by = self.trials_of.get(number, []), self.file.relpath.name
            if len(named) != 1:
                raise self._misfit(video, f"{by} names {len(named) or 'no'} trials for video {number}")
            if self.times_named[named[0]] > 1:
                raise self._misfit(video, f"{by} names trial {named[0]} for several videos, {number} among them")
        if named[0] not in trials:
            raise self._misfit(video, f"by {by} it is of trial {named[0]}, which the session did not keep")
        return named[0]

    def _misfit(self, video: FoundFile, found: str) -> PiecesDoNotFit:
        return PiecesDoNotFit(video.path, found, expected="one kept trial for each video", todo=_TODO_MAP)


def _maps_by_camera(files: list[FoundFile], rejected: list[Rejected]) -> dict[str, list[FoundFile]]:
    """Group the maps by camera; one whose name says none joins `rejected`."""
    found: dict[str, list[FoundFile]] = defaultdict(list)
    for file in files:
        if file.role != "tracking_map":
            continue
        name = _MAP_NAME.fullmatch(file.relpath.name)
        if name is not None:
            found[CAMERA_OF_POSITION[name["position"]]].append(file)
            continue
        error = NameDoesNotParse(
            file.path, "its name says no camera", expected=f"*_{{{_POSITIONS}}}.txt", todo="Rename it."
        )
        rejected.append(Rejected((file,), error))
    return found


def _only(files: list[FoundFile]) -> FoundFile:
    if len(files) > 1:
        raise PiecesDoNotFit(
            files[1].path,
            f"{len(files)} results are of one video: {', '.join(str(file.relpath) for file in files)}",
            expected="one result for each video",
            todo="Remove the ones that are out of date.",
        )
    return files[0]
