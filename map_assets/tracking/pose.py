"""What a tracker found in one video, whatever its format. Files and trials live in `formats` and `videos`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pose:
    """Body parts of one video.

    Parameters
    ----------
    frame : numpy.ndarray of int, shape (n,)
        Number of each frame in the video, from 0, rising; frames that the tracker left out are gaps.
    features : dict of str to (x_px, y_px, likelihood)
        Arrow arrays of 32-bit floats, n values each, by body part; in a result of several animals by
        ``{animal}/{body part}``. All three are null in a frame in which the tracker found nothing.
    individual_of : dict of str to str
        The animal of each feature, as the tracker calls it; empty for a result of one animal.
    """

    frame: NDArray[np.int64]
    features: Mapping[str, tuple[pa.Array, ...]]
    individual_of: Mapping[str, str] = field(default_factory=dict)
