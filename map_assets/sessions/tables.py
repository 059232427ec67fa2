"""Tables that the sessions room makes."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, flag, instant, text, whole

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

COVERAGE = Table(
    "coverage",
    "one trial of the behaviour file and one source: whether the source observed it. Where it did not, there is nothing to "
    "count: no spike is silence only where is_observed is true",
    ("session", "trial", "source_kind", "source"),
    (
        SESSION,
        whole("trial", "trial number as in the file, from 1; skipped trials too"),
        text("source_kind", "behavior, probe or camera"),
        text("source", "behavior; the probe's insertion number; or the camera's position"),
        whole("probe", "that number again, for joins; null where the source is no probe", nullable=True),
        flag("is_observed", "whether the source saw the whole trial, and the trial was kept"),
        text("reason", "why the trial is not observed; null exactly where it is", nullable=True),
    ),
)

TABLES = (SESSIONS, COVERAGE)
