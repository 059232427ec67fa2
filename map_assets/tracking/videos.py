"""Which camera and trial each result is of, and which of several results of a video counts. Their content is read in `formats`.

Names are ``{animal}*_{position}_{number}-*`` or ``{animal}*_{position}_{number}`` with what the tracker appends, the
maps' ``*_{position}.txt``; how a camera's position may be spelled stands in the file of cameras.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from map_assets.tracking.cameras import Camera, Cameras, read_cameras
from map_assets.tracking.trial_map import TrialMap
from map_assets.vocabulary.errors import BadInput, NameDoesNotParse, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected

_FILTERED = "_filtered"


@dataclass(frozen=True)
class Video:
    """A tracker's result and what it is of.

    Parameters
    ----------
    file : FoundFile
        The result that counts.
    camera : Camera
    number, trial : int
    spares : tuple of FoundFile
        Other forms of the same result (csv beside h5, filtered beside plain), in the order in which they stand in
        for one that cannot be read.
    """

    file: FoundFile
    camera: Camera
    number: int
    trial: int
    spares: tuple[FoundFile, ...] = ()


def find_videos(
    animal: str,
    files: Iterable[FoundFile],
    trials: Collection[int],
    cameras: Cameras | None = None,
    rig: str | None = None,
    never_run: Collection[int] = (),
    day: date | None = None,
) -> tuple[list[Video], list[Rejected]]:
    """Give each result its camera and trial.

    Parameters
    ----------
    animal : str
        How the files' names begin.
    files : iterable of FoundFile
        Of role ``tracking`` (results) and ``tracking_map`` (video number, tab, trial number); others are passed over.
        A camera without a map has one video for each trial that was run, in their order.
    trials : collection of int
        Numbers of the session's kept trials.
    cameras : Cameras, optional
        The laboratory's; those of the package if not given.
    rig : str, optional
        Where the session ran; without it the rig that the files' share belongs to, if it belongs to one.
    never_run : collection of int
        Numbers of trials that were planned and never run.
    day : datetime.date, optional
        Of the session's name: a result whose name says another is not the session's.

    Returns
    -------
    videos : list of Video
        In the order of trial and camera; no two are of one trial and camera.
    rejected : list of Rejected
        Results that cannot be placed, and maps that name videos without a result, each with the reason.
    """
    cameras = cameras or read_cameras()
    files = list(files)
    rejected: list[Rejected] = []
    by_camera: dict[str, dict[int, list[FoundFile]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted((file for file in files if file.role == "tracking"), key=lambda file: str(file.relpath)):
        try:
            camera, number = parse_name(animal, file, cameras)
            check_day(file, day)
        except BadInput as error:
            rejected.append(Rejected((file,), error))
        else:
            by_camera[camera][number].append(file)
    maps = maps_by_camera(files, cameras, rejected)
    videos: list[Video] = []
    for name in [*by_camera, *(name for name in maps if name not in by_camera)]:
        found, camera_maps = by_camera.get(name, {}), maps.get(name, [])
        on_rig = cameras.camera(name, rig_of((*camera_maps, *(file for same in found.values() for file in same)), rig))
        try:
            trial_map = TrialMap.read(camera_maps, on_rig.first_video, never_run)
        except BadInput as error:
            of_camera = (file for same in found.values() for file in same)
            rejected.append(Rejected((*camera_maps, *of_camera), error))
            continue
        missing = trial_map.missing(found, trials)
        if missing is not None:
            rejected.append(Rejected(tuple(camera_maps), missing))
        for number, same in found.items():
            try:
                first, *spares = one_result(same, cameras.counts)
                videos.append(Video(first, on_rig, number, trial_map.trial_of(number, first, trials), tuple(spares)))
            except PiecesDoNotFit as error:
                rejected.append(Rejected(tuple(same), error))
    return sorted(videos, key=lambda video: (video.trial, video.camera.name)), rejected


def rig_of(files: Iterable[FoundFile], rig: str | None = None) -> str | None:
    """Return the rig of a session's files: the one given, else the only one that their shares belong to."""
    rigs = {file.rig for file in files if file.rig is not None}
    return rig if rig is not None or len(rigs) != 1 else rigs.pop()


def parse_name(animal: str, file: FoundFile, cameras: Cameras | None = None) -> tuple[str, int]:
    """Return camera and video number of a result or a video.

    Raises
    ------
    NameDoesNotParse
        If the name is of another animal or form.
    """
    cameras = cameras or read_cameras()
    pattern = cameras.names_pattern
    form = rf"{re.escape(animal)}(?![A-Za-z0-9]).*?_(?P<position>{pattern})_(?P<number>\d{{1,9}})"
    found = re.fullmatch(rf"{form}((-|DLC|_filtered).*)?", file.relpath.stem)
    if found is None:
        raise NameDoesNotParse(
            file.path,
            "its name says no camera and video number",
            expected=f"{animal}*_{{{pattern}}}_{{number}}-*{file.relpath.suffix}",
            todo="Rename it.",
        )
    return cameras.position_of(found["position"]), int(found["number"])


def check_day(file: FoundFile, day: date | None) -> None:
    """Hold the date in a file's name, if it says one (YYYYMMDD or MMDDYY), against the session's.

    Raises
    ------
    PiecesDoNotFit
        If it is neither that day nor the next, on which a session of the evening may end.
    """
    for written in re.findall(
        r"(?<![A-Za-z0-9])\d{8}(?![A-Za-z0-9])|(?<![A-Za-z0-9])\d{6}(?![A-Za-z0-9])", file.relpath.stem
    ):
        try:
            found = datetime.strptime(written, "%Y%m%d" if len(written) == 8 else "%m%d%y").date()
        except ValueError:
            continue  # no date, and so not of another day
        if day is not None and found not in (day, day + timedelta(days=1)):
            raise PiecesDoNotFit(
                file.path,
                f"its name says {found:%Y-%m-%d}",
                expected=f"a file of {day:%Y-%m-%d}",
                todo="Move it into the folder of its own session.",
            )
        return


def maps_by_camera(
    files: Iterable[FoundFile], cameras: Cameras, rejected: list[Rejected]
) -> dict[str, list[FoundFile]]:
    """Group the maps by camera; one whose name says none joins `rejected`."""
    form = re.compile(rf".*_(?P<position>{cameras.names_pattern})\.txt")
    found: dict[str, list[FoundFile]] = defaultdict(list)
    for file in files:
        if file.role != "tracking_map":
            continue
        name = form.fullmatch(file.relpath.name)
        if name is not None:
            found[cameras.position_of(name["position"])].append(file)
            continue
        error = NameDoesNotParse(
            file.path, "its name says no camera", expected=f"*_{{{cameras.names_pattern}}}.txt", todo="Rename it."
        )
        rejected.append(Rejected((file,), error))
    return found


def is_filtered(file: FoundFile) -> bool:
    """Whether a result is the smoothed one."""
    return file.relpath.stem.endswith(_FILTERED)


def one_result(files: list[FoundFile], counts: str) -> list[FoundFile]:
    """Return all forms of a video's one result, the one that counts first: by the lab's choice, and h5 before csv.

    DeepLabCut writes the same result as h5 and, on wish, as csv, and a smoothed copy of either; a csv that was cut
    between two lines cannot be told from a whole one, an h5 can.

    Raises
    ------
    PiecesDoNotFit
        If there are results of several networks, or copies in several folders.
    """
    results = {str(file.relpath.with_name(file.relpath.stem.removesuffix(_FILTERED))) for file in files}
    if len(results) > 1:
        raise PiecesDoNotFit(
            files[1].path,
            f"{len(files)} results are of one video: {', '.join(str(file.relpath) for file in files)}",
            expected="one result for each video",
            todo="Remove the ones that are out of date.",
        )

    def rank(file: FoundFile) -> tuple[bool, bool, str]:
        is_other_kind = is_filtered(file) != (counts == "filtered")
        return is_other_kind, file.relpath.suffix.lower() != ".h5", str(file.relpath)

    return sorted(files, key=rank)
