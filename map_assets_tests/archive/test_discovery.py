"""An archive that somebody else filled is taken in by listing and hashing, and held against the journal both ways."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path, PurePosixPath

import pytest

from map_assets.archive.discovery import OURS, Place, place_by, reconcile, take_in
from map_assets.archive.journal import LeasedElsewhere
from map_assets.vocabulary.errors import BadConfiguration

sys.path.insert(0, str(Path(__file__).parent))
from removing import FILES, SESSION, SHARE, Bench

A, B, C, M = FILES
ELSEWHERE = "SC030_20200102_101112"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An archived session, and beside it what nobody of us put there."""
    bench = Bench(tmp_path)
    bench.record()
    bench.archive_all()
    for name, content in {f"{ELSEWHERE}/old/x.bin": b"old", f"{ELSEWHERE}/old/y z.txt": b"", "notes.txt": b"?"}.items():
        path = bench.archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return bench


def differences(bench: Bench, session: str | None = None) -> dict[str, str]:
    table = reconcile(bench.journal, bench.backend, session)
    return dict(zip(table["archive_path"].to_pylist(), table["what"].to_pylist(), strict=True))


def test_what_is_gone_other_or_unknown_is_named(bench: Bench) -> None:
    unknown = {"notes.txt": "unknown", f"{ELSEWHERE}/old/x.bin": "unknown", f"{ELSEWHERE}/old/y z.txt": "unknown"}
    assert differences(bench) == unknown
    assert differences(bench, SESSION) == {}
    bench.damage(A, None)
    bench.damage(B, b"shorter")
    assert differences(bench, SESSION) == {f"{SESSION}/{SHARE}/{A}": "missing", f"{SESSION}/{SHARE}/{B}": "other size"}
    assert len(differences(bench)) == 5


def test_a_copy_that_was_set_aside_is_not_unknown(bench: Bench) -> None:
    bench.backend.set_aside(PurePosixPath(SESSION, SHARE, A))
    assert differences(bench, SESSION) == {f"{SESSION}/{SHARE}/{A}": "missing"}


def test_files_that_others_archived_are_read_and_taken_in_once(bench: Bench) -> None:
    unknown = [PurePosixPath(name) for name, what in differences(bench).items() if what == "unknown"]
    (batch,), left = take_in(bench.journal, bench.backend, unknown, place_by(OURS), now=bench.now)
    assert left == {"notes.txt": "its path names no session"}
    rows = {row["path"]: row for row in bench.journal.files(ELSEWHERE).to_pylist()}
    assert {name: (row["sha256"], row["size"], row["state"], row["share"]) for name, row in rows.items()} == {
        "x.bin": (hashlib.sha256(b"old").hexdigest(), 3, "VERIFIED", "old"),
        "y z.txt": (hashlib.sha256(b"").hexdigest(), 0, "VERIFIED", "old"),
    }
    assert batch.session == ELSEWHERE
    assert bench.journal.events(batch.batch)[-1].evidence["method"].startswith("read back whole")
    assert differences(bench) == {"notes.txt": "unknown"}
    assert take_in(bench.journal, bench.backend, unknown, place_by(OURS), now=bench.now)[0] == []


def test_a_file_that_cannot_be_read_is_left_out_with_the_reason(bench: Bench) -> None:
    gone = PurePosixPath(ELSEWHERE, "old", "gone.bin")
    batches, left = take_in(bench.journal, bench.backend, [gone], place_by(OURS), now=bench.now)
    assert batches == [] and "has no file" in left[str(gone)]


def test_another_labs_layout_is_told_by_a_pattern(bench: Bench) -> None:
    place = place_by(r"(?P<animal>\w+)/catgt_\w+_(?P<date>\d{8})_(?P<time>\d{6})/(?P<path>.+)", "rig1")
    assert place(PurePosixPath("SC030/catgt_g0_20200102_101112/a/b.bin")) == Place(ELSEWHERE, "rig1", "a/b.bin")
    assert place(PurePosixPath("SC030/catgt_g0_20201302_101112/b.bin")) is None
    assert place(PurePosixPath("SC030/b.bin")) is None
    for pattern in ("(", "(?P<path>.+)", r"(?P<session>.+)/(?P<path>.+)"):
        with pytest.raises(BadConfiguration):
            place_by(pattern)


def test_a_session_at_work_is_not_taken_in(bench: Bench) -> None:
    with bench.journal.lease(ELSEWHERE), pytest.raises(LeasedElsewhere):
        take_in(bench.journal, bench.backend, [PurePosixPath(ELSEWHERE, "old", "x.bin")], place_by(OURS))
    assert bench.journal.files(ELSEWHERE).num_rows == 0
