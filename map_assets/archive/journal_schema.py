"""The journal's tables in the lab's database. Instants are whole microseconds since 1970 UTC by our clock; rows are only added."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKeyConstraint, Index, Integer, MetaData, String
from sqlalchemy import Table as SqlTable

METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

BATCHES = SqlTable(
    "archive_batches",
    METADATA,
    Column("batch", String, primary_key=True),
    Column("session", String, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("n_files", Integer, nullable=False),
    Column("n_bytes", BigInteger, nullable=False),
    Index("archive_batches_session", "session"),
)

FILES = SqlTable(
    "archive_files",
    METADATA,
    Column("batch", String, primary_key=True),
    Column("file", Integer, primary_key=True, autoincrement=False),  # from 0 in the batch
    Column("share", String, nullable=False),
    Column("path", String, nullable=False),
    Column("archive_path", String, nullable=False),
    Column("role", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String, nullable=False),
    Column("checks", String, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),  # of the source, as it stood around the read
    Column("device", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    ForeignKeyConstraint(["batch"], ["archive_batches.batch"]),
)

EVENTS = SqlTable(
    "archive_events",
    METADATA,
    Column("seq", _ID, primary_key=True),
    Column("batch", String, nullable=False),
    Column("files", String, nullable=False),  # numbers in the batch: "0-511,513"
    Column("state", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("why", String, nullable=False),
    Column("evidence", String, nullable=False),  # JSON
    ForeignKeyConstraint(["batch"], ["archive_batches.batch"]),
    Index("archive_events_batch", "batch", "seq"),
)

SUBMISSIONS = SqlTable(
    "archive_submissions",
    METADATA,
    Column("submission", String, primary_key=True),  # the mover's own id, known before anything is sent
    Column("batch", String, nullable=False),
    Column("backend", String, nullable=False),
    Column("files", String, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("task", String),
    Column("outcome", String),  # null until the mover came to an end: succeeded, failed, blocked
    Column("detail", String, nullable=False),
    Column("polled_us", BigInteger),
    Column("bytes_done", BigInteger, nullable=False),
    Column("settled_us", BigInteger),
    Column("is_polled", Boolean, nullable=False),  # whether it came to an end after the call that submitted it
    ForeignKeyConstraint(["batch"], ["archive_batches.batch"]),
    Index("archive_submissions_batch", "batch"),
    Index("archive_submissions_settled", "settled_us"),
)

CALLS = SqlTable(
    "archive_calls",
    METADATA,
    Column("seq", _ID, primary_key=True),
    Column("session", String, nullable=False),
    Column("what", String, nullable=False),  # ended: a transfer that was looked at; turn: there is a place
    Column("at_us", BigInteger, nullable=False),
    Index("archive_calls_session", "session"),
)

TURNS = SqlTable(
    "archive_turns",
    METADATA,
    Column("session", String, primary_key=True),  # waits for a place with the mover
    Column("since_us", BigInteger, nullable=False),
)

LEASES = SqlTable(
    "archive_leases",
    METADATA,
    Column("session", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)

RECEIPTS = SqlTable(
    "archive_receipts",
    METADATA,
    Column("sha256", String, primary_key=True),
    Column("session", String, nullable=False),
    Column("path", String, nullable=False),  # under the archive's root
    Column("content", String, nullable=False),
    Column("kept_us", BigInteger, nullable=False),
    Index("archive_receipts_session", "session"),
)

ARCHIVES = SqlTable(
    "archive_identities",
    METADATA,
    Column("backend", String, primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),  # from 0; the last counts
    Column("location", String, nullable=False),
    Column("identity", String, nullable=False),  # text of the marker in its root
    Column("who", String, nullable=False),
    Column("why", String, nullable=False),
    Column("known_us", BigInteger, nullable=False),
)
