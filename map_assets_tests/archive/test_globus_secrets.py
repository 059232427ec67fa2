"""No secret of the Globus client is ever seen: not in a log, an error, a traceback, the journal's database or a file."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest
from backends_globus import SHARE, Opened, opened

from map_assets.archive.backends.globus import GlobusArchive
from map_assets.archive.backends.globus_settings import SECRET_VARIABLE, read_secret
from map_assets.archive.backends.protocol import Item
from map_assets.archive.globus_loopback.faults import HttpFault
from map_assets.archive.journal import Journal
from map_assets.vocabulary.errors import BadConfiguration, MapAssetsError

SESSION = "SC022_20190228_151010"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Opened]:
    with opened(tmp_path) as one:
        yield one


@pytest.fixture
def item(tmp_path: Path) -> Item:
    source = tmp_path / SHARE / "a.bin"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(b"a" * 1000)
    place = PurePosixPath(SESSION, SHARE, "a.bin")
    return Item(SHARE, PurePosixPath("a.bin"), source, place, 1000, hashlib.sha256(b"a" * 1000).hexdigest())


def hidden(lab: Opened) -> list[str]:
    """What nobody may see, as text and as it is sent."""
    secret, client = os.environ[SECRET_VARIABLE], lab.backend.settings.client_id
    return [secret, base64.b64encode(f"{client}:{secret}".encode()).decode(), *lab.service.tokens]


def told(error: BaseException) -> str:
    """All that a log or an event can show of an error, with every local variable's text but the test's own."""
    below = None if error.__traceback__ is None else error.__traceback__.tb_next
    shown = traceback.TracebackException(type(error), error, below, capture_locals=True)
    return "".join(shown.format()) + repr(error) + str(vars(error))


REFUSALS: tuple[Callable[[str], HttpFault], ...] = (
    lambda echo: HttpFault("(GET|POST) /v0", 400, "BadRequest", echo, n_times=99),
    lambda echo: HttpFault("(GET|POST) /v0", 401, "AuthenticationFailed", echo, n_times=99),
    lambda echo: HttpFault("(GET|POST) /v0", 403, "PermissionDenied", echo, n_times=99),
    lambda echo: HttpFault("(GET|POST) /v0", 500, "Broken", echo, n_times=99),
    lambda echo: HttpFault("(GET|POST) /v0", 0, n_times=99),
    lambda echo: HttpFault("POST /v2/oauth2/token", 401, "invalid_client", echo, n_times=99),
    lambda echo: HttpFault("POST /v2/oauth2/token", 503, "Busy", echo, n_times=99),
)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_error_shows_no_secret_even_where_the_service_echoes_it(
    refusal: Callable[[str], HttpFault], lab: Opened, item: Item, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    lab.backend.new_submission()
    lab.service.faults.add(refusal(f"you sent Bearer {' '.join(hidden(lab))}"))
    lab.service.revoke()
    for backend in (lab.backend, GlobusArchive(lab.backend.settings)):
        with pytest.raises(MapAssetsError) as caught:
            backend.submit("8a7d3c1e-0000-4000-8000-000000000000", [item])
        text = told(caught.value) + caplog.text + repr(backend) + repr(vars(backend)) + repr(backend.settings)
        secrets = hidden(lab)
        assert not [secret for secret in secrets if secret in text]
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_what_is_written_down_holds_no_secret(
    lab: Opened, item: Item, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    journal = Journal(f"sqlite:///{tmp_path}/journal.db")
    row = {
        "share": SHARE, "path": "a.bin", "archive_path": str(item.archive_path), "role": "raw", "size": item.size,
        "sha256": item.sha256, "checks": "", "mtime_ns": 0, "ctime_ns": 0, "device": 0, "inode": 0,
    }  # fmt: skip
    batch = journal.open_batch(SESSION, [row])
    assert batch is not None
    with journal.lease(SESSION) as lease:
        submission = lab.backend.new_submission()
        journal.plan_submission(batch.batch, [0], submission, "globus", lease)
        progress = lab.backend.submit(submission, [item])
        while progress.state == "active":
            journal.note_task(submission, progress.task, progress.detail)
            time.sleep(0.02)
            progress = lab.backend.progress(progress.task, [item])
        journal.settle(submission, progress.state, progress.detail, is_polled=True)
    journal.close()
    assert progress.state == "succeeded"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"journal.db", "canaries.json"} <= {path.name for path in files}
    for secret in hidden(lab):
        assert secret not in caplog.text
        assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert "globus" in caplog.text.lower()


def test_a_secret_may_stand_in_a_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadConfiguration, match=SECRET_VARIABLE):
        read_secret()
    file = tmp_path / "secret"
    monkeypatch.setenv(f"{SECRET_VARIABLE}_FILE", str(file))
    with pytest.raises(BadConfiguration, match="cannot be read"):
        read_secret()
    file.write_text("from-a-file\n")
    assert read_secret() == "from-a-file"
    monkeypatch.setenv(SECRET_VARIABLE, "from-the-environment")
    assert read_secret() == "from-the-environment"
