"""An export never writes over somebody else's file, and does nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from map_assets.exports.placing import CannotExport, copy_verified, place, stamp_from, versions_of
from map_assets.store import Store, replacing


def writes(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with replacing(path) as part:
            part.write_text(text)

    return write


def holds(text: str) -> Callable[[Path], bool]:
    return lambda path: path.read_text() == text


def test_a_file_is_written_once_and_known_again(tmp_path: Path) -> None:
    target = tmp_path / "to" / "a.mat"
    first = place(target, writes("one"), holds("one"), overwrite=False)
    assert (first.state, first.size, first.sha256) == ("written", 3, hashlib.sha256(b"one").hexdigest())
    again = place(target, lambda path: pytest.fail("written twice"), holds("one"), overwrite=True)
    assert (again.state, again.sha256) == ("already there", first.sha256)


def test_another_file_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "a.mat"
    target.write_text("mine")
    with pytest.raises(CannotExport, match="--overwrite"):
        place(target, writes("one"), holds("one"), overwrite=False)
    assert target.read_text() == "mine"
    assert place(target, writes("one"), holds("one"), overwrite=True).state == "replaced"
    assert target.read_text() == "one"


def test_folders_and_links_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "other").write_text("one")
    (tmp_path / "c").symlink_to(tmp_path / "other")
    for name in "bc":
        with pytest.raises(CannotExport, match="a folder or a link"):
            place(tmp_path / name, writes("one"), holds("one"), overwrite=True)
    with pytest.raises(CannotExport, match="cannot be used"):
        place(tmp_path / "other" / "a", writes("one"), holds("one"), overwrite=True)


def test_a_copy_stands_only_if_its_bytes_are_those_on_record(tmp_path: Path) -> None:
    source = tmp_path / "a.nwb"
    source.write_bytes(b"\x01" * 3_000_000)
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    copy_verified(source, tmp_path / "b.nwb", sha256)
    assert (tmp_path / "b.nwb").read_bytes() == source.read_bytes()
    with pytest.raises(CannotExport, match="does not hold the bytes"):
        copy_verified(source, tmp_path / "c.nwb", "0" * 64)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nwb", "b.nwb"]


def test_versions_of_tables_are_told_apart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    none = versions_of(store, "S", ("units", "spikes"))
    assert none == ["spikes None", "units None"]
    stamps = {
        stamp_from(["S", 1, *none]),
        stamp_from(["S", 2, *none]),
        stamp_from(["S", 1, "spikes abc", "units None"]),
    }
    assert {len(stamp) for stamp in stamps} == {32}
    assert len(stamps) == 3
