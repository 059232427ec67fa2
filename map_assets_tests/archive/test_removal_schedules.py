"""Whatever happens in whatever order (rot, loss, kills, writes, unmounts, other workers), no byte is lost and none goes without a receipt."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from map_assets.archive.backends.folder import FolderArchive
from map_assets.archive.backends.protocol import ArchiveNotReady, ReadBack
from map_assets.archive.fixity import read_again
from map_assets.archive.journal import LeasedElsewhere
from map_assets.archive.manifest import keep_the_gone, make_manifest
from map_assets.archive.receipt import receipt_session
from map_assets.archive.removal import watch_quarantine
from map_assets.archive.removal_approval import let_go_on
from map_assets.archive.removal_plan import removable
from map_assets.archive.transfer import transfer_session
from map_assets.archive.verification import verify_session
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.files import FoundFile

sys.path.insert(0, str(Path(__file__).parent))
from removing import SESSION, SHARE, Bench

N_SCHEDULES, N_PARTS = (520, 4) if os.environ.get("MAP_LONG") else (100, 2)  # `make long` runs them all
NAMES = ("a.ap.bin", "run/b.ap.bin", "c.avi", "notes.txt")
ROLES = dict(zip(NAMES, ("spikeglx_bin", "spikeglx_bin", "video", "raw"), strict=True))
names = st.sampled_from(NAMES)
kills = st.just(0) | st.integers(1, 60)
FAST = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


SEEN: Counter[str] = Counter()


class Killed(BaseException):
    """The process is no more: nothing of ours may catch this, and nothing that it does afterwards has any effect."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Let the block be killed at its n-th step on disk or in the database (0: never); fsync costs nothing here."""
    left = step
    rename, unlink, link = Path.rename, Path.unlink, os.link

    def stepped() -> None:
        nonlocal left
        left -= 1
        if step and left <= 0:
            raise Killed

    def after(act: Callable[..., object]) -> Callable[..., object]:
        def stepping(*arguments: object, **more: object) -> object:
            stepped()
            return act(*arguments, **more)

        return stepping

    def in_database(connection: Connection) -> None:
        if not connection.get_execution_options().get("is_reading"):
            stepped()

    patched = pytest.MonkeyPatch()
    patched.setattr(os, "fsync", lambda _: stepped())
    patched.setattr(Path, "rename", after(rename))
    patched.setattr(Path, "unlink", after(unlink))
    patched.setattr(os, "link", after(link))
    event.listen(Engine, "begin", in_database)
    event.listen(Engine, "commit", in_database)
    try:
        yield
    except Killed:
        SEEN["killed"] += 1
    finally:
        patched.undo()
        event.remove(Engine, "begin", in_database)
        event.remove(Engine, "commit", in_database)


class FaultyArchive(FolderArchive):
    """A folder whose next readings fail, and during whose readings another worker may come along."""

    n_faults = 0
    meanwhile: Callable[[], object] | None = None

    def read_back_sha256(self, archive_path: PurePosixPath) -> ReadBack:
        if self.meanwhile is not None:
            other, self.meanwhile = self.meanwhile, None
            other()
        if self.n_faults:
            self.n_faults -= 1
            raise ArchiveNotReady("the archive did not answer") if self.n_faults % 2 else OSError(5, "I/O error")
        return super().read_back_sha256(archive_path)


class Laboratory(RuleBasedStateMachine):
    """One session, and everything that may befall it."""

    @initialize(stage=st.sampled_from(["new", "archived", "approved", "in quarantine", "in quarantine"]))
    def start(self, stage: str) -> None:
        self.work = Path(tempfile.mkdtemp(dir=FAST))
        self.bench = bench = Bench(self.work, now=datetime.now(UTC))
        bench.record({})
        bench.backend = FaultyArchive(bench.archive)
        bench.rules(kill_switch=self.work / "stop")
        self.manifest = None
        self.must: dict[bytes, str] = {}  # bytes that must not be lost, and which file they are of
        self.is_mounted, self.n_written = True, 0
        if stage != "new":
            for name in NAMES:
                self.somebody_writes(name, False)
            self.we_archive(0)
        if stage in {"approved", "in quarantine"}:
            self.time_passes(16)
            self.somebody_approves(True)
        if stage == "in quarantine":
            self.we_remove(0, False)

    def teardown(self) -> None:
        SEEN["schedules"] += 1
        for batch in self.bench.journal.batches(SESSION):
            SEEN.update({str(one.state) for one in self.bench.journal.events(batch.batch)})
        SEEN["kept both"] += any(self.bench.in_quarantine()) and self.bench.on_share() != set()
        self.bench.journal.close()
        self.bench.records.close()
        shutil.rmtree(self.work)

    # -- where bytes are -----------------------------------------------------------------------------------------------
    def everything(self) -> dict[Path, bytes]:
        """What stands on the share, in quarantine and in the archive."""
        found = {}
        for root in (self.bench.root, self.bench.archive, self.work / "aside"):
            for folder, _, names_there in os.walk(root):
                if not folder.endswith((".parts", "receipts")):
                    found |= {Path(folder, name): Path(folder, name).read_bytes() for name in names_there}
        return found

    def places(self, content: bytes) -> list[Path]:
        return [path for path, held in self.everything().items() if held == content]

    def archived(self, content: bytes) -> list[Path]:
        return [path for path in self.places(content) if path.is_relative_to(self.bench.archive)]

    def is_spare(self, path: Path) -> bool:
        """Whether these bytes stand elsewhere too, so that the world may take this copy."""
        content = path.read_bytes()
        return content not in self.must or len(self.places(content)) > 1

    # -- the world -----------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.is_mounted)
    @rule(name=names, keeps_time=st.booleans())
    def somebody_writes(self, name: str, keeps_time: bool) -> None:
        path = self.bench.root / name
        self.n_written += 1
        content = f"{name} {self.n_written:08}".encode() * 3
        if path.exists():
            if not self.is_spare(path):
                if self.archived(path.read_bytes()):
                    return
                self.must.pop(path.read_bytes(), None)  # never archived, and overwritten by its owner
            status = path.stat()
            path.write_bytes(content)
            if keeps_time:
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        else:
            self.bench.write(name, content)
        self.must[content] = name

    @precondition(lambda self: self.is_mounted)
    @rule(data=st.data())
    def somebody_writes_through_an_open_handle(self, data: st.DataObject) -> None:
        kept = sorted(self.bench.in_quarantine())
        if kept:
            path = data.draw(st.sampled_from(kept))
            if not self.archived(path.read_bytes()):
                return
            self.n_written += 1
            content = path.read_bytes()[:-8] + f"{self.n_written:08}".encode()
            with path.open("r+b") as stream:
                stream.write(content)
            self.must[content] = path.name

    @rule(data=st.data(), is_rot=st.booleans())
    def a_copy_rots_or_is_lost(self, data: st.DataObject, is_rot: bool) -> None:
        copies = [path for path in sorted(self.bench.archive.rglob("*")) if path.is_file() and path.suffix != ".json"]
        copies = [path for path in copies if path.parent.name != "receipts" and ".parts" not in path.parts]
        copies = [path for path in copies if self.is_spare(path)]
        if copies:
            path = data.draw(st.sampled_from(copies))
            content = path.read_bytes()
            path.unlink()
            if is_rot:
                path.write_bytes(content[:-1] + b"!")

    @rule(n=st.integers(1, 4))
    def the_archive_does_not_answer(self, n: int) -> None:
        self.bench.backend.n_faults = n

    def a_receipt_is_damaged(self, is_cut: bool) -> None:
        for path in sorted(self.bench.archive.glob("*/receipts/*.json"))[-1:]:
            content = path.read_bytes()
            path.unlink()
            if is_cut:
                path.write_bytes(content[:-10])

    def receipts_are_put_back(self) -> None:
        for path, text in self.bench.journal.kept_receipts(SESSION).items():
            place = self.bench.archive / path
            place.unlink(missing_ok=True)
            place.write_text(text)

    @rule(is_empty_left=st.booleans())
    def the_share_comes_and_goes(self, is_empty_left: bool) -> None:
        aside = self.work / "aside"
        if self.is_mounted:
            self.bench.root.rename(aside)
            if is_empty_left:
                self.bench.root.mkdir()
        else:
            if self.bench.root.exists():
                assert not list(self.bench.root.iterdir())
                self.bench.root.rmdir()
            aside.rename(self.bench.root)
        self.is_mounted = not self.is_mounted

    @rule(days=st.sampled_from([0.5, 3, 8, 16, 40]))
    def time_passes(self, days: float) -> None:
        self.bench.later(days)

    def the_kill_switch_is_turned(self) -> None:
        switch = self.work / "stop"
        if switch.exists():
            switch.unlink()
        else:
            switch.touch()

    @rule(what=st.sampled_from(["receipt lost", "receipt cut", "receipts back", "switch", "switch", "leases"]))
    def the_world_turns(self, what: str) -> None:
        turns = {
            "receipt lost": lambda: self.a_receipt_is_damaged(is_cut=False),
            "receipt cut": lambda: self.a_receipt_is_damaged(is_cut=True),
            "receipts back": self.receipts_are_put_back,
            "switch": self.the_kill_switch_is_turned,
            "leases": self.leases_run_out,
        }
        turns[what]()

    # -- people --------------------------------------------------------------------------------------------------------
    def somebody_approves(self, is_all: bool) -> None:
        with suppress(MapAssetsError):
            plan = removable(self.bench.desk.plan(SESSION, self.bench.now))
            self.bench.approve(None if is_all else plan["path"].to_pylist()[:1])

    def somebody_holds(self) -> None:
        self.bench.records.hold(SESSION, who="chen", why="a paper", now=self.bench.now)

    def somebody_revokes(self) -> None:
        for one in self.bench.records.approvals(SESSION)[-1:]:
            self.bench.records.revoke(one.approval, who="rivera", why="no", now=self.bench.now)

    def somebody_lets_go_on(self) -> None:
        with suppress(LeasedElsewhere):
            let_go_on(self.bench.desk, SESSION, who="chen", why="printed", now=self.bench.now)

    @rule(what=st.sampled_from(["one", "all", "all", "hold", "revoke", "go on", "go on"]))
    def somebody_decides(self, what: str) -> None:
        decisions = {
            "one": lambda: self.somebody_approves(False),
            "all": lambda: self.somebody_approves(True),
            "hold": self.somebody_holds,
            "revoke": self.somebody_revokes,
            "go on": self.somebody_lets_go_on,
        }
        decisions[what]()

    # -- we ------------------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.is_mounted and self.must)
    @rule(kill=kills)
    def we_archive(self, kill: int) -> None:
        bench, found = self.bench, []
        for name in NAMES:
            path = bench.root / name
            if path.exists():
                status, relpath = path.stat(), PurePosixPath(name)
                found.append(FoundFile(SHARE, bench.root, relpath, ROLES[name], status.st_size, status.st_mtime_ns))
        with killed_at(kill), suppress(MapAssetsError, OSError):
            manifest, _ = make_manifest(SESSION, found, workers=1)
            self.manifest = manifest if self.manifest is None else keep_the_gone(manifest, self.manifest)
            roots = {SHARE: bench.root}
            transfer_session(SESSION, self.manifest, roots, bench.backend, bench.journal)
            verify_session(SESSION, self.manifest, roots, bench.backend, bench.journal, workers=1)
            receipt_session(SESSION, self.manifest, bench.backend, bench.journal)

    @rule(kill=kills, has_company=st.booleans())
    def we_remove(self, kill: int, has_company: bool) -> None:
        def other() -> None:
            with pytest.raises(LeasedElsewhere):
                self.bench.remove(actor="another")

        self.bench.backend.meanwhile = other if has_company else None
        with killed_at(kill), suppress(LeasedElsewhere):
            self.bench.remove()
        self.bench.backend.meanwhile = None

    @rule(kill=kills)
    def we_read_again(self, kill: int) -> None:
        bench = self.bench
        with killed_at(kill), suppress(LeasedElsewhere):
            read_again(bench.journal, bench.records, (bench.backend,), 10**9, now=bench.now)
            watch_quarantine(bench.desk, SESSION, bench.roots, actor="daemon", now=bench.now)

    @precondition(lambda self: self.is_mounted)
    @rule(name=names, kill=kills)
    def the_usual_way(self, name: str, kill: int) -> None:
        """Recorded, archived, approved after two weeks, taken away."""
        if not (self.bench.root / name).exists():
            self.somebody_writes(name, False)
        self.leases_run_out()
        self.we_archive(0)
        self.time_passes(16)
        self.somebody_approves(True)
        self.we_remove(kill, False)

    @precondition(lambda self: self.is_mounted)
    @rule(kill=kills)
    def the_grace_ends(self, kill: int) -> None:
        self.time_passes(8)
        self.leases_run_out()
        self.we_remove(kill, False)

    def leases_run_out(self) -> None:
        with self.bench.journal.engine.begin() as connection:
            connection.exec_driver_sql("update archive_leases set until_us = 0")

    # -- what always holds ---------------------------------------------------------------------------------------------
    @invariant()
    def no_byte_is_lost(self) -> None:
        there = set(self.everything().values())
        assert there.issuperset(self.must), {
            name: content for content, name in self.must.items() if content not in there
        }

    @invariant()
    def what_is_gone_went_with_receipt_and_approval(self) -> None:
        bench = self.bench
        with bench.journal.engine.connect() as connection:
            acts = {tuple(row) for row in connection.exec_driver_sql("select batch, file from archive_removal_acts")}
            removed = connection.exec_driver_sql("select count(*) from archive_events where state = 'REMOVED'").scalar()
        if not acts and not removed:
            return
        rows = bench.journal.files(SESSION).to_pylist()
        receipted = "".join(bench.journal.kept_receipts(SESSION).values())
        approved = {name: sha for one in bench.records.approvals(SESSION) for name, sha in one.files.items()}
        by_sha = {hashlib.sha256(content).hexdigest(): content for content in self.must}
        for row in rows:
            name = (row["batch"], row["file"])
            content = by_sha.get(row["sha256"])
            is_gone = content is not None and len(self.archived(content)) == len(self.places(content))
            if row["state"] == "REMOVED" or (is_gone and name in acts):
                assert name in acts
                assert row["sha256"] in receipted and approved[name] == row["sha256"]
                assert row["role"] != "raw"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(N_PARTS))
def test_no_schedule_loses_a_byte_or_removes_without_receipt(part: int) -> None:
    SEEN.clear()
    run_state_machine_as_test(
        seed(part)(Laboratory),
        settings=settings(
            max_examples=N_SCHEDULES // N_PARTS,
            stateful_step_count=18,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    assert SEEN["schedules"] >= N_SCHEDULES // N_PARTS and SEEN["killed"] > SEEN["schedules"] / 8
    for state in ("APPROVED", "REMOVING", "QUARANTINED", "REMOVED", "HELD", "SUSPECT"):
        assert SEEN[state], SEEN
