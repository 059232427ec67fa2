"""The registry's log of corrections to tracings. The registry's other tables are in `schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Float, ForeignKey, Index, Integer, MetaData, String
from sqlalchemy import Table as SqlTable

TRACING_METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

CORRECTIONS = SqlTable(
    "lab_tracing_corrections",
    TRACING_METADATA,
    Column("record_id", _ID, primary_key=True),
    Column("action", String, nullable=False),
    Column(
        "about", _ID, ForeignKey("lab_tracing_corrections.record_id")
    ),  # the correction that is reviewed or taken back
    Column("session", String, nullable=False),
    Column("probe", Integer, nullable=False),
    Column("tracing", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("amount_um", Float),
    Column("shank", Integer),  # null for the whole probe
    Column("is_own_review", Boolean, nullable=False),
    Column("who", String, nullable=False),
    Column("why", String),
    Column("at_us", BigInteger, nullable=False),
    CheckConstraint("action in ('correct', 'review', 'undo')", name="lab_tracing_corrections_action"),
    CheckConstraint("kind in ('flip', 'shift', 'drop')", name="lab_tracing_corrections_kind"),
    CheckConstraint("(kind = 'shift') = (amount_um is not null)", name="lab_tracing_corrections_amount"),
    CheckConstraint("(action = 'correct') = (about is null)", name="lab_tracing_corrections_about"),
    Index("lab_tracing_corrections_session", "session"),
)
"""Only ever added to."""
