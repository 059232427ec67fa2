"""Writes the sheets that people keep: people, animals, and where probes were aimed. Reading them lives in `lab`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from map_assets.simulate.blueprint import TARGETS, AnimalPlan, PersonPlan, SessionPlan
from map_assets.simulate.defects import BEHAVIOR_IS_UNUSABLE
from map_assets.simulate.writing import write_text

PERSON_COLUMNS = ("username", "fullname")
ANIMAL_COLUMNS = (
    *("subject_id", "username", "cage_number", "date_of_birth", "sex", "animal_source"),
    *("water_restriction_number", "wr_start_date", "wr_start_weight"),
)
INSERTION_COLUMNS = (
    *("water_restriction_number", "subject_id", "session_date", "behaviour_time", "insertion_number"),
    *("skull_reference", "ap_location", "ml_location", "depth", "theta", "phi", "beta", "brain_area", "hemisphere"),
    *("drift_presence", "alignment_confidence", "number_of_landmarks", "insertion_comment", "good_period", "project"),
)


def write_people(path: Path, people: Iterable[PersonPlan]) -> Path:
    """Write ``people.csv``, one row a person."""
    return _write(path, PERSON_COLUMNS, [(person.username, person.full_name) for person in people])


def write_animals(path: Path, animals: Iterable[AnimalPlan]) -> Path:
    """Write ``animals.csv``, one row an animal."""
    rows = [
        (
            animal.subject_id,
            animal.username,
            140_000 + animal.subject_id % 1_000,
            animal.date_of_birth.isoformat(),
            animal.sex,
            animal.source,
            animal.animal,
            (animal.date_of_birth + timedelta(days=100)).isoformat(),
            f"{22 + animal.subject_id % 7 / 2:.1f}",
        )
        for animal in animals
    ]
    return _write(path, ANIMAL_COLUMNS, rows)


def write_insertions(path: Path, sessions: Iterable[SessionPlan]) -> Path:
    """Write ``insertions.csv``, one row a probe of a session that has a readable behaviour file."""
    rows = []
    for plan in sessions:
        if plan.defects & BEHAVIOR_IS_UNUSABLE:
            continue
        for number, probe in enumerate(plan.probes, start=1):
            target = TARGETS[probe.target]
            is_right = target.ml_um > 0
            row = (plan.animal, plan.subject_id, plan.named_at.date().isoformat(), f"{plan.named_at:%H%M%S}", number)
            place = ("Bregma", target.ap_um, target.ml_um, -target.depth_um, target.tilt_deg, 0 if is_right else 180, 0)
            side = "right" if is_right else "left"
            rows.append((*row, *place, target.brain_area, side, "no", "yes", 6, "", "", ""))
    return _write(path, INSERTION_COLUMNS, rows)


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Path:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return write_text(path, stream.getvalue())
