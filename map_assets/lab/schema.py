"""The registry's tables. A null is unknown; what each cell was before, who changed it and from which sheet is in `EDITS`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
)
from sqlalchemy import Table as SqlTable

METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

COUNTER = SqlTable(
    "lab_counter",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

PEOPLE = SqlTable(
    "lab_people",
    METADATA,
    Column("login", String, primary_key=True),
    Column("full_name", String),
)

RIGS = SqlTable(
    "lab_rigs",
    METADATA,
    Column("rig", String, primary_key=True),
    Column("room", String),
    Column("description", String),
)

SUBJECTS = SqlTable(
    "lab_subjects",
    METADATA,
    Column("subject_id", String, primary_key=True),
    Column("login", String),  # who works with the animal
    Column("cage_number", String),
    Column("date_of_birth", Date),
    Column("sex", String),
    Column("source", String),
    Column("species", String),
    Column("strain", String),
    Column("genotype", String),
    CheckConstraint("sex in ('M', 'F', 'U')", name="lab_subjects_sex"),
)

WATER_RESTRICTIONS = SqlTable(
    "lab_water_restrictions",
    METADATA,
    Column("subject_id", String, ForeignKey("lab_subjects.subject_id"), primary_key=True),
    Column("animal", String, nullable=False),  # the name that the rigs write
    Column("animal_lower", String, nullable=False, unique=True),
    Column("start_date", Date),
    Column("start_weight_g", Float),
)

PROBE_INSERTIONS = SqlTable(
    "lab_probe_insertions",
    METADATA,
    Column("subject_id", String, ForeignKey("lab_subjects.subject_id"), primary_key=True),
    Column("session_date", Date, primary_key=True),
    Column("behavior_time", String, primary_key=True),  # HHMMSS of the behaviour file, or empty
    Column("probe", Integer, primary_key=True, autoincrement=False),
    Column("skull_reference", String),
    Column("ap_um", Float),
    Column("ml_um", Float),
    Column("depth_um", Float),
    Column("theta_deg", Float),
    Column("phi_deg", Float),
    Column("beta_deg", Float),
    Column("brain_area", String),
    Column("hemisphere", String),
    Column("has_drift", Boolean),
    Column("is_alignment_sure", Boolean),
    Column("n_landmarks", Integer),
    Column("comment", String),
    Column("good_periods", String),  # seconds, as 0-200;230-290;400-end
    Column("project", String),
    CheckConstraint("hemisphere in ('left', 'right', 'both')", name="lab_probe_insertions_hemisphere"),
)

RECORD_TABLES = {
    "people": PEOPLE,
    "rigs": RIGS,
    "subjects": SUBJECTS,
    "water_restrictions": WATER_RESTRICTIONS,
    "probe_insertions": PROBE_INSERTIONS,
}
"""By the name that people see; in an order in which rows can be added."""

SHEET_IMPORTS = SqlTable(
    "lab_sheet_imports",
    METADATA,
    Column("import_id", _ID, primary_key=True),
    Column("kind", String, nullable=False),
    Column("file", String),
    Column("sha256", String),
    Column("sheet", String),
    Column("who", String, nullable=False),
    Column("why", String),
    Column("at_us", BigInteger, nullable=False),
    Column("n_new", Integer, nullable=False),
    Column("n_changed", Integer, nullable=False),
    Column("undoes", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("lab_sheet_imports.import_id")),
)

EDITS = SqlTable(
    "lab_edits",
    METADATA,
    Column("edit_id", _ID, primary_key=True),
    Column("import_id", _ID, ForeignKey("lab_sheet_imports.import_id"), nullable=False),
    Column("sheet_row", Integer),
    Column("action", String, nullable=False),  # add, set or remove
    Column("record", String, nullable=False),  # one of RECORD_TABLES
    Column("row_key", String, nullable=False),  # JSON list of the row's key
    Column("subject_id", String),
    Column("field", String, nullable=False),
    Column("old", String),  # JSON
    Column("new", String),
    CheckConstraint("action in ('add', 'set', 'remove')", name="lab_edits_action"),
    Index("lab_edits_row", "record", "row_key"),
    Index("lab_edits_import", "import_id"),
)

SORTING_CHOICES = SqlTable(
    "lab_sorting_choices",
    METADATA,
    Column("choice_id", _ID, primary_key=True),
    Column("session", String, nullable=False),
    Column("probe", Integer, nullable=False),
    Column("sorting", String),  # null where the row takes another back
    Column("undoes", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("lab_sorting_choices.choice_id")),
    Column("who", String, nullable=False),
    Column("why", String),
    Column("at_us", BigInteger, nullable=False),
    CheckConstraint("(sorting is null) <> (undoes is null)", name="lab_sorting_choices_one"),
    Index("lab_sorting_choices_session", "session"),
)
"""Only ever added to."""
