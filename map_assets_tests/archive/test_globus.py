"""What an archive that Globus fills does when files, tasks and people go wrong; the service on 127.0.0.1 lets them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest
from backends_globus import SHARE, Opened, opened

from map_assets.archive.backends import globus_errands
from map_assets.archive.backends.globus import GlobusArchive
from map_assets.archive.backends.globus_ends import TransferFailed
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, Item, Progress
from map_assets.archive.backends.question import asking
from map_assets.archive.globus_loopback.faults import FileFault, HttpFault, TaskFault
from map_assets.vocabulary.errors import ArchiveConflict, ChangedWhileRead, UnreadableFile

Moved = Callable[..., Progress]
SESSION = PurePosixPath("SC022_20190228_151010")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Opened]:
    """An archive that has proved its checksums, and the service that fills it."""
    with opened(tmp_path, has_canary=False) as one:
        yield one


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """Three files of one session."""
    return [made(tmp_path, f"run/{name}", os.urandom(5000)) for name in ("a.bin", "ab.bin", "神経 'x'.bin")]


def made(work: Path, path: str, content: bytes) -> Item:
    source = work / SHARE / path
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(content)
    return Item(
        SHARE, PurePosixPath(path), source, SESSION / SHARE / path, len(content), hashlib.sha256(content).hexdigest()
    )


def there(backend: GlobusArchive, items: list[Item]) -> list[bool]:
    """Whether each item is in the archive with its bytes."""
    return [
        backend.stat(item.archive_path) is not None
        and backend.read_back_sha256(item.archive_path).sha256 == item.sha256
        for item in items
    ]


def submitted(lab: Opened, items: list[Item]) -> Progress:
    """Ask for files and look once, shortly after."""
    progress = lab.backend.submit(lab.backend.new_submission(), items)
    assert progress.state == "active"
    time.sleep(0.1)
    return lab.backend.progress(progress.task, items)


# -- files that go wrong -----------------------------------------------------------------------------------------------
def test_a_byte_turned_on_the_way_fails_its_file_alone_and_the_next_try_heals_it(
    lab: Opened, items: list[Item], moved: Moved
) -> None:
    lab.service.faults.add(FileFault("corrupt", "/ab"))
    done = moved(lab.backend, items)
    assert done.state == "failed"
    assert isinstance(done.failed[str(items[1].archive_path)], TransferFailed)
    assert list(done.failed) == [str(items[1].archive_path)]
    assert there(lab.backend, items) == [True, False, False]  # the task ended before it came to the third
    assert moved(lab.backend, items).state == "succeeded"
    assert there(lab.backend, items) == [True] * 3


def test_without_external_checksums_globus_sends_a_corrupt_file_again_by_itself(
    tmp_path: Path, items: list[Item], moved: Moved
) -> None:
    with opened(tmp_path, algorithm="MD5") as lab:
        lab.service.faults.add(FileFault("corrupt", "/ab", n_times=2))
        done = moved(lab.backend, items)
        assert (done.state, done.faults) == ("succeeded", 2)
        assert there(lab.backend, items) == [True] * 3


def test_a_lie_of_the_mover_is_found_when_the_copy_is_read_and_the_copy_set_aside(
    lab: Opened, items: list[Item], moved: Moved
) -> None:
    lab.service.faults.add(FileFault("corrupt_quietly", "/a.bin"))
    assert moved(lab.backend, items).state == "succeeded"
    assert there(lab.backend, items) == [False, True, True]
    aside = lab.backend.set_aside(items[0].archive_path)
    assert ".BAD-" in aside.name
    assert lab.backend.stat(aside) == 5000
    assert moved(lab.backend, items).state == "succeeded"
    assert there(lab.backend, items) == [True] * 3


@pytest.mark.parametrize("trouble", ["truncate_quietly", "skip_quietly"])
def test_success_is_not_believed_of_a_file_that_is_not_there_whole(
    trouble: str, lab: Opened, items: list[Item], moved: Moved
) -> None:
    lab.service.faults.add(FileFault(trouble, "/ab"))
    done = moved(lab.backend, items)
    assert done.state == "succeeded"
    assert list(done.failed) == [str(items[1].archive_path)]
    assert there(lab.backend, items) == [True, False, True]


def test_a_task_that_left_files_out_has_not_succeeded_and_names_them(
    lab: Opened, items: list[Item], moved: Moved
) -> None:
    lab.service.faults.add(FileFault("left_out", "/ab"))
    done = moved(lab.backend, items)
    assert done.state == "failed"
    assert isinstance(done.failed[str(items[1].archive_path)], ArchiveBlocked)
    assert there(lab.backend, items) == [True, False, True]


def test_a_file_that_globus_found_there_and_does_not_list_is_taken_by_its_own_bytes(
    lab: Opened, items: list[Item], moved: Moved, tmp_path: Path
) -> None:
    progress = submitted(lab, items)
    lab.service.faults.add(HttpFault(r"GET .*/successful_transfers", 404, "ClientError.NotFound", n_times=9))
    again = lab.backend.submit(lab.backend.new_submission(), items)
    assert again.state == "succeeded"
    assert not again.failed
    assert progress.state == "succeeded"


def test_a_source_that_vanishes_is_lost_before_it_was_archived_and_not_removed(
    lab: Opened, items: list[Item], moved: Moved
) -> None:
    lab.service.faults.add(TaskFault("hold"))
    progress = lab.backend.submit(lab.backend.new_submission(), items)
    items[1].source.unlink()
    lab.service.release()
    done = wait(lab, progress, items)
    assert done.state == "failed"
    assert isinstance(done.failed[str(items[1].archive_path)], UnreadableFile)
    assert "not in the archive" in str(done.failed[str(items[1].archive_path)])


def test_a_source_that_changes_on_the_way_is_told_from_a_bad_way(lab: Opened, items: list[Item]) -> None:
    lab.service.faults.add(TaskFault("hold"))
    progress = lab.backend.submit(lab.backend.new_submission(), items)
    items[1].source.write_bytes(os.urandom(5000))
    lab.service.release()
    done = wait(lab, progress, items)
    assert isinstance(done.failed[str(items[1].archive_path)], ChangedWhileRead)
    assert lab.backend.stat(items[1].archive_path) is None


def test_a_full_archive_needs_a_person_and_says_how_much_room_there_is(
    lab: Opened, items: list[Item], moved: Moved
) -> None:
    lab.service.faults.add(FileFault("quota", "/ab"))
    done = moved(lab.backend, items)
    assert done.state == "blocked"
    assert "bytes are free" in done.detail
    assert "make room" in done.detail
    assert there(lab.backend, items) == [True, False, False]


def test_a_file_that_never_stands_still_is_cancelled_after_so_many_faults(tmp_path: Path, items: list[Item]) -> None:
    with opened(tmp_path, has_canary=False, max_faults=5) as lab:
        lab.service.faults.add(FileFault("changing", "/ab", n_times=10**9))
        done = wait(lab, lab.backend.submit(lab.backend.new_submission(), items), items)
        assert done.state == "failed"
        assert isinstance(done.failed[str(items[1].archive_path)], ChangedWhileRead)
        assert there(lab.backend, items) == [True, False, False]


def test_nothing_of_a_failed_task_is_left_under_any_name(
    lab: Opened, items: list[Item], tmp_path: Path, moved: Moved
) -> None:
    lab.service.faults.add(FileFault("corrupt", "/ab"))
    moved(lab.backend, items)
    assert not list((tmp_path / "archive/.parts").iterdir())


def test_a_name_that_came_to_be_meanwhile_is_not_overwritten(lab: Opened, items: list[Item], tmp_path: Path) -> None:
    lab.service.faults.add(TaskFault("hold"))
    progress = lab.backend.submit(lab.backend.new_submission(), items)
    rival = tmp_path / "archive" / items[0].archive_path
    rival.parent.mkdir(parents=True)
    rival.write_bytes(b"rival")
    lab.service.release()
    done = wait(lab, progress, items)
    assert isinstance(done.failed[str(items[0].archive_path)], ArchiveConflict)
    assert rival.read_bytes() == b"rival"
    assert there(lab.backend, items[1:]) == [True, True]


# -- tasks that go wrong -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("trouble", "todo"), [("inactive", "renew"), ("paused", "administrator"), ("disconnected", "stood still")]
)
def test_a_task_that_stands_still_needs_a_person_and_is_never_well(
    trouble: str, todo: str, tmp_path: Path, items: list[Item]
) -> None:
    with opened(tmp_path, has_canary=False, stuck_s=0) as lab:
        lab.service.faults.add(TaskFault(trouble))
        done = submitted(lab, items)
        assert done.state == "blocked"
        assert todo in done.detail
        lab.backend.cancel(done.task)
        assert there(lab.backend, items) == [False] * 3


def test_an_endpoint_that_is_away_for_a_while_is_waited_for(lab: Opened, items: list[Item]) -> None:
    lab.service.faults.add(TaskFault("disconnected"))
    progress = submitted(lab, items)
    assert progress.state == "active"
    assert "GC_NOT_CONNECTED" in progress.detail
    lab.service.release()
    assert wait(lab, progress, items).state == "succeeded"


@pytest.mark.parametrize(("trouble", "state"), [("expired", "failed"), ("canceled_by_admin", "blocked")])
def test_a_task_that_was_ended_is_not_well(
    trouble: str, state: str, lab: Opened, items: list[Item], moved: Moved
) -> None:
    lab.service.faults.add(TaskFault(trouble))
    assert moved(lab.backend, items).state == state
    assert there(lab.backend, items) == [False] * 3


def test_a_task_that_runs_is_cancelled_on_demand(lab: Opened, items: list[Item]) -> None:
    lab.service.faults.add(TaskFault("hold"))
    progress = lab.backend.submit(lab.backend.new_submission(), items)
    lab.backend.cancel(progress.task)
    done = wait(lab, progress, items)
    assert done.state == "failed"
    assert "CANCELED" in done.detail


# -- requests that go wrong --------------------------------------------------------------------------------------------
def test_a_reply_that_is_lost_makes_no_second_task(lab: Opened, items: list[Item], moved: Moved) -> None:
    lab.service.faults.add(HttpFault(r"POST /v0\.10/transfer", is_after=True))
    assert moved(lab.backend, items).state == "succeeded"
    assert len(lab.service.transfers()) == 1
    assert lab.service.n_asked(r"POST /v0\.10/transfer") == 2


@pytest.mark.parametrize("is_after", [False, True])
def test_a_process_killed_around_the_post_finds_one_task_under_the_same_submission(
    is_after: bool, lab: Opened, items: list[Item]
) -> None:
    submission = lab.backend.new_submission()
    lab.service.faults.add(HttpFault(r"POST /v0\.10/transfer", is_after=is_after, n_times=3))  # killed: no reply seen
    with pytest.raises(ArchiveNotReady):
        lab.backend.submit(submission, items)
    assert len(lab.service.transfers()) == int(is_after)
    reborn = GlobusArchive(lab.backend.settings)
    done = wait(lab, reborn.submit(submission, items), items)
    assert done.state == "succeeded"
    assert len(lab.service.transfers()) == 1


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {"Retry-After": "Wed, 21 Oct 2037 07:28:00 GMT"}, {}])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_service_that_is_busy_is_asked_a_few_times_and_later_again(
    status: int, headers: dict[str, str], lab: Opened, items: list[Item]
) -> None:
    submission = lab.backend.new_submission()
    lab.service.faults.add(HttpFault(r"POST /v0\.10/transfer", status, headers=headers, n_times=10))
    begun = time.monotonic()
    with pytest.raises(ArchiveNotReady, match="tried again later"):
        lab.backend.submit(submission, items)
    assert lab.service.n_asked(r"POST /v0\.10/transfer") == 3
    assert time.monotonic() - begun < 2
    lab.service.faults.clear()
    assert wait(lab, lab.backend.submit(submission, items), items).state == "succeeded"


def test_a_busy_moment_is_passed_over(lab: Opened, items: list[Item], moved: Moved) -> None:
    lab.service.faults.add(HttpFault("GET", 503, n_times=2), HttpFault("POST", 429, n_times=2))
    assert moved(lab.backend, items).state == "succeeded"


def test_a_token_that_expired_is_made_anew(lab: Opened, items: list[Item], moved: Moved) -> None:
    moved(lab.backend, items[:1])
    lab.service.revoke()
    assert moved(lab.backend, items).state == "succeeded"
    assert lab.service.n_asked("POST /v2/oauth2/token") == 2


def test_a_client_that_is_refused_needs_a_person_and_is_tried_once(lab: Opened, items: list[Item]) -> None:
    lab.service.faults.add(HttpFault(r"GET /v0\.10/submission_id", 401, "AuthenticationFailed", n_times=9))
    with pytest.raises(ArchiveBlocked, match="refused twice"):
        lab.backend.new_submission()
    assert lab.service.n_asked(r"GET /v0\.10/submission_id") == 2  # once more, with a new token


def test_a_wrong_secret_needs_a_person(lab: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAP_ASSETS_GLOBUS_SECRET", "not-the-secret")
    with pytest.raises(ArchiveBlocked, match="client's secret") as caught:
        lab.backend.new_submission()
    assert "not-the-secret" not in str(caught.value)


def test_a_mapped_collection_is_used_with_the_consent_that_it_asks_for(
    tmp_path: Path, items: list[Item], moved: Moved
) -> None:
    mapped = {"entity_type": "GCSv5_mapped_collection"}
    with opened(tmp_path, changed={SHARE: mapped, "archive": mapped}) as lab:
        assert moved(lab.backend, items).state == "succeeded"
        assert there(lab.backend, items) == [True] * 3


def test_a_consent_that_is_missing_is_named(lab: Opened, items: list[Item]) -> None:
    scope = {"required_scopes": ["urn:transfer:all[*x/data_access]"]}
    lab.service.faults.add(HttpFault(r"POST /v0\.10/transfer", 403, "ConsentRequired", extra=scope))
    with pytest.raises(ArchiveBlocked, match=r"consent urn:transfer:all\[\*x/data_access\]"):
        lab.backend.submit(lab.backend.new_submission(), items)
    assert lab.service.n_asked(r"POST /v0\.10/transfer") == 1


def test_a_collection_of_high_assurance_is_for_people(tmp_path: Path, items: list[Item]) -> None:
    with (
        opened(tmp_path, changed={"archive": {"high_assurance": True}}) as lab,
        pytest.raises(ArchiveBlocked, match="high assurance"),
    ):
        lab.backend.submit(lab.backend.new_submission(), items)


def test_a_share_without_a_collection_is_named(lab: Opened, items: list[Item]) -> None:
    with pytest.raises(ArchiveBlocked, match="does not name share 'rig9'"):
        lab.backend.submit(lab.backend.new_submission(), [items[0]._replace(share="rig9")])


# -- proof before more is sent -----------------------------------------------------------------------------------------
def test_checksums_are_proved_once_a_day_for_each_pair(tmp_path: Path, items: list[Item], moved: Moved) -> None:
    with opened(tmp_path) as lab:
        moved(lab.backend, items[:2])
        assert len(lab.service.transfers()) == 3
        moved(GlobusArchive(lab.backend.settings), items)
        assert len(lab.service.transfers()) == 4


def test_collections_that_do_not_check_get_nothing(tmp_path: Path, items: list[Item]) -> None:
    with opened(tmp_path, changed={"archive": {"is_checking": False}}) as lab:
        with pytest.raises(ArchiveBlocked, match="do not check"):
            lab.backend.submit(lab.backend.new_submission(), items)
        assert there(lab.backend, items) == [False] * 3


def test_collections_that_know_no_sha256_are_named_and_md5_is_a_persons_choice(
    tmp_path: Path, items: list[Item], moved: Moved
) -> None:
    old = {"archive": {"algorithms": ("MD5",)}}
    with opened(tmp_path, changed=old) as lab, pytest.raises(ArchiveBlocked, match="algorithm = 'MD5'"):
        lab.backend.submit(lab.backend.new_submission(), items)
    with opened(tmp_path, changed=old, algorithm="MD5") as lab:
        assert moved(lab.backend, items).state == "succeeded"


# -- the mount ---------------------------------------------------------------------------------------------------------
def test_an_empty_mount_point_is_no_empty_archive(lab: Opened, items: list[Item], moved: Moved, tmp_path: Path) -> None:
    moved(lab.backend, items)
    empty = tmp_path / "mount"
    empty.mkdir()
    with pytest.raises(ArchiveNotReady, match="not mounted"):
        mounted_at(lab, empty).stat(items[0].archive_path)
    (empty / "other share").mkdir()
    with pytest.raises(ArchiveNotReady, match="another folder"):
        mounted_at(lab, empty).read_back_sha256(items[0].archive_path)
    with pytest.raises(ArchiveNotReady, match="mount it"):
        mounted_at(lab, tmp_path / "nowhere").put_receipt(SESSION / "receipts/a.json", b"{}")
    assert not (tmp_path / "nowhere").exists()


def test_an_archive_that_is_mounted_is_read_while_globus_is_away(lab: Opened, items: list[Item], moved: Moved) -> None:
    moved(lab.backend, items)
    lab.service.faults.add(HttpFault("(GET|POST)", 503, n_times=10**9))
    fresh = GlobusArchive(lab.backend.settings)
    assert there(fresh, items) == [True] * 3


def test_a_read_only_mount_is_read_and_globus_gives_the_names(tmp_path: Path, items: list[Item], moved: Moved) -> None:
    with opened(tmp_path) as lab:
        place = lab.backend.settings.destination.model_copy(update={"is_mount_writable": False})
        backend = GlobusArchive(lab.backend.settings.model_copy(update={"destination": place}))
        assert moved(backend, items).state == "succeeded"
        assert there(backend, items) == [True] * 3
        assert lab.service.n_asked(r"POST .*/rename") == 3
        backend.put_receipt(SESSION / "receipts/a.json", b"{}")
        assert backend.read_receipt(SESSION / "receipts/a.json") == b"{}"


def test_a_rename_whose_reply_is_lost_was_made(tmp_path: Path, items: list[Item], moved: Moved) -> None:
    with opened(tmp_path, "restore") as lab:
        lab.service.faults.add(HttpFault(r"POST .*/(rename|mkdir)", is_after=True, n_times=4))
        assert moved(lab.backend, items).state == "succeeded"
        assert there(lab.backend, items) == [True] * 3


def test_a_copy_that_takes_long_to_come_back_is_found_by_the_next_call_that_asks_the_same(
    tmp_path: Path, items: list[Item], moved: Moved
) -> None:
    with opened(tmp_path, "restore", has_canary=False, wait_s=0.0) as lab:
        moved(lab.backend, items)
        lab.service.faults.add(TaskFault("hold"))
        with pytest.raises(ArchiveNotReady, match="still under way"), asking("verification"):
            lab.backend.read_back_sha256(items[0].archive_path)
        lab.service.release()
        time.sleep(0.1)
        reborn = GlobusArchive(lab.backend.settings)
        with asking("verification"):
            assert reborn.read_back_sha256(items[0].archive_path).sha256 == items[0].sha256
        assert len(lab.service.transfers()) == 2
        assert not list((tmp_path / "globus/scratch").iterdir())


@pytest.mark.parametrize("asked", ["removal", "", "fixity, and long ago"])
def test_what_left_the_archive_before_it_was_asked_for_is_no_answer(
    tmp_path: Path, items: list[Item], moved: Moved, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = items[0].archive_path
    with opened(tmp_path, "restore", has_canary=False, wait_s=0.0) as lab:
        moved(lab.backend, items)
        lab.service.faults.add(TaskFault("hold"))
        before = asked or "fixity"
        with (
            pytest.raises(ArchiveNotReady, match="still under way"),
            asking("fixity" if asked == "removal" else before),
        ):
            lab.backend.read_back_sha256(place)
        lab.service.release()
        time.sleep(0.2)
        lab.damage(place, b"X" * items[0].size)
        if asked.startswith("fixity"):
            monkeypatch.setattr(globus_errands, "_STANDS_FOR_S", 0.1)
        patient = GlobusArchive(lab.backend.settings.model_copy(update={"wait_s": 10.0}))
        with asking(asked):
            held = patient.read_back_sha256(place)
        assert (held.size, held.sha256) == (items[0].size, hashlib.sha256(b"X" * items[0].size).hexdigest())
        if asked.startswith("fixity"):
            assert not list((tmp_path / "globus/scratch").iterdir())


def test_what_was_brought_back_and_never_asked_for_again_is_cleared_away(
    tmp_path: Path, items: list[Item], moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, "restore", has_canary=False, wait_s=0.0) as lab:
        moved(lab.backend, items)
        lab.service.faults.add(TaskFault("hold"))
        with pytest.raises(ArchiveNotReady, match="still under way"), asking("fixity"):
            lab.backend.read_back_sha256(items[0].archive_path)
        lab.service.release()
        time.sleep(0.2)
        assert len(list((tmp_path / "globus/scratch").iterdir())) == 1
        monkeypatch.setattr(globus_errands, "_FORGOTTEN_AFTER_S", 0.1)
        patient = GlobusArchive(lab.backend.settings.model_copy(update={"wait_s": 10.0}))
        patient.read_back_sha256(items[1].archive_path)
        assert not list((tmp_path / "globus/scratch").iterdir())


# -- more than one collection ------------------------------------------------------------------------------------------
def test_a_submission_over_two_collections_is_two_tasks(tmp_path: Path, moved: Moved) -> None:
    from map_assets.archive.globus_loopback.start import start_loopback

    rig, videos = made(tmp_path, "a", b"rig1"), made(tmp_path, "../videos/a", b"videos")
    items = [rig, videos._replace(share="videos", path=PurePosixPath("a"), archive_path=SESSION / "videos/a")]
    shares = {share: tmp_path / share for share in ("rig1", "videos")}
    with start_loopback(shares, tmp_path / "archive", tmp_path / "globus", has_canary=False) as one:
        backend = GlobusArchive(one.settings)
        one.service.faults.add(FileFault("missing", "a"))
        assert moved(backend, items).state == "failed"
        assert moved(backend, items).state == "succeeded"
        assert there(backend, items) == [True, True]


def mounted_at(lab: Opened, folder: Path) -> GlobusArchive:
    place = lab.backend.settings.destination.model_copy(update={"mount": folder})
    return GlobusArchive(lab.backend.settings.model_copy(update={"destination": place}))


def wait(lab: Opened, progress: Progress, items: list[Item]) -> Progress:
    """Look until it has ended, at most ten seconds."""
    end = time.monotonic() + 10
    while progress.state == "active" and time.monotonic() < end:
        time.sleep(0.02)
        progress = lab.backend.progress(progress.task, items)
    return progress
