"""The notebook's door: `open_lab`. It reads the store, never writes, and needs no Dagster. Making tables lives in the rooms."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from map_assets.analyst.lab import Lab

__all__ = ["open_lab"]


def open_lab(
    where: str | Path | None = None, *, as_of: datetime | str | None = None, cache: str | Path | None = None
) -> Lab:
    """Open a laboratory's results for reading.

    Parameters
    ----------
    where : str or pathlib.Path, optional
        A store (a folder with ``tables`` in it), a folder with a ``map_assets.toml`` or that file itself; a store in a
        bucket (``s3://bucket/folder``; ``gs://``, ``az://``) or on a web server that lists its folders (``https://``);
        by default the store of the configuration in force.
    as_of : datetime.datetime or str, optional
        See what stood at that instant instead of what stands now. Text is ISO 8601; without a zone it is UTC.
    cache : str or pathlib.Path, optional
        Folder for copies of what a bucket or web server gave, kept for the next time; by default they are removed at
        the end of the process. Copies are whole files, fetched when they are first needed.

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

    return Lab(Standing.find(where, as_of, None if cache is None else Path(cache).expanduser()))
