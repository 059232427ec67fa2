"""The store keeps every version and shows nothing half-written."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from map_assets.store import Store, replacing
from map_assets.vocabulary.errors import NoSuchTable, TableDoesNotFit, UnsafePath
from map_assets.vocabulary.table import SESSION, Table, many, real, whole

COUNTS = Table(
    "counts", "one count", ("session", "n"),
    (SESSION, whole("n", "number"), real("rate_hz", "rate", "Hz", nullable=True), many("samples", pa.int64(), "samples")),
)  # fmt: skip
KEY = "SC022_20190228_151010"


def counts(*numbers: int) -> pa.Table:
    return COUNTS.from_columns(
        {"session": [KEY] * len(numbers), "n": list(numbers), "samples": [[1, n] for n in numbers]}
    )


def test_what_is_written_comes_back_with_its_meaning(tmp_path: Path) -> None:
    store = Store(tmp_path)
    version = store.write(COUNTS, KEY, counts(1, 2))
    found = store.read("counts", KEY)
    assert found.equals(counts(1, 2))
    assert found.schema.field("rate_hz").metadata[b"unit"] == b"Hz"
    assert version.sha256 == hashlib.sha256(version.path.read_bytes()).hexdigest()
    assert store.version("counts", KEY) == version.sha256[:16]


def test_long_lists_are_read_in_pieces(tmp_path: Path) -> None:
    store = Store(tmp_path)
    lists = pa.ListArray.from_arrays(pa.array(range(0, 3_000_001, 100_000), pa.int32()), pa.array(range(3_000_000)))
    whole_table = COUNTS.from_columns({"session": [KEY] * 30, "n": list(range(30)), "samples": lists})
    store.write(COUNTS, KEY, whole_table)
    pieces = list(store.read_groups("counts", KEY))
    assert [piece.num_rows for piece in pieces] == [10, 10, 10]
    assert pa.concat_tables(pieces).equals(whole_table)


def test_a_table_without_rows_is_one_empty_piece(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(COUNTS, KEY, counts())
    assert [piece.num_rows for piece in store.read_groups("counts", KEY)] == [0]
    with pytest.raises(NoSuchTable):
        next(store.read_groups("counts", "MK001_20240101_101010"))


def test_the_same_bytes_make_no_new_version(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.write(COUNTS, KEY, counts(1)).is_new
    assert not store.write(COUNTS, KEY, counts(1)).is_new
    assert len(store.history("counts", KEY)) == 1


def test_an_old_version_can_be_read_as_of_its_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(COUNTS, KEY, counts(1))
    between = datetime.now(UTC)
    store.write(COUNTS, KEY, counts(1, 2, 3))
    assert store.read("counts", KEY).num_rows == 3
    assert store.read("counts", KEY, as_of=between).num_rows == 1
    with pytest.raises(NoSuchTable):
        store.read("counts", KEY, as_of=datetime(2000, 1, 1, tzinfo=UTC))


def test_going_back_to_older_bytes_is_a_version_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for table in (counts(1), counts(2), counts(1)):
        assert store.write(COUNTS, KEY, table).is_new
    assert len(store.history("counts", KEY)) == 3


def test_a_table_that_breaks_its_declaration_is_not_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(TableDoesNotFit, match="n"):
        store.write(COUNTS, KEY, counts(1).drop_columns(["n"]))
    assert not store.has("counts", KEY)


def test_a_write_that_fails_leaves_what_stood(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_file("nwb", KEY, ".nwb", lambda path: path.write_bytes(b"whole") and None)

    def fail(path: Path) -> None:
        path.write_bytes(b"ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write_file("nwb", KEY, ".nwb", fail)
    assert store.file_path("nwb", KEY, ".nwb").read_bytes() == b"whole"
    assert [path.name for path in (tmp_path / "files" / "nwb").iterdir()] == [f"{KEY}.nwb"]


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", "", "a\0b", "a\\b"])
def test_a_key_that_leaves_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafePath):
        Store(tmp_path / "store").table_path("counts", name)


def test_a_reader_never_sees_a_file_that_is_being_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    target = store.table_path("counts", KEY)
    with replacing(target) as part:
        part.write_bytes(b"half")
        assert store.sessions("counts") == []
        assert list(target.parent.glob("*.parquet")) == []
    assert store.sessions("counts") == [KEY]


def test_missing_tables_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoSuchTable, match=f"counts of session {KEY}"):
        Store(tmp_path).read("counts", KEY)
