"""Which trials, and which instant of them: how an analyst's words become columns and trial numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from map_assets.analyst.errors import BadQuery, NoSuchEvent, near
from map_assets.catalog import BY_NAME

if TYPE_CHECKING:
    from map_assets.analyst.frame import Frame

Chosen = str | ArrayLike | None
FIRST_LICK: Final = "first_lick"


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
    names.append(FIRST_LICK)
    raise NoSuchEvent(f"Trials have no instant {event!r}{near(event, names)}; there are {', '.join(names)}.")


def event_times(trials: Frame, licks: Callable[[], Frame], event: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find when an event happened: an instant of `trials`, or ``first_lick``, the first one after the go cue.

    Parameters
    ----------
    trials : Frame
    licks : callable
        Reads the session's licks, where they are needed.
    event : str

    Returns
    -------
    trial : numpy.ndarray of int, shape (n,)
        Trials that have the event, rising.
    event_s : numpy.ndarray of float, shape (n,)
        On the session clock, s.

    Raises
    ------
    NoSuchEvent
        If there is no such instant.
    """
    if event == FIRST_LICK:
        found = licks().merge(trials[["trial", "go_s"]].dropna(), on="trial")
        at_s = found[found["time_s"] >= found["go_s"]].groupby("trial")["time_s"].min()
    else:
        at_s = trials.set_index("trial")[event_column(event)].dropna().sort_index()
    return at_s.index.to_numpy(np.int64), at_s.to_numpy(np.float64)


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
