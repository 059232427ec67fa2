"""The notebook's door: `open_lab`. It reads the store, never writes, and needs no Dagster. Making tables lives in the rooms."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from map_assets.analyst.lab import Lab

__all__ = ["open_lab"]


def open_lab(where: str | Path | None = None, *, as_of: datetime | str | None = None) -> Lab:
    """Open a laboratory's results for reading.

    Parameters
    ----------
    where : str or pathlib.Path, optional
        A store (a folder with ``tables`` in it), a folder with a ``map_assets.toml`` or that file itself; by default
        the store of the configuration in force.
    as_of : datetime.datetime or str, optional
        See what stood at that instant instead of what stands now. Text is ISO 8601; without a zone it is UTC.

    Returns
    -------
    Lab

    Raises
    ------
    BadConfiguration
        If there is neither a store nor a configuration there, or the instant cannot be read.

    Examples
    --------
    >>> lab = open_lab()                                                    # doctest: +SKIP
    >>> lab.units(region="MOs", quality="good")                             # doctest: +SKIP
    >>> lab.session("SC022_20190228_151010").psth(probe=1, unit_id=7)       # doctest: +SKIP
    """
    from map_assets.analyst.lab import Lab
    from map_assets.analyst.standing import Standing

    return Lab(Standing.find(where, as_of))
