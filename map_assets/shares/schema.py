"""The ledger's tables. Instants are whole microseconds since 1970 UTC by our clock, so that both databases agree on them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy import Table as SqlTable

METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

COUNTER = SqlTable(
    "ledger_counter",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

SHARES = SqlTable(
    "ledger_shares",
    METADATA,
    Column("share", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("root", String, nullable=False),
    Column("rig", String),
    Column("settle_s", Float, nullable=False),
    Column("marker", String),
    Column("rules", String, nullable=False),  # what names meant at the last good scan
    Column("had_files", Boolean, nullable=False),
    Column("last_scan_us", BigInteger),
    Column("clock_us", BigInteger),  # our clock at the last good scan
    Column("clock_high_us", BigInteger),  # where it stood before it went back
    Column("scan_status", String, nullable=False),
    Column("message", String, nullable=False),
    Column("scan_stamp", BigInteger, nullable=False),  # counter at the last good scan
)

FILES = SqlTable(
    "ledger_files",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("share", String, ForeignKey("ledger_shares.share"), nullable=False),
    Column("relpath", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("first_seen_us", BigInteger, nullable=False),
    Column("last_change_seen_us", BigInteger, nullable=False),
    Column("still_since_us", BigInteger, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("absent_since_us", BigInteger),
    Column("role", String),
    Column("day", String),  # ISO date that the name tells
    Column("session", String),
    Column("state", String, nullable=False),
    Column("reason", String),  # why in quarantine
    Column("unsettled", String),  # why not settled
    Column("unplaced", String),  # why without session
    Column("rule", String),
    Column("by", String),
    Column("ingested_us", BigInteger),
    Column("sha256", String),
    Column("released_by", String),
    Column("released_why", String),
    Column("released_us", BigInteger),
    UniqueConstraint("share", "relpath"),
    CheckConstraint("state in ('waiting', 'ingested', 'quarantined', 'ignored')", name="ledger_files_state"),
    Index("ledger_files_session", "session"),
    Index("ledger_files_day", "day"),
)

METAS = SqlTable(
    "ledger_spikeglx_metas",
    METADATA,
    Column("share", String, primary_key=True),
    Column("relpath", String, primary_key=True),
    Column("size", BigInteger, nullable=False),  # of the .meta when it was read, and its times
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("missing", String),  # first end mark that is not there
    Column("bin_bytes", BigInteger),
    Column("created", String),  # ISO, wall clock of the recording computer
)

CHANGES = SqlTable(
    "ledger_changes",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("share", String, nullable=False),
    Column("relpath", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("what", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("session", String),
    Column("state", String, nullable=False),
    Column("reason", String),
    Column("by", String),
    Column("sha256", String),
    Column("who", String),
    Column("why", String),
    Index("ledger_changes_file", "share", "relpath"),
)

DIRTY_DAYS = SqlTable(
    "ledger_dirty_days",
    METADATA,
    Column("day", String, primary_key=True),
    Column("stamp", BigInteger, nullable=False),
)

SESSIONS = SqlTable(
    "ledger_sessions",
    METADATA,
    Column("session", String, primary_key=True),
    Column("start_local", String),  # ISO, wall clock of the behaviour computer
    Column("touched", BigInteger, nullable=False),
    Index("ledger_sessions_touched", "touched"),
)

STAGES = SqlTable(
    "ledger_stages",
    METADATA,
    Column("session", String, primary_key=True),
    Column("stage", String, primary_key=True),
    Column("signature", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    CheckConstraint("outcome in ('done', 'failed')", name="ledger_stages_outcome"),
)

WAITS = SqlTable(
    "ledger_waits",
    METADATA,
    Column("session", String, primary_key=True),
    Column("stage", String, primary_key=True),
    Column("reason", String, nullable=False),
)
