"""Whatever happens to files, every one that was seen is counted in exactly one place."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.shares.walk import look_at
from map_assets.vocabulary.errors import MapAssetsError

NAMES = (
    ("rig", "SC022_tw2_20190228_151010.mat"),
    ("rig", "copy/SC022_tw2_20190228_151010.mat"),
    ("rig", "SC022_tw2_20190228_101010.mat"),
    ("rig", "notes.mat"),
    ("rig", "Thumbs.db"),
    ("ephys", "SC022/20190228/1/spike_times.npy"),
    ("ephys", "SC022/20190228/run.ap.bin"),
    ("ephys", "SC022/20190228/run.ap.meta"),
    ("ephys", "readme.txt"),
    ("cameras", "SC022/SC022_022819_2/SC022_side_1-0000.csv"),
)
WHICH = st.integers(0, len(NAMES) - 1)
STEPS = st.one_of(
    st.tuples(
        st.just("write"), WHICH, st.sampled_from([b"a", b"bb", b"fileSHA1=A\nfileTimeSecs=1\nfileSizeBytes=2\n"])
    ),
    st.tuples(st.sampled_from(["remove", "link", "retry", "release", "to folder"]), WHICH, st.just(b"")),
    st.tuples(
        st.sampled_from(["scan", "ingest", "quarantine", "unmount", "mount"]), st.integers(-40, 90), st.just(b"")
    ),
)


def do(lab, what: str, number: int, content: bytes) -> None:
    share, relpath = NAMES[number % len(NAMES)]
    path = lab.root / share / relpath
    is_mounted = (lab.root / "rig").is_dir()
    if what == "unmount" and is_mounted:
        (lab.root / "rig").rename(lab.root / "away")
    elif what == "mount" and not is_mounted:
        (lab.root / "away").rename(lab.root / "rig")
    elif what == "scan":
        lab.scan(after=number)
    elif what == "ingest":
        for key in lab.ledger.sessions():
            lab.ingest(key)
    elif what == "quarantine":
        for key in lab.ledger.sessions()[:1]:
            lab.ledger.quarantine(lab.ledger.inventory(key).files[:1], "Bad.", "test", lab.now)
    elif what in {"retry", "release"}:
        try:
            lab.ledger.retry(share, relpath) if what == "retry" else lab.ledger.release(share, relpath, "why", "who")
        except MapAssetsError as error:
            assert str(error)
    elif is_mounted or share != "rig":
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if what == "write":
            path.write_bytes(content)
        elif what == "link":
            path.symlink_to(lab.root / "elsewhere")
        elif what == "to folder":
            path.mkdir()


def check(lab, ever: set[tuple[str, str]]) -> None:
    on_disk = {
        (share, relpath)
        for share in lab.shares
        if (look := look_at(lab.root / share, expected_marker=None, is_marker_binding=False, had_files=True)).status
        == "ok"
        for relpath in look.found
    }
    ever |= on_disk
    rows = lab.ledger.files()
    assert {(row.share, row.relpath) for row in rows} == ever
    assert len(rows) == len(ever)
    for status in lab.ledger.status():
        mine = [row for row in rows if row.share == status.share]
        assert status.found == len(mine) == status.ingested + status.waiting + status.quarantined + status.ignored
        assert status.absent == sum(row.absent_since is not None for row in mine)
        if status.scan_status == "ok":
            assert {(row.share, row.relpath) for row in mine if row.absent_since is None} == {
                one for one in on_disk if one[0] == status.share
            }
    usable = [
        (file.share, str(file.relpath)) for key in lab.ledger.sessions() for file in lab.ledger.inventory(key).files
    ]
    assert len(usable) == len(set(usable))
    for row in rows:
        assert (row.reason is not None) == (row.state in {"waiting", "quarantined"})
        if (row.share, row.relpath) in usable:
            assert row.settled
            assert row.state in {"waiting", "ingested"}
            assert row.absent_since is None


@settings(max_examples=25, deadline=None, derandomize=True)
@given(steps=st.lists(STEPS, max_size=25))
def test_every_file_that_was_seen_is_in_exactly_one_place(new_lab, steps: list[tuple[str, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = new_lab(Path(folder))
        for name in ("rig", "ephys", "cameras"):
            lab.share(name, settle_s=50)
        ever: set[tuple[str, str]] = set()
        for what, number, content in [*steps, ("mount", 0, b""), ("scan", 60, b"")]:
            do(lab, what, number, content)
            if what == "scan":
                check(lab, ever)
        lab.ledger.close()
