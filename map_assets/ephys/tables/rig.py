"""What the rig's own lines told the recording besides codes: events and frames, on a probe's clock and on the session clock."""

from __future__ import annotations

import pyarrow as pa

from map_assets.ephys.tables.words import PROBE
from map_assets.vocabulary.table import SESSION, Table, many, real, text, whole

_TRIAL = whole("trial", "trial number")
_EVENT_ID = whole("event_id", "number within the trial in time order, from 0")
_EVENT = text(
    "event",
    "bitcodestart, go, choice, reward, trialend, bpodstart, zaberready, zaberstep, lick, laserleft, laserright; a heading "
    "that is none of these under its own name, lower-case",
)
_PORT = text("port", "left, right or middle, of a lick or choice; null else, or if not told", nullable=True)

EPHYS_EVENTS = Table(
    "ephys_events",
    "one event of the rig as the recording saw it; matched and unmatched trials alike",
    ("session", "probe", "ephys_trial", "event_id"),
    (
        SESSION,
        PROBE,
        whole("ephys_trial", "number in the ephys stream, from 1"),
        _EVENT_ID,
        _EVENT,
        _PORT,
        real("time_probe_s", "on the probe's nominal clock", "s"),
    ),
)

EPHYS_FRAMES = Table(
    "ephys_frames",
    "one camera's frames of one trial as the recording saw them; matched and unmatched trials alike",
    ("session", "probe", "ephys_trial", "camera"),
    (
        SESSION,
        PROBE,
        whole("ephys_trial", "number in the ephys stream, from 1"),
        text("camera", "name of the camera, as the rig's file says it"),
        many(
            "frame_probe_s", pa.float64(), "exposures on the probe's nominal clock, rising; empty if none was seen", "s"
        ),
    ),
)

FRAME_TIMES = Table(
    "frame_times",
    "one camera's frames of one matched trial, carried onto the session clock",
    ("session", "camera", "trial"),
    (
        SESSION,
        text("camera", "name of the camera, as the rig's file says it"),
        _TRIAL,
        many("frame_s", pa.float64(), "exposures, rising; empty if none was seen", "s"),
        whole("probe", "insertion number of the recording whose file told them: the one whose clock fits best"),
    ),
)

RIG_EVENTS = Table(
    "rig_events",
    "one event of the rig in a matched trial, carried from the recording onto the session clock",
    ("session", "trial", "event_id"),
    (
        SESSION,
        _TRIAL,
        _EVENT_ID,
        _EVENT,
        _PORT,
        real("time_s", "of the event", "s"),
        whole("probe", "insertion number of the recording whose file told it: the one whose clock fits best"),
    ),
)
