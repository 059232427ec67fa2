"""The table that the tracking room makes."""

from __future__ import annotations

import pyarrow as pa

from map_assets.vocabulary.table import SESSION, Table, many, real, text, whole

TRACKING = Table(
    "tracking",
    "one body part in one video of one camera: its positions frame by frame",
    ("session", "trial", "camera", "feature"),
    (
        SESSION,
        whole("trial", "trial number"),
        text("camera", "position of the camera: side, bottom or body"),
        text("feature", "body part as the tracker names it"),
        whole("n_frames", "frames in the video's result"),
        real("rate_hz", "frame rate of the camera", "Hz"),
        text("frame_time_source", "derived: trial start + frame / rate; true: seen by the acquisition system"),
        many("frame_s", pa.float64(), "time of each frame", "s"),
        many("x_px", pa.float32(), "position from the image's left edge", "px"),
        many("y_px", pa.float32(), "position from the image's upper edge", "px"),
        many("likelihood", pa.float32(), "tracker's confidence, 0 to 1; positions are kept as found at any value"),
        text("file", "path of the result under its share's root"),
    ),
)

TABLES = (TRACKING,)
