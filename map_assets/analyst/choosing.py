"""Which trials, and which instant of them: how an analyst's words become columns and trial numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.analyst.errors import BadQuery, NoSuchEvent, near
from map_assets.catalog import BY_NAME

if TYPE_CHECKING:
    from map_assets.analyst.frame import Frame

Chosen = str | ArrayLike | None


def event_column(event: str) -> str:
    """Find an instant's column in `trials`: ``go`` or ``go_s`` is ``go_s``; durations are no instants.

    Raises
    ------
    NoSuchEvent
        If there is none.
    """
    columns = (column.name for column in BY_NAME["trials"].columns)
    instants = [name for name in columns if name.endswith("_s") and not name.endswith("_duration_s")]
    for name in (event, f"{event}_s"):
        if name in instants:
            return name
    names = [name.removesuffix("_s") for name in instants]
    raise NoSuchEvent(f"Trials have no instant {event!r}{near(event, names)}; there are {', '.join(names)}.")


def trial_numbers(trials: Frame, chosen: Chosen) -> NDArray[np.int64]:
    """Turn trial numbers, a mask or a query into trial numbers.

    Parameters
    ----------
    trials : Frame
        The session's trials.
    chosen : str, array_like or None
        A query as pandas reads it; flags as many as `trials` (unknown counts as false); numbers; None for all.

    Raises
    ------
    BadQuery
        If pandas cannot read the query.
    ValueError
        If a mask is not as long as `trials`, or numbers are no whole numbers.
    """
    number = cast("NDArray[np.int64]", trials["trial"].to_numpy(np.int64))
    if chosen is None:
        return number
    if isinstance(chosen, str):
        try:
            return cast("NDArray[np.int64]", trials.query(chosen)["trial"].to_numpy(np.int64))
        except (ValueError, SyntaxError, NameError, TypeError, KeyError) as error:
            raise BadQuery(f"The trials cannot be chosen by {chosen!r}: {error}.") from error
    values = np.asarray(chosen)
    if values.dtype == object and any(isinstance(value, bool | np.bool_) for value in values):
        values = np.array([isinstance(value, bool | np.bool_) and bool(value) for value in values])
    if values.dtype == np.bool_:
        if values.shape != number.shape:
            raise ValueError(f"The mask has {values.size} values, and the session has {number.size} trials.")
        return cast("NDArray[np.int64]", number[values])
    if values.size and not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"Trial numbers are whole numbers; got {values.dtype}.")
    return values.astype(np.int64)
