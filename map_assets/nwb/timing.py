"""How a series tells its times: a rate where they are regular, else every one of them. What the series holds lives beside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.nwb.columns import stored

_REGULAR_DECIMALS = 9
"""Times whose steps are equal to this many decimals of a second count as regular, as the NWB inspector has it."""


def when(times_s: NDArray[np.float64]) -> dict[str, Any]:
    """Return the keywords that tell a series' times: ``timestamps``, or ``starting_time`` and ``rate`` in Hz."""
    steps_s = np.diff(times_s)
    if len(steps_s) > 1 and steps_s[0] > 0 and len(np.unique(steps_s.round(_REGULAR_DECIMALS))) == 1:
        return {"starting_time": float(times_s[0]), "rate": float(1.0 / steps_s.mean())}
    return {"timestamps": stored(times_s)}
