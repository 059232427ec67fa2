"""The archive in a bucket: write-once without locks, refusals in words, keys in none of them."""

from __future__ import annotations

import hashlib
import logging
import os
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Barrier, Thread

import pytest
from backends_under_test import S3_KEYS, s3

from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, Item
from map_assets.archive.backends.s3 import S3Archive
from map_assets.archive.backends.s3_settings import S3Settings
from map_assets.vocabulary.errors import ArchiveConflict, BadConfiguration, ChangedWhileRead, MapAssetsError

PLACE = PurePosixPath("SC022_20190228_151010/rig1/run/a.bin")
LARGE = 6_000_000


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[S3Archive]:
    with s3(tmp_path) as opened:
        assert isinstance(opened.backend, S3Archive)
        yield opened.backend


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Item]:
    def made(content: bytes, place: PurePosixPath = PLACE) -> Item:
        source = tmp_path / hashlib.sha256(content).hexdigest()
        source.write_bytes(content)
        return Item("rig1", PurePosixPath(source.name), source, place, len(content), source.name)

    return made


def keys_of(archive: S3Archive) -> list[str]:
    return [str(path) for path, _ in archive._bucket.entries(PurePosixPath())]


@pytest.mark.parametrize("sizes", [(200_000,) * 6, (LARGE,) * 4, (LARGE, 20, LARGE + 1, 30)])
def test_of_many_writers_of_one_name_at_most_one_wins_and_the_others_are_told(
    sizes: tuple[int, ...], archive: S3Archive, made: Callable[..., Item]
) -> None:
    items = [made(bytes([n]) * size) for n, size in enumerate(sizes)]
    start = Barrier(len(items))

    def attempt(item: Item) -> str | None:
        start.wait()
        done = archive.submit(archive.new_submission(), [item])
        assert all(isinstance(error, ArchiveConflict) for error in done.failed.values())
        return None if done.failed else item.sha256

    with ThreadPoolExecutor(len(items)) as pool:
        winners = [sha256 for sha256 in pool.map(attempt, items) if sha256]
    assert len(winners) <= 1
    if winners:
        assert winners == [archive.read_back_sha256(PLACE).sha256]
    assert not [key for key in keys_of(archive) if key.startswith(".claims")]


def test_a_claim_of_the_same_bytes_is_no_hindrance_and_goes(archive: S3Archive, made: Callable[..., Item]) -> None:
    item = made(os.urandom(LARGE))
    archive._claims.take(PLACE, item.sha256)
    assert archive.submit("after a kill", [item]).state == "succeeded"
    assert keys_of(archive) == [str(PLACE)]


def test_a_claim_of_other_bytes_is_a_conflict_for_large_and_small(
    archive: S3Archive, made: Callable[..., Item]
) -> None:
    claim = archive._claims.take(PLACE, "0" * 64)
    for size in (LARGE, 20):
        done = archive.submit("s", [made(os.urandom(size)), made(b"its neighbour", PLACE.with_name("b"))])
        assert list(done.failed) == [str(PLACE)] and str(claim) in str(done.failed[str(PLACE)])
    assert sum(key.startswith(".claims") for key in keys_of(archive)) == 1
    assert PurePosixPath(str(claim)) not in dict(archive.listing(PurePosixPath()))


def test_a_source_that_changes_at_the_end_of_a_large_upload_leaves_nothing(
    archive: S3Archive, made: Callable[..., Item]
) -> None:
    item = made(os.urandom(LARGE))
    item = item._replace(sha256="f" * 64)
    assert isinstance(archive.submit("s", [item]).failed[str(PLACE)], ChangedWhileRead)
    assert keys_of(archive) == []


def test_a_damaged_object_too_large_for_the_service_to_copy_is_set_aside_all_the_same(
    archive: S3Archive, made: Callable[..., Item]
) -> None:
    item = made(os.urandom(LARGE))
    archive.submit("s", [item])
    archive.copy_bytes = 1000
    aside = archive.set_aside(PLACE)
    assert archive.read_back_sha256(aside).sha256 == item.sha256
    assert keys_of(archive) == [str(aside)]


def test_what_the_attributes_say_is_not_believed(archive: S3Archive, made: Callable[..., Item]) -> None:
    item = made(b"as hashed")
    archive._bucket.create(PLACE, b"corrupted", item.sha256)
    assert isinstance(archive.submit("s", [item]).failed[str(PLACE)], ArchiveConflict)
    assert archive.read_back_sha256(PLACE).sha256 == hashlib.sha256(b"corrupted").hexdigest()


def test_a_missing_bucket_is_not_a_missing_file(archive: S3Archive, made: Callable[..., Item]) -> None:
    settings = archive._bucket.settings
    gone = S3Archive(S3Settings("no-such-bucket", "", settings.endpoint), retries=0)
    for ask in (gone.stat, lambda path: list(gone.listing(path)), gone.read_back_sha256):
        with pytest.raises(ArchiveBlocked, match="NoSuchBucket"):
            ask(PLACE)
    done = gone.submit("s", [made(b"x")])
    assert (done.state, type(done.failed[str(PLACE)])) == ("blocked", ArchiveBlocked)


def test_without_keys_in_the_environment_a_person_is_asked(
    archive: S3Archive, made: Callable[..., Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in S3_KEYS:
        monkeypatch.delenv(name)
    asked = S3Archive(archive._bucket.settings)
    with pytest.raises(ArchiveBlocked, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        asked.stat(PLACE)
    assert asked.submit("s", [made(b"x")]).state == "blocked"


def test_a_service_that_is_not_there_is_asked_a_few_times_and_not_for_each_file(
    archive: S3Archive, made: Callable[..., Item]
) -> None:
    away = S3Archive(S3Settings("lab", "", "http://127.0.0.1:9"), retries=0)
    with pytest.raises(ArchiveNotReady, match="no answer"):
        away.stat(PLACE)
    with pytest.raises(ArchiveNotReady):
        away.submit("s", [made(b"%d" % n, PLACE.with_name(str(n))) for n in range(50)])


REFUSALS = [
    (403, "AccessDenied", ArchiveBlocked),
    (403, "InvalidAccessKeyId", ArchiveBlocked),
    (403, "SignatureDoesNotMatch", ArchiveBlocked),
    (400, "ExpiredToken", ArchiveBlocked),
    (507, "XMinioStorageFull", ArchiveBlocked),
    (403, "QuotaExceeded", ArchiveBlocked),
    (500, "InternalError", ArchiveNotReady),
    (503, "SlowDown", ArchiveNotReady),
    (429, "TooManyRequests", ArchiveNotReady),
    (400, "BadDigest", ArchiveNotReady),
]


@contextmanager
def refusing(status: int, code: str) -> Iterator[tuple[str, list[str]]]:
    """A service that refuses everything, and repeats in its answer what it was sent."""
    heard: list[str] = []

    class Refusal(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            heard.append(self.command)
            reply = f"<Error><Code>{code}</Code><Message>{self.headers} {S3_KEYS}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = refuse

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    service = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    thread = Thread(target=service.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{service.server_port}", heard
    finally:
        service.shutdown()
        service.server_close()


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
def test_a_refusal_is_said_with_its_code_and_without_keys(
    status: int,
    code: str,
    kind: type[MapAssetsError],
    made: Callable[..., Item],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    with refusing(status, code) as (endpoint, heard):
        archive = S3Archive(S3Settings("lab", "", endpoint), retries=1)
        items = [made(b"%d" % n, PLACE.with_name(str(n))) for n in range(20)]
        with pytest.raises(kind, match=rf"{code}|{status}") as said:
            archive.put_receipt(PLACE, b"{}")
        assert len(heard) <= 2
        texts = ["".join(traceback.format_exception(said.value)), repr(archive.__dict__)]
        try:
            done = archive.submit("s", items)
            texts += [str(error) for error in done.failed.values()]
            assert (done.state, len(done.failed)) == ("blocked", 20)
        except MapAssetsError as error:
            texts += traceback.format_exception(error)
            assert isinstance(error, kind)
        assert len(heard) < 20
    for text in [*texts, caplog.text]:
        assert not any(secret in text for secret in S3_KEYS.values())
        assert "Signature=" not in text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"bucket": ""}, "bucket"),
        ({"bucket": "lab/raw"}, "bucket"),
        ({"bucket": "lab", "prefix": "/raw"}, "prefix"),
        ({"bucket": "lab", "prefix": "raw/../.."}, "prefix"),
        ({"bucket": "lab", "endpoint": "store.lab.org"}, "endpoint"),
        ({"bucket": "lab", "endpoint": "https://me:tiger7@store.lab.org"}, "environment"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(values: dict[str, str], told: str) -> None:
    with pytest.raises(BadConfiguration, match=told) as refused:
        S3Settings(**values)
    assert "tiger7" not in str(refused.value)


def test_where_the_archive_is_can_be_quoted() -> None:
    assert S3Settings("lab", "raw", "https://store.lab.org").location == "https://store.lab.org/lab/raw"
    assert S3Settings("lab").location == "s3://lab"
