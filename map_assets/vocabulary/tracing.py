"""What people decided about a probe's tracing, as the rooms see it. The decisions themselves are kept in `lab`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

CorrectionKind = Literal["flip", "shift", "drop"]
CORRECTION_KINDS: tuple[CorrectionKind, ...] = ("flip", "shift", "drop")


@dataclass(frozen=True)
class TracingCorrection:
    """A reviewed correction of what the histology says of one probe.

    Parameters
    ----------
    correction_id : int
        Its number in the registry.
    session : str
        Session key.
    probe : int
        Insertion number, from 1.
    tracing : str
        Version, as in the table `tracings`, that it was made for; no other is corrected by it.
    kind : {"flip", "shift", "drop"}
        ``flip`` mirrors left and right about the midline; ``shift`` moves along the track; ``drop`` gives the places up.
    amount_um : float or None
        How far a shift moves, um, towards the tip positive; None for the others.
    who, reviewed_by : str
        Who made it, and who looked at it.
    why : str
    at : datetime.datetime
        When it was made, UTC.
    shank : int or None
        From 0; None for all of the probe.
    """

    correction_id: int
    session: str
    probe: int
    tracing: str
    kind: CorrectionKind
    amount_um: float | None
    who: str
    reviewed_by: str
    why: str
    at: datetime
    shank: int | None = None
