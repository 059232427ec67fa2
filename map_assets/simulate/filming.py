"""What of a session is filmed and tracked, and in which of the forms that trackers and cameras leave. Files are written in `deeplabcut` and `video`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Filming:
    """How the filmed trials of a session come to the share.

    Parameters
    ----------
    results : str
        Files that DeepLabCut leaves of each video: ``csv``, ``h5`` or ``both``.
    has_filtered : bool
        Whether a smoothed copy (``_filtered``) stands beside each.
    n_animals : int
        With more than one, results are those of a network for several animals, and the tongue is empty where it is
        not seen.
    n_left_out : int
        Frames in the middle of each video that its result has no row for.
    trial_map : str
        The text that says which video shows which trial: ``plain``, ``windows`` (its line ends and a byte-order mark),
        ``blank lines``, or ``none`` (videos are numbered by trial).
    videos : str
        Video files beside the results: ``none``, ``avi`` or ``mp4``.
    """

    results: Literal["csv", "h5", "both"] = "csv"
    has_filtered: bool = False
    n_animals: int = 1
    n_left_out: int = 0
    trial_map: Literal["plain", "windows", "blank lines", "none"] = "plain"
    videos: Literal["none", "avi", "mp4"] = "none"


PLAIN = Filming()
"""A csv for each video, and a map for each camera."""
