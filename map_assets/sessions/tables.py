"""The table that the sessions room makes."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, instant, text, whole

SESSIONS = Table(
    "sessions",
    "one recording of one animal",
    ("session",),
    (
        SESSION,
        text("animal", "water-restriction name of the animal"),
        text("subject", "registry's subject id; null where the animal is not in the registry", nullable=True),
        instant("start_time", "start of trial 1, which is zero of the session clock"),
        text("time_zone", "IANA zone of the rig's wall clock"),
        text("time_zone_source", "configuration, or assumed: the zone of the machine that made this row"),
        text("rig", "rig; null where the configuration names none", nullable=True),
        text(
            "experimenter",
            "who ran the session, as the registry names the animal's person; null if unknown",
            nullable=True,
        ),
        text("task", "task"),
        whole("task_protocol", "number of the task's protocol"),
        whole("n_trials", "trials in the behaviour file, skipped ones too"),
        text("behavior_file", "path of the behaviour file under its share's root"),
        text("behavior_sha256", "of that file, lower-case hex"),
    ),
)

TABLES = (SESSIONS,)
