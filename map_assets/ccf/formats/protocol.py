"""What every histology format offers. The formats live beside this module, choosing among them in `ccf.histology`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import NameDoesNotParse, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.session import SessionKey

Points = NDArray[np.float64]
Tracks = Mapping[int | None, Points]
"""Points of each shank's track, AP, DV, ML in um (n, 3); under None those of the shank that the file's name tells."""
Kind = Literal["positions", "track"]


@dataclass(frozen=True)
class Place:
    """What a file tells, and of which shank.

    Parameters
    ----------
    probe : int
        Insertion number, from 1.
    shank : int or None
        From 0; None where the file holds the whole probe and names its shanks itself.
    kind : {"positions", "track"}
    """

    probe: int
    shank: int | None
    kind: Kind


@dataclass(frozen=True)
class Positions:
    """Places along one shank.

    Parameters
    ----------
    ccf_um : numpy.ndarray, shape (n, 3)
        AP, DV, ML in um.
    along : mapping of str to sequence
        Where on the shank: either ``contact`` (from 0 at the tip), or ``x_um`` and ``y_um``; n values each.
    region_id_written : sequence of int or None
        What the file itself claims, as written.
    """

    ccf_um: Points
    along: Mapping[str, Sequence[float]]
    region_id_written: Sequence[int | None]


class HistologyFormat(Protocol):
    """A module that reads one histology format."""

    NAME: str

    def recognizes(self, file: FoundFile) -> bool:
        """Whether the file's name is of this format."""
        ...

    def place(self, file: FoundFile, key: SessionKey) -> Place:
        """Tell from name and folder what the file holds; raises `BadInput` if they do not tell or name another session."""
        ...

    def read_positions(self, file: FoundFile) -> Positions:
        """Read a file of positions; raises `BadInput`."""
        ...

    def read_track(self, file: FoundFile, positions: FoundFile | None) -> Tracks:
        """Read a file of track points; `positions` is the same shank's file, where there is one; raises `BadInput`."""
        ...


def name_of_session(file: FoundFile, key: SessionKey, pattern: re.Pattern[str], form: str) -> re.Match[str]:
    """Read a file's name by a pattern with the groups animal, day and time (which may be left out), and compare it.

    Parameters
    ----------
    form : str
        What the name should look like, for the sentence that refuses it.

    Raises
    ------
    NameDoesNotParse
        If the name is of another form.
    PiecesDoNotFit
        If it names another animal, day or time than the session's.
    """
    found = pattern.fullmatch(file.relpath.name)
    if found is None:
        raise NameDoesNotParse(file.path, "its name is of another form", expected=form, todo="Rename the file.")
    named = (found["animal"], found["day"], found["time"] or f"{key.name_time:%H%M%S}")
    if named != (key.animal, f"{key.name_date:%Y%m%d}", f"{key.name_time:%H%M%S}"):
        raise PiecesDoNotFit(
            file.path, "its name is of another session", expected=f"a file of {key}", todo="Rename or move the file."
        )
    return found
