"""What a correction of a tracing is, and which are refused. The log of them is kept in `tracing_corrections`."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.tracing import CORRECTION_KINDS, CorrectionKind

_LONGEST_SHIFT_UM = 20_000.0
State = Literal["proposed", "in force", "taken back"]


class BadCorrection(MapAssetsError):
    """A correction that cannot be made as it was asked for."""


class CannotReview(MapAssetsError):
    """A correction that this person cannot review, or that needs no review."""


@dataclass(frozen=True)
class CorrectionRecord:
    """One correction and what became of it.

    Parameters
    ----------
    correction_id : int
    session : str
    probe : int
    tracing : str
        Version that it was made for.
    kind : {"flip", "shift", "drop"}
    amount_um : float or None
        Of a shift, towards the tip positive.
    state : {"proposed", "in force", "taken back"}
    who, why : str
    at : datetime.datetime
        UTC.
    reviewed_by : str or None
    reviewed_at : datetime.datetime or None
    is_own_review : bool
        Whether who made it reviewed it, and said so.
    undone_by : str or None
    undone_why : str or None
    shank : int or None
        From 0; None for all of the probe.
    """

    correction_id: int
    session: str
    probe: int
    tracing: str
    kind: CorrectionKind
    amount_um: float | None
    state: State
    who: str
    why: str
    at: datetime
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    is_own_review: bool = False
    undone_by: str | None = None
    undone_why: str | None = None
    shank: int | None = None


def person(name: str) -> str:
    """A name as people tell it apart: neither case, spaces, spelling in bytes nor what is not seen counts."""
    seen = "".join(one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())


def check(probe: int, kind: str, amount_um: float | None, shank: int | None) -> None:
    """Refuse what is no correction."""
    if kind not in CORRECTION_KINDS:
        raise BadCorrection(f"{kind} is no correction; there are {', '.join(CORRECTION_KINDS)}.")
    if probe < 1 or (shank is not None and shank < 0):
        raise BadCorrection("Probes and shanks are numbered from 1.")
    if kind != "shift" and amount_um is not None:
        said = "mirrors left and right" if kind == "flip" else "gives places up"
        raise BadCorrection(f"A {kind} {said} and has no length; leave the number of um away.")
    if kind == "shift" and (amount_um is None or not math.isfinite(amount_um) or amount_um == 0):
        raise BadCorrection("A shift needs a length in um, towards the tip positive, such as 120 or -40.")
    if amount_um is not None and abs(amount_um) > _LONGEST_SHIFT_UM:
        raise BadCorrection(f"A shift of {amount_um:g} um leaves the brain; it is at most {_LONGEST_SHIFT_UM:g} um.")


def does_the_same(one: CorrectionRecord, row: Mapping[str, Any]) -> bool:
    """Whether a correction does to a shank what another does: to mirror or drop twice, or to shift twice as far."""
    if (one.session, one.probe, one.tracing, one.kind) != tuple(
        row[it] for it in ("session", "probe", "tracing", "kind")
    ):
        return False
    is_shared = one.shank is None or row["shank"] is None or one.shank == row["shank"]
    return bool(is_shared and one.amount_um == row["amount_um"])


def told_as(one: CorrectionRecord) -> str:
    """Say which correction is meant, as the beginning of a sentence."""
    shank = "" if one.shank is None else f" shank {one.shank + 1}"
    length = "" if one.amount_um is None else f" of {one.amount_um:g} um"
    return f"Correction {one.correction_id}, a {one.kind}{length} of probe {one.probe}{shank} by {one.who},"
