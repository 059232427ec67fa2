"""What an analyst can ask for that is not there. The errors of files and tables live in `vocabulary`.

::

    MapAssetsError
    ├── NoSuchSession        no session of that key stands in the store
    ├── NoSuchColumn         the table has no such column
    ├── NoSuchEvent          trials have no such instant
    ├── NoSuchUnit           the session has no such unit
    ├── NoSuchFeature        nothing of that name was tracked
    ├── NoSuchRow            the table has no row of that key
    ├── NoSuchRegion         the Allen ontology has no such region
    ├── BadQuery             the SQL is no single SELECT, or DuckDB refuses it
    ├── NotInstalled         a package that is asked for is not installed
    ├── CannotBeReached      a bucket or web server does not give what it was asked for
    └── NotYet
        ├── NoRegistry         the lab's database is not known here
        ├── NoSessionClock     a probe's clock is not on the session clock
        └── NoFigure           the figure is not applicable to the session
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from map_assets.vocabulary.errors import MapAssetsError, NotYet


class NoSuchSession(MapAssetsError):
    """No session of that key stands in the store."""


class NoSuchColumn(MapAssetsError):
    """The table has no such column."""


class NoSuchEvent(MapAssetsError):
    """Trials have no such instant."""


class NoSuchUnit(MapAssetsError):
    """The session has no such unit."""


class NoSuchFeature(MapAssetsError):
    """Nothing of that name was tracked."""


class NoSuchRow(MapAssetsError):
    """The table has no row of that key."""


class NoSuchRegion(MapAssetsError):
    """The Allen ontology has no such region."""


class BadQuery(MapAssetsError):
    """The SQL is no single SELECT, or DuckDB refuses it."""


class NotInstalled(MapAssetsError):
    """A package that is asked for is not installed."""


class CannotBeReached(MapAssetsError):
    """A bucket or web server does not give what it was asked for."""


class NoRegistry(NotYet):
    """The lab's database is not known here."""


class NoSessionClock(NotYet):
    """A probe's clock is not on the session clock."""


class NoFigure(NotYet):
    """The figure is not applicable to the session."""


def near(name: str, known: Iterable[str], n: int = 5) -> str:
    """Say which known names look like `name`: ``"; near it: a, b"``, or nothing."""
    by_case = {item.casefold(): item for item in known}
    found = get_close_matches(name.casefold(), by_case, n, 0.5)
    return f"; near it: {', '.join(by_case[item] for item in found)}" if found else ""
