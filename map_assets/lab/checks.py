"""What is odd in the registry, though each row was well-formed when it came. Refusing rows lives in `kinds` and `importing`."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from map_assets.lab.schema import PEOPLE, PROBE_INSERTIONS, SUBJECTS, WATER_RESTRICTIONS


def find_problems(connection: Connection) -> list[str]:
    """List problems, one sentence each."""
    return [*_subjects(connection), *_people(connection), *_insertions(connection)]


def _subjects(connection: Connection) -> Iterator[str]:
    rows = connection.execute(
        select(SUBJECTS, WATER_RESTRICTIONS.c.animal, WATER_RESTRICTIONS.c.start_date)
        .outerjoin(WATER_RESTRICTIONS, WATER_RESTRICTIONS.c.subject_id == SUBJECTS.c.subject_id)
        .order_by(SUBJECTS.c.subject_id)
    )
    for row in rows:
        if row.animal is None:
            yield f"Subject {row.subject_id} has no water-restriction name, so no file can be told to be its own."
        if row.date_of_birth is None:
            yield f"Subject {row.subject_id} has no date of birth, which NWB files and DANDI ask for."
        elif row.start_date is not None and row.start_date < row.date_of_birth:
            yield f"Subject {row.subject_id} began water restriction on {row.start_date}, before its birth."
        if row.sex in {None, "U"}:
            yield f"Subject {row.subject_id} has no known sex."


def _people(connection: Connection) -> Iterator[str]:
    logins = connection.scalars(
        select(SUBJECTS.c.login)
        .outerjoin(PEOPLE, PEOPLE.c.login == SUBJECTS.c.login)
        .where(SUBJECTS.c.login.is_not(None), PEOPLE.c.full_name.is_(None))
        .distinct()
        .order_by(SUBJECTS.c.login)
    )
    for login in logins:
        yield f"{login} works with animals and has no full name; import a sheet with username and fullname."


def _insertions(connection: Connection) -> Iterator[str]:
    rows = connection.execute(
        select(PROBE_INSERTIONS, SUBJECTS.c.date_of_birth)
        .join(SUBJECTS, SUBJECTS.c.subject_id == PROBE_INSERTIONS.c.subject_id)
        .order_by(PROBE_INSERTIONS.c.subject_id, PROBE_INSERTIONS.c.session_date, PROBE_INSERTIONS.c.probe)
    )
    for row in rows:
        name = f"Insertion {row.probe} of subject {row.subject_id} on {row.session_date}"
        if row.date_of_birth is not None and row.session_date < row.date_of_birth:
            yield f"{name} is before its birth."
        if (
            row.hemisphere in {"left", "right"}
            and row.ml_um
            and row.hemisphere != ("right" if row.ml_um > 0 else "left")
        ):
            yield f"{name} is said to be {row.hemisphere}, and its ML coordinate {row.ml_um:g} um is on the other side."
