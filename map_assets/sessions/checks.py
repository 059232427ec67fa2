"""Claims about sessions, as functions of tables. When they are run, and what a failure stops, lives with the wing."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from map_assets.vocabulary.session import SessionKey
from map_assets.vocabulary.table import Verdict


def name_date_matches_the_start(sessions: pa.Table) -> Verdict:
    """The session began on the day in its name, by the rig's wall clock, or in the night after it.

    The name is given when the rig's software is opened, trial 1 starts later; so midnight may lie between, but not
    noon.
    """
    odd = []
    for row in sessions.to_pylist():
        local = row["start_time"].astimezone(ZoneInfo(row["time_zone"]))
        named = SessionKey.parse(row["session"]).name_date
        is_night_after = local.date() == named + timedelta(days=1) and local.hour < 12
        if local.date() != named and not is_night_after:
            odd.append(f"{row['session']} began {local:%Y-%m-%d %H:%M}")
    figures = {"n_sessions": sessions.num_rows, "n_on_another_day": len(odd)}
    if odd:
        return Verdict(False, f"{'; '.join(odd)}, which is not the day of its name.", figures)
    return Verdict(True, f"{sessions.num_rows} session began on the day of its name.", figures)


def subject_is_known(sessions: pa.Table) -> Verdict:
    """The registry knows the session's animal."""
    unknown = [row["animal"] for row in sessions.to_pylist() if row["subject"] is None]
    figures = {"n_sessions": sessions.num_rows, "n_without_subject": len(unknown)}
    if unknown:
        return Verdict(False, f"The registry does not know {', '.join(unknown)}.", figures)
    return Verdict(True, "The registry knows the animal.", figures)
