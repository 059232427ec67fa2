"""A store in a bucket or on a web server answers as the folder does, and fetches no more than it needs."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from urllib.request import Request, urlopen

import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.errors import CannotBeReached, NoSuchSession
from map_assets.analyst.lab import Lab
from map_assets.analyst.objects import open_objects
from map_assets.analyst.remote import FRESH_S, RemoteSource
from map_assets.analyst.source import FolderSource
from map_assets.analyst.standing import Standing
from map_assets.store import Store
from map_assets.vocabulary.errors import BadConfiguration, UnsafePath


@cache
def s3_service() -> str:
    """Start a service of buckets once for the whole run, and return its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    service = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    service.start()
    atexit.register(service.stop)
    host, port = service.get_host_and_port()
    return f"http://{host}:{port}"


def put(url: str, root: Path) -> None:
    """Copy a folder into a bucket."""
    import obstore
    from obstore.store import from_url

    store = from_url(url, client_options={"allow_http": True})
    for path in root.rglob("*"):
        if path.is_file():
            obstore.put(store, path.relative_to(root).as_posix(), path.read_bytes())


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a folder in a bucket of its own."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "id-of-the-test", "AWS_SECRET_ACCESS_KEY": "never-to-be-seen-4711",
        "AWS_ENDPOINT_URL": s3_service(), "AWS_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    name = f"lab-{secrets.token_hex(6)}"
    urlopen(Request(f"{s3_service()}/{name}", method="PUT"), timeout=10).close()
    return f"s3://{name}/some/store"


class Quiet(SimpleHTTPRequestHandler):
    """Counts what it is asked."""

    asked: list[str]

    def log_request(self, code: object = "-", size: object = "-") -> None:
        self.server.asked.append(f"{self.path} {int(code)}")

    def log_error(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(small: ModuleType, tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A web server over a store of its own: its address, the store's root, what it was asked."""
    root = small.build_small_store(tmp_path / "served")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", root, server.asked
    server.shutdown()
    server.server_close()
    thread.join()


def must_be_alike(there: Lab, here: Lab, small: ModuleType) -> None:
    """Hold every kind of answer of one lab against the other's."""
    for name in ("sessions", "trials", "units", "electrodes", "ccf_ontology"):
        assert there.table(name).equals(here.table(name)), name
    assert there.units(region="MOs", quality="good").equals(here.units(region="MOs", quality="good"))
    query = "select session, count(*) as n from trials where outcome = 'hit' group by session order by session"
    assert there.sql(query).equals(here.sql(query))
    assert there.tables().equals(here.tables())
    one, other = there.session(small.WHOLE), here.session(small.WHOLE)
    assert (one.spike_times(1, 7) == other.spike_times(1, 7)).all()
    assert one.psth(1, 7).equals(other.psth(1, 7))
    assert one.figure("behavior_performance").png == other.figure("behavior_performance").png
    assert len(one.nwb().units) == len(other.nwb().units) == 5


def test_a_bucket_answers_as_the_folder_does(bucket: str, store_root: Path, small: ModuleType) -> None:
    put(bucket, store_root)
    there = open_lab(bucket)
    must_be_alike(there, open_lab(store_root), small)
    assert there.root == bucket and bucket in repr(there)


def test_a_web_server_answers_as_the_folder_does(web: tuple[str, Path, list[str]], small: ModuleType) -> None:
    address, root, _ = web
    must_be_alike(open_lab(address), open_lab(root), small)


def test_only_the_files_of_the_session_asked_for_are_fetched(
    web: tuple[str, Path, list[str]], small: ModuleType
) -> None:
    address, _, asked = web
    open_lab(address).session(small.WHOLE).trials()
    assert [line for line in asked if ".parquet" in line] == [f"/tables/trials/{small.WHOLE}.parquet 200"]


def test_what_is_written_later_is_seen_after_a_while_and_what_stands_is_not_fetched_again(
    web: tuple[str, Path, list[str]], small: ModuleType, tmp_path: Path
) -> None:
    address, root, asked = web
    now = [0.0]
    source = RemoteSource(open_objects(address), tmp_path / "cache", lambda: now[0])
    lab = Lab(Standing(source))
    count = "select count(*) as n from licks"
    before = lab.sql(count)["n"][0]
    asked.clear()
    assert lab.sql(count)["n"][0] == before
    assert asked == []
    new = {"trial": [1], "lick_id": [0], "time_s": [0.5], "port": ["left"]}
    small.written(Store(root), small.LICKS, small.WHOLE, new)
    os.utime(root / "tables" / "licks" / f"{small.WHOLE}.parquet", (2e9, 2e9))  # the server tells whole seconds only
    assert lab.sql(count)["n"][0] == before
    now[0] = FRESH_S + 1
    assert lab.sql(count)["n"][0] == before - 76 + 1
    assert sorted(line.rpartition(" ")[2] for line in asked if ".parquet" in line) == ["200", "304", "304"]


def test_a_bucket_is_seen_as_it_stood_and_its_copies_are_kept(bucket: str, small: ModuleType, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.OTHER)
    between = datetime.now(UTC)
    small.write_behavior(store, small.WHOLE)
    put(bucket, store.root)
    then = open_lab(bucket, as_of=between, cache=tmp_path / "kept")
    assert then.sessions()["session"].tolist() == [small.OTHER]
    assert then.sql("select distinct session from trials")["session"].tolist() == [small.OTHER]
    with pytest.raises(NoSuchSession):
        then.session(small.WHOLE)
    copies = sorted(path for path in (tmp_path / "kept").rglob("*.parquet"))
    stamps = [path.stat().st_mtime_ns for path in copies]
    assert len(open_lab(bucket, as_of=between, cache=tmp_path / "kept").table("trials")) == 39
    assert [path.stat().st_mtime_ns for path in copies] == stamps and len(copies) == 2


def test_copies_of_this_process_go_with_it(web: tuple[str, Path, list[str]]) -> None:
    lab = open_lab(web[0])
    lab.sessions()
    (folder,) = lab._standing.source.readable
    assert folder.is_dir()
    del lab
    assert not folder.exists()


@pytest.mark.parametrize("url", ["ftp://host/x", "https:///x", "file:///etc"])
def test_another_kind_of_address_is_refused(url: str) -> None:
    with pytest.raises(BadConfiguration, match="no store that can be read"):
        open_lab(url)


def test_no_key_is_taken_from_an_address_nor_shown(bucket: str) -> None:
    with pytest.raises(BadConfiguration, match="environment") as refused:
        open_lab("https://me:topsecret@host/x")
    assert "topsecret" not in str(refused.value)
    missing = bucket.replace("lab-", "gone-")
    with pytest.raises(CannotBeReached) as unreached:
        open_lab(missing).sessions()
    assert "4711" not in str(unreached.value) and missing in str(unreached.value)


def test_a_server_that_is_not_there_or_lists_nothing_is_told_in_words(web: tuple[str, Path, list[str]]) -> None:
    with pytest.raises(CannotBeReached, match="does not answer"):
        open_lab("http://127.0.0.1:9/x").sessions()
    address, root, _ = web
    (root / "tables" / "sessions" / "index.html").write_text("<p>no links here</p>")
    assert len(open_lab(address).sessions()) == 0


def test_a_path_never_leaves_the_store(web: tuple[str, Path, list[str]], store_root: Path) -> None:
    for source in (RemoteSource(open_objects(web[0])), FolderSource(store_root)):
        standing = Standing(source)
        for path in ("../secret", "/etc/hostname", "files/../../x"):
            with pytest.raises(UnsafePath):
                standing.file(path)
