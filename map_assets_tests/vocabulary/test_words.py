"""Session keys, tables and found files mean one thing each."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from map_assets.vocabulary.errors import ChangedWhileRead, NameDoesNotParse, TableDoesNotFit, UnreadableFile, UnsafePath
from map_assets.vocabulary.files import inside, sha256_of, unchanged
from map_assets.vocabulary.session import SessionKey
from map_assets.vocabulary.table import SESSION, Table, real, text, whole

KEY = "SC022_20190228_151010"
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,12}", fullmatch=True)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))


@given(animal=names, moment=moments)
def test_a_key_reads_as_it_writes(animal: str, moment: datetime) -> None:
    key = SessionKey(animal, moment.date(), moment.time().replace(microsecond=0))
    assert SessionKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "word",
    [
        "",
        "..",
        "a/b_20190228_151010",
        "SC022_20190230_151010",
        "SC022_20190228_251010",
        "SC_022_20190228_151010",
        KEY + "\n",
        "-a_20190228_151010",
    ],
)
def test_what_is_no_key_is_refused(word: str) -> None:
    with pytest.raises(NameDoesNotParse):
        SessionKey.parse(word)


ROWS = Table(
    "rows",
    "one row",
    ("session", "n"),
    (SESSION, whole("n", "n"), real("x_um", "x", "um", nullable=True), text("t", "t")),
)


def test_nan_means_unknown() -> None:
    table = ROWS.from_columns({"session": [KEY], "n": [1], "x_um": [float("nan")], "t": ["a"]})
    assert table["x_um"].to_pylist() == [None]


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), st.integers(0, 3)), max_size=6))
def test_a_repeated_key_is_found_in_rows_of_any_order(rows: list[tuple[str, int, int]]) -> None:
    table = Table("rows", "one row", ("t", "n", "m"), (text("t", "t"), whole("n", "n"), whole("m", "m")))
    columns = dict(zip(("t", "n", "m"), zip(*rows, strict=True), strict=True)) if rows else {"t": [], "n": [], "m": []}
    pieces = [table.from_columns({name: [value] for name, value in zip("tnm", row, strict=True)}) for row in rows]
    if len(set(rows)) == len(rows):
        assert table.from_columns(columns).num_rows == len(rows)
        assert table.check_pieces(pieces or [table.empty()]) == (len(rows), 3)
    else:
        with pytest.raises(TableDoesNotFit, match="more than once"):
            table.from_columns(columns)
        with pytest.raises(TableDoesNotFit, match="more than once"):
            table.check_pieces(pieces)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"n": [1, 1], "t": ["a", "b"]}, "stands more than once"),
        ({"n": [1, None], "t": ["a", "b"]}, "null"),
        ({"n": [1, 2], "t": ["a", None]}, "null"),
        ({"n": [1, 2.5], "t": ["a", "b"]}, "rows.n"),
        ({"n": [1, 2], "t": ["a", "b"], "more": [1, 2]}, "surplus"),
        ({"n": [1, 2]}, "missing"),
    ],
)
def test_a_frame_that_breaks_its_declaration_says_where(columns: dict[str, list[object]], said: str) -> None:
    with pytest.raises(TableDoesNotFit, match=said):
        ROWS.from_columns({"session": [KEY, KEY], **columns})


def test_a_schema_survives_with_units_and_meaning() -> None:
    schema = ROWS.schema
    assert schema.field("x_um").metadata == {b"meaning": b"x", b"unit": b"um"}
    assert schema.metadata[b"key"] == b"session,n"
    assert isinstance(schema, pa.Schema)


def test_a_file_written_to_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(b"one")
    with pytest.raises(ChangedWhileRead, match=r"a\.mat"), unchanged(path):
        path.write_bytes(b"two more")


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"b\.mat"):
        sha256_of(tmp_path / "b.mat")


def test_links_and_paths_that_leave_the_root_are_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "share", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a.mat").write_bytes(b"x")
    (root / "linked").symlink_to(outside)
    (root / "plain.mat").write_bytes(b"x")
    assert inside(root, root / "plain.mat") == (root / "plain.mat").resolve()
    for bad in (root / "linked" / "a.mat", root / ".." / "outside" / "a.mat"):
        with pytest.raises(UnsafePath):
            inside(root, bad)
