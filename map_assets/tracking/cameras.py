"""The rigs' cameras: names, rates and limits, out of one file that a laboratory can edit. Which file is of which camera lives in `videos`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.own_file import read_own_or_packaged

COUNTS = ("as found", "filtered")
_CAMERA_KEYS = {"device", "camera", "names", "rigs", "rate_hz", "first_video", "model"}
_LIMIT_KEYS = {"camera", "feature", "rigs", "px"}


@dataclass(frozen=True)
class Camera:
    """A camera as it stands on one rig, or, where the rig is not known, what all cameras of its position share.

    Parameters
    ----------
    name : str
        Its position: side, bottom or body, or what else the laboratory's file names.
    device : str or None
        None where it cannot be told which it was.
    rate_hz : float or None
        Frames a second; None where it is not known.
    first_video : int or None
        Number of the first video where no map says; None where it is not known.
    limits_px : mapping of str to float
        How far a body part may move from one frame to the next, by its name.
    """

    name: str
    device: str | None
    rate_hz: float | None
    first_video: int | None
    limits_px: Mapping[str, float]


@dataclass(frozen=True)
class Cameras:
    """All cameras of a laboratory.

    Parameters
    ----------
    version : int
        Of the file.
    counts : str
        Which of two results of one video counts: ``as found`` or ``filtered``.
    entries, limits : tuple of dict
        ``[[cameras]]`` and ``[[jump_limits]]`` as they stand in the file.
    """

    version: int
    counts: str
    entries: tuple[dict[str, Any], ...]
    limits: tuple[dict[str, Any], ...]

    def position_of(self, name: str) -> str:
        """Return the camera that a position in a file's name means; KeyError if none."""
        return {spelled: str(entry["camera"]) for entry in self.entries for spelled in entry["names"]}[name]

    @property
    def names_pattern(self) -> str:
        """A regular expression for every position that a file's name may say, longer ones first."""
        names = {name for entry in self.entries for name in entry["names"]}
        return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))

    def camera(self, position: str, rig: str | None = None) -> Camera:
        """Return the camera of a position on a rig; KeyError if the file names no such position.

        Without a rig, only that is told which is the same for all cameras of the position.
        """
        entries = [entry for entry in self.entries if entry["camera"] == position]
        if not entries:
            raise KeyError(position)
        if rig is not None:
            entries = [one for one in entries if rig in one["rigs"]] or [one for one in entries if not one["rigs"]]
        limits = {
            str(limit["feature"]): float(limit["px"])
            for limit in self.limits
            if limit["camera"] == position and (not limit["rigs"] or rig in limit["rigs"])
        }
        return Camera(
            position,
            _shared(entries, "device"),
            _shared(entries, "rate_hz"),
            _shared(entries, "first_video"),
            limits,
        )

    def position_of_device(self, name: str) -> str | None:
        """Return the position of a camera named by position or device, as an acquisition system may name it; None if unknown."""
        wanted = name.replace(" ", "").casefold()
        for entry in self.entries:
            if wanted in {str(entry[key]).replace(" ", "").casefold() for key in ("camera", "device")}:
                return str(entry["camera"])
        return None


def _shared(entries: list[dict[str, Any]], key: str) -> Any:
    """Return what all entries say, or None where they differ or none is left."""
    said = {entry.get(key) for entry in entries}
    return said.pop() if len(said) == 1 else None


def read_cameras(path: Path | None = None) -> Cameras:
    """Read a file of cameras.

    Parameters
    ----------
    path : pathlib.Path, optional
        A laboratory's own; without it the one that comes with the package.

    Raises
    ------
    BadConfiguration
        If it cannot be read, or a value is not what its key expects.
    """
    name, said = read_own_or_packaged(path, "map_assets.tracking", "cameras.toml")

    def refuse(problem: str) -> BadConfiguration:
        return BadConfiguration(f"{name}: {problem}; correct it as in the cameras.toml of the package.")

    surplus = set(said) - {"version", "counts", "cameras", "jump_limits"}
    if surplus or not isinstance(said.get("version"), int):
        raise refuse(f"{', '.join(sorted(surplus))} is not known" if surplus else "version is no whole number")
    if said.get("counts", COUNTS[0]) not in COUNTS:
        raise refuse(f"counts is {said['counts']!r}, and must be one of {', '.join(COUNTS)}")
    entries, limits = ([dict(one) for one in said.get(key, [])] for key in ("cameras", "jump_limits"))
    for entry in entries:
        problem = _problem(entry, _CAMERA_KEYS, {"device": str, "camera": str}, ("rate_hz",))
        names = entry.get("names")
        if problem is None and (not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names)):
            problem = "names are not a list of texts"
        if problem is None and not isinstance(entry.setdefault("first_video", 1), int):
            problem = "first_video is no whole number"
        if problem:
            raise refuse(f"the camera {entry.get('device', '')!r}: {problem}")
    for limit in limits:
        problem = _problem(limit, _LIMIT_KEYS, {"camera": str, "feature": str, "px": (int, float)}, ("px",))
        if problem is None and limit["camera"] not in {entry["camera"] for entry in entries}:
            problem = f"there is no camera {limit['camera']}"
        if problem:
            raise refuse(f"the jump limit of {limit.get('feature', '')!r}: {problem}")
    meant = {(spelled, entry["camera"]) for entry in entries for spelled in entry["names"]}
    twice = sorted({spelled for spelled, _ in meant if len([one for one in meant if one[0] == spelled]) > 1})
    if twice or not entries:
        raise refuse(f"{', '.join(twice)} means two cameras" if twice else "it names no camera")
    return Cameras(said["version"], said.get("counts", COUNTS[0]), tuple(entries), tuple(limits))


def _problem(one: dict[str, Any], keys: set[str], needed: dict[str, Any], above_zero: tuple[str, ...]) -> str | None:
    """Say what is wrong with an entry, and fill in the rigs that it leaves out."""
    if set(one) - keys:
        return f"{', '.join(sorted(set(one) - keys))} is not known"
    for key, kind in needed.items():
        if not isinstance(one.get(key), kind):
            return f"{key} is missing or no {'number' if key == 'px' else 'text'}"
    for key in above_zero:
        value = one.get(key, 1.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            return f"{key} is {value!r} and must be above zero"
    rigs = one.setdefault("rigs", [])
    return None if isinstance(rigs, list) and all(isinstance(rig, str) for rig in rigs) else "rigs are no list of texts"
