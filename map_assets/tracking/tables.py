"""The tables that the tracking room makes."""

from __future__ import annotations

import pyarrow as pa

from map_assets.vocabulary.table import SESSION, Table, flag, many, real, text, whole

RECORDED, BY_INDEX = "recorded", "frame index / rate"

TRACKING = Table(
    "tracking",
    "one body part in one video of one camera: its positions frame by frame",
    ("session", "trial", "camera", "feature"),
    (
        SESSION,
        whole("trial", "trial number"),
        text("camera", "position of the camera: side, bottom or body, or what else the lab's file of cameras names"),
        text(
            "feature", "body part as the tracker names it; in a result of several animals after the animal's name and /"
        ),
        text("individual", "animal as the tracker names it; null in a result of one animal", nullable=True),
        text("device", "camera of the rig; null where it cannot be told", nullable=True),
        whole("n_frames", "frames in the video's result"),
        real("rate_hz", "frame rate of the camera; null where it is not known", "Hz", nullable=True),
        whole("cameras_version", "version of the file of cameras that rate and limit come from", nullable=True),
        text(
            "time_source",
            f"{RECORDED}: seen by the acquisition system; {BY_INDEX}: trial start + that; null: no times",
            nullable=True,
        ),
        many(
            "frame",
            pa.int32(),
            "number of each frame in its video, from 0; what the tracker left out is a gap",
            nullable=True,
        ),
        many(
            "frame_s",
            pa.float64(),
            "time of each frame; null where neither times nor rate are known",
            "s",
            nullable=True,
        ),
        many("x_px", pa.float32(), "position from the image's left edge", "px"),
        many("y_px", pa.float32(), "position from the image's upper edge", "px"),
        many("likelihood", pa.float32(), "tracker's confidence, 0 to 1; positions are kept as found at any value"),
        flag("is_filtered", "whether the result is the tracker's smoothed one", nullable=True),
        real(
            "jump_limit_px",
            "largest step in x or y from a frame to the next; null where the lab set none",
            "px",
            nullable=True,
        ),
        whole("n_jumps", "steps from a frame to the next beyond the limit; null without a limit", nullable=True),
        real("jump_share", "of all frames, that a jump leads to; null without a limit", nullable=True),
        text("file", "path of the result under its share's root"),
    ),
)

TRACKING_QUALITY = Table(
    "tracking_quality",
    "one kept trial in one camera of the session: whether its video was tracked, and whether frames are missing",
    ("session", "trial", "camera"),
    (
        SESSION,
        whole("trial", "trial number"),
        text("camera", "position of the camera"),
        flag(
            "has_result", "whether a result of this trial and camera was read; without one all else but times is null"
        ),
        whole("n_frames", "frames in the result", nullable=True),
        whole("n_left_out", "frame numbers from 0 to the last that the result has no row for", nullable=True),
        whole("n_index_gaps", "places where frame numbers leave some out", nullable=True),
        whole(
            "n_recorded_frames", "frames that the acquisition system saw; null where it recorded none", nullable=True
        ),
        whole(
            "n_time_gaps",
            "recorded intervals longer than 1.5 frames; null without recorded times or rate",
            nullable=True,
        ),
        real("duration_s", "from the first frame to after the last, by number and rate", "s", nullable=True),
        real("trial_duration_s", "from the trial's start to its stop", "s"),
        real("excess_s", "duration less the trial's", "s", nullable=True),
        real(
            "camera_spread_s",
            "longest less shortest duration in the trial's cameras; null for a single one",
            "s",
            nullable=True,
        ),
    ),
)

VIDEOS = Table(
    "videos",
    "one video file of the session, as its container describes it; it is archived, not decoded",
    ("session", "share", "file"),
    (
        SESSION,
        text("share", "share that it was found on"),
        text("file", "path under the share's root"),
        text("camera", "position of the camera; null where the name does not say", nullable=True),
        whole("video", "number of the video in its name", nullable=True),
        whole("trial", "trial number; null where name and map name no kept trial", nullable=True),
        text("unplaced_because", "why there is no trial; null where there is one", nullable=True),
        text("container", "format of the file: avi or mp4"),
        text("codec", "compression of the images"),
        whole(
            "n_frames", "frames; null where the container does not tell and they could not be counted", nullable=True
        ),
        text("n_frames_source", "container, or counted: packets of the file", nullable=True),
        real("rate_hz", "frame rate that the container claims, not always the camera's", "Hz", nullable=True),
        whole("width_px", "width of the images", unit="px"),
        whole("height_px", "height of the images", unit="px"),
        real("duration_s", "length that the container claims", "s", nullable=True),
        whole("size_bytes", "size of the file", unit="bytes"),
    ),
)

TABLES = (TRACKING, TRACKING_QUALITY, VIDEOS)
