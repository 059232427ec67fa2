"""Stages of the tracking room."""

from __future__ import annotations

from dataclasses import asdict

from map_assets.archive.removal_report import away
from map_assets.config import Config
from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.tracking import checks
from map_assets.tracking.cameras import Cameras, read_cameras
from map_assets.tracking.quality import judge_tracking
from map_assets.tracking.read import read_tracking
from map_assets.tracking.tables import TRACKING, TRACKING_QUALITY, VIDEOS
from map_assets.tracking.video_files import read_videos, with_archived


def _cameras_mark(config: Config) -> object:
    """Results rest on the file of cameras."""
    return asdict(read_cameras(config.protocols.cameras))


def _cameras(work: Work) -> Cameras:
    return read_cameras(work.services.config.protocols.cameras)


def _rig(work: Work) -> str | None:
    """Return where the session ran, if it is known."""
    sessions = work.maybe("sessions")
    return sessions["rig"][0].as_py() if sessions is not None and sessions.num_rows else None


@stage(
    writes=[TRACKING, TRACKING_QUALITY],
    reads=("trials",),
    may_read=("sessions", "skipped_trials", "frame_times"),
    roles=("tracking", "tracking_map"),
    group="tracking",
    kinds={"csv"},
    version="3",
    parameters=_cameras_mark,
    checks=(
        Check(checks.frames_fit_their_trials, "tracking", ("tracking", "trials")),
        Check(checks.frame_counts_fit_durations, "tracking_quality", ("tracking_quality",)),
        Check(checks.cameras_agree, "tracking_quality", ("tracking_quality",)),
        Check(checks.no_frames_are_missing, "tracking_quality", ("tracking_quality",)),
        Check(checks.every_trial_was_tracked, "tracking_quality", ("tracking_quality",)),
    ),
)
def tracking(work: Work) -> Made:
    """Body parts frame by frame, out of the tracker's results, and what each trial's video lacks."""
    trials, frame_times = work.table("trials"), work.maybe("frame_times")
    cameras = _cameras(work)
    table, rejected = read_tracking(
        work.session,
        work.files,
        trials,
        cameras=cameras,
        rig=_rig(work),
        frame_times=frame_times,
        skipped_trials=work.maybe("skipped_trials"),
    )
    quality = judge_tracking(work.session, table, trials, cameras=cameras, frame_times=frame_times)
    return Made({"tracking": table, "tracking_quality": quality}, rejected)


@stage(
    writes=[VIDEOS],
    reads=("trials",),
    may_read=("sessions", "skipped_trials", "tracking"),
    roles=("video", "tracking_map"),
    claims=(),
    group="tracking",
    kinds={"video"},
    parameters=_cameras_mark,
    checks=(Check(checks.videos_have_the_tracked_frames, "videos", ("videos", "tracking")),),
)
def videos(work: Work) -> Made:
    """The session's video files as their containers describe them; those that left their share for the archive stay."""
    trials, skipped = work.table("trials"), work.maybe("skipped_trials")
    table, rejected = read_videos(
        work.session, work.files, trials, cameras=_cameras(work), rig=_rig(work), skipped_trials=skipped
    )
    removed = away(work.services.journal, work.session)
    return Made({"videos": with_archived(table, work.standing("videos"), removed)}, rejected)
