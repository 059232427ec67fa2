"""What a person decided about the sortings of a probe, as the rooms see it. The decisions themselves are kept in `lab`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class SortingChoice:
    """A person's word on which sorting of a probe is to be used.

    Parameters
    ----------
    session : str
        Session key.
    probe : int
        Insertion number, from 1.
    sorting : str
        Version, as in the table `sortings`.
    who : str
    at : datetime.datetime
        When, UTC.
    why : str
    """

    session: str
    probe: int
    sorting: str
    who: str
    at: datetime
    why: str
