"""A session's row: the behaviour file, the registry's subject and the rig's time zone, put together. Reading lives in `behavior`."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from map_assets.sessions.tables import SESSIONS
from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.session import SessionKey
from map_assets.vocabulary.subject import Subject


def make_session(session: str, behavior_file: pa.Table, subject: Subject | None, time_zone: str | None) -> pa.Table:
    """Make the table `sessions` of one session: one row.

    Parameters
    ----------
    session : str
        The session's key.
    behavior_file : pyarrow.Table
        The session's `behavior_file`: one row.
    subject : Subject or None
        The animal in the registry; None where it is not there (yet): subject and experimenter are null then.
    time_zone : str or None
        IANA zone of the rig's wall clock. None takes the zone of this machine, and the row says that it was assumed.

    Returns
    -------
    pyarrow.Table
        As declared in `sessions.tables`. `start_time` is the rig's wall-clock start of trial 1 as an instant. A
        wall-clock time that happens twice (clocks set back) is taken as the first of the two, summer time; one that
        never happens (clocks set forward) is read as if the clock had not been set yet, so 02:30 becomes the instant
        that the new time calls 03:30.

    Raises
    ------
    BadConfiguration
        If there is no such zone.
    """
    file = behavior_file.to_pylist()[0]
    zone_name, source = (time_zone, "configuration") if time_zone is not None else (_zone_here(), "assumed")
    local = datetime.fromisoformat(file["start_local"])
    return SESSIONS.from_rows(
        [
            {
                "session": session,
                "animal": SessionKey.parse(session).animal,
                "subject": subject.subject_id if subject else None,
                "start_time": local.replace(tzinfo=_zone(zone_name), fold=0).astimezone(UTC),
                "time_zone": zone_name,
                "time_zone_source": source,
                "rig": file["rig"],
                "experimenter": subject.person if subject else None,
                "task": file["task"],
                "task_protocol": file["task_protocol"],
                "n_trials": file["n_trials"],
                "behavior_file": file["file"],
                "behavior_sha256": file["sha256"],
            }
        ]
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadConfiguration(
            f"There is no time zone '{name}'; name an IANA zone, as in America/New_York, as the rigs' time zone."
        ) from error


def _zone_here() -> str:
    import tzlocal

    try:
        return tzlocal.get_localzone_name()
    except (ZoneInfoNotFoundError, OSError) as error:
        raise BadConfiguration(f"This machine does not say its time zone ({error}); name the rigs' zone.") from error
