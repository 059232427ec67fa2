"""The tables that removal, retrieval and fixity write into the lab's database. Instants are microseconds since 1970 UTC; rows are only added."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String
from sqlalchemy import Table as SqlTable

METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

APPROVALS = SqlTable(
    "archive_approvals",
    METADATA,
    Column("approval", String, primary_key=True),
    Column("session", String, nullable=False),
    Column("who", String, nullable=False),
    Column("why", String, nullable=False),
    Column("plan", String, nullable=False),  # fingerprint of the plan that was shown
    Column("at_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("account", String, nullable=False),  # of the operating system, whose process wrote it
    Index("archive_approvals_session", "session"),
)

APPROVED_FILES = SqlTable(
    "archive_approved_files",
    METADATA,
    Column("approval", String, primary_key=True),
    Column("batch", String, primary_key=True),
    Column("file", Integer, primary_key=True, autoincrement=False),
    Column("share", String, nullable=False),
    Column("path", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String, nullable=False),
)

REVOCATIONS = SqlTable(
    "archive_revocations",
    METADATA,
    Column("seq", _ID, primary_key=True),
    Column("approval", String, nullable=False),
    Column("who", String, nullable=False),
    Column("why", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

HOLDS = SqlTable(
    "archive_holds",
    METADATA,
    Column("hold", String, primary_key=True),
    Column("session", String, nullable=False),
    Column("share", String),  # null: the whole session
    Column("path", String),
    Column("who", String, nullable=False),
    Column("why", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("archive_holds_session", "session"),
)

LIFTED = SqlTable(
    "archive_lifted_holds",
    METADATA,
    Column("hold", String, primary_key=True),
    Column("who", String, nullable=False),
    Column("why", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

ACTS = SqlTable(
    "archive_removal_acts",
    METADATA,
    Column("seq", _ID, primary_key=True),
    Column("batch", String, nullable=False),
    Column("file", Integer, nullable=False),
    Column("act", String, nullable=False),  # unlinking: written before the last name of a source goes
    Column("event", BigInteger, nullable=False),  # the journal's event that the act rests on
    Column("actor", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("evidence", String, nullable=False),  # JSON
    Index("archive_removal_acts_file", "batch", "file"),
)

LOOKS = SqlTable(
    "archive_looks",
    METADATA,
    Column("seq", _ID, primary_key=True),
    Column("archive_path", String, nullable=False),
    Column("sha256", String, nullable=False),  # that it should have
    Column("size", BigInteger, nullable=False),
    Column("verdict", String, nullable=False),  # equal, different, missing, unread
    Column("reason", String, nullable=False),  # fixity, drill, gate, retrieval
    Column("method", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("archive_looks_path", "archive_path", "seq"),
)

RESTORED = SqlTable(
    "archive_restored_copies",
    METADATA,
    Column("copy", String, primary_key=True),
    Column("session", String, nullable=False),
    Column("archive_path", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String, nullable=False),
    Column("place", String, nullable=False),  # absolute, on this machine
    Column("host", String, nullable=False),
    Column("who", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("until_us", BigInteger),  # null: it stays
)

RESTORED_ENDS = SqlTable(
    "archive_restored_ends",
    METADATA,
    Column("copy", String, primary_key=True),
    Column("what", String, nullable=False),  # removed, or why it stays
    Column("at_us", BigInteger, nullable=False),
)
