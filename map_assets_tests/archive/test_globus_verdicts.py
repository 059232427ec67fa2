"""What Globus's answers are taken for, over many answers, and which settings are refused."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from globus_sdk import GlobusConnectionError, TransferAPIError
from globus_sdk.testing import construct_error
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from map_assets.archive.backends.globus_settings import GlobusSettings
from map_assets.archive.backends.globus_verdicts import files_named, judge, refusal
from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, NotInArchive
from map_assets.archive.globus_loopback.start import as_toml, start_loopback

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTS = ("subtasks_failed", "subtasks_expired", "subtasks_canceled", "subtasks_skipped_errors")


def verdict(task: dict[str, Any], events: list[dict[str, Any]] | None = None) -> Any:
    return judge({"task_id": "T", **task}, events or [], NOW, max_faults=3, stuck_s=3600)


@given(
    st.fixed_dictionaries(
        {"status": st.sampled_from(["SUCCEEDED", "FAILED", "ACTIVE", "INACTIVE", "DONE", "", None])},
        optional={
            **{name: st.sampled_from([0, 1, 7, None, "x"]) for name in COUNTS},
            "is_paused": st.booleans(),
            "nice_status": st.sampled_from([None, "OK", "Queued", "PERMISSION_DENIED", "CONNECT_FAILED", "NEW_CODE"]),
            "fatal_error": st.sampled_from([None, {"code": "EXPIRED"}, {"code": "QUOTA_EXCEEDED"}, {}]),
            "canceled_by_admin": st.sampled_from([None, "SOURCE"]),
            "request_time": st.sampled_from(["2026-03-01T11:59:00+00:00", "2026-02-01 00:00:00", "never"]),
        },
    )
)
def test_only_a_task_that_succeeded_and_left_nothing_out_has_succeeded(task: dict[str, Any]) -> None:
    found = verdict(task)
    is_well = task["status"] == "SUCCEEDED" and not any(task.get(name) for name in COUNTS)
    assert (found.state == "succeeded") == is_well
    assert found.is_over == (task["status"] in {"SUCCEEDED", "FAILED"})
    assert found.state != "active" or task["status"] == "ACTIVE"
    assert "T" in found.detail


def test_a_task_that_goes_on_is_not_stuck_and_one_that_does_not_is() -> None:
    def event(code: str, minutes: int, *, is_error: bool) -> dict[str, Any]:
        return {"code": code, "is_error": is_error, "time": (NOW - timedelta(minutes=minutes)).isoformat()}

    task = {"status": "ACTIVE", "nice_status": "CONNECT_FAILED", "request_time": (NOW - timedelta(days=2)).isoformat()}
    assert (
        verdict(task, [event("CONNECT_FAILED", 1, is_error=True), event("PROGRESS", 30, is_error=False)]).state
        == "active"
    )
    assert (
        verdict(task, [event("CONNECT_FAILED", 1, is_error=True), event("PROGRESS", 90, is_error=False)]).state
        == "blocked"
    )
    assert verdict({**task, "nice_status": "OK"}).state == "active"


def test_faults_of_changing_files_are_counted() -> None:
    events = [{"code": "VERIFY_CHECKSUM", "is_error": True}] * 2
    assert not verdict({"status": "ACTIVE"}, events).must_cancel
    assert verdict({"status": "ACTIVE"}, [*events, {"code": "FILE_SIZE_CHANGED", "is_error": True}]).must_cancel
    assert not verdict({"status": "ACTIVE"}, [{"code": "PROGRESS", "is_error": False}] * 9).must_cancel


def test_an_event_names_the_file_of_the_longest_path() -> None:
    paths = {"/rig/a": "a", "/rig/a.bin": "a.bin", "/rig/神": "神"}
    events = [
        {"is_error": True, "code": "ONE", "details": '{"path": "/rig/a.bin"}'},
        {"is_error": True, "code": "TWO", "details": '{"path": "\\/rig\\/\\u795e"}'},
        {"is_error": False, "code": "PROGRESS", "details": "/rig/a"},
    ]
    assert files_named(events, paths) == {"a.bin": "ONE", "神": "TWO"}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ClientError.BadRequest", ArchiveBlocked),
        (401, "AuthenticationFailed", ArchiveBlocked),
        (403, "PermissionDenied", ArchiveBlocked),
        (404, "EndpointNotFound", ArchiveBlocked),
        (404, "ClientError.NotFound", NotInArchive),
        (409, "Conflict", ArchiveBlocked),
        (429, "TooManyRequests", ArchiveNotReady),
        (500, "InternalError", ArchiveNotReady),
        (502, "ExternalError.DirListingFailed.GCDisconnected", ArchiveNotReady),
        (502, "ExternalError.DirListingFailed.PermissionDenied", ArchiveBlocked),
        (503, "ServiceUnavailable", ArchiveNotReady),
    ],
)
def test_a_refusal_is_for_a_person_or_for_later(status: int, code: str, kind: type[Exception]) -> None:
    body = {"code": code, "message": "said\nlong " + "x" * 999, "request_id": "r"}
    error = construct_error(http_status=status, body=body, error_class=TransferAPIError)
    found = refusal(error, "do this", [])
    assert type(found) is kind
    assert "do this" in str(found)
    assert "\n" not in str(found)
    assert len(str(found)) < 600


def test_a_network_that_is_away_is_for_later() -> None:
    found = refusal(GlobusConnectionError("Bearer abc", OSError()), "do this", [])
    assert type(found) is ArchiveNotReady
    assert "abc" not in str(found)


# -- settings ------------------------------------------------------------------------------------------------------------
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
PLAIN = {
    "client_id": "c",
    "shares": {"rig1": {"collection": ONE, "path": "/rig1"}},
    "destination": {"collection": TWO, "path": "/lab//archive/", "mount": "/mnt/archive", "is_mount_writable": True},
}


def test_settings_are_read_and_paths_made_plain() -> None:
    settings = GlobusSettings.model_validate(PLAIN)
    assert settings.destination.path == "/lab/archive"
    assert settings.destination.at("S/a") == "/lab/archive/S/a"
    assert settings.destination.mount == Path("/mnt/archive")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client_secret": "x"}, "extra"),
        ({"shares": {"rig1": {"collection": "rig"}}}, "no UUID"),
        ({"shares": {"rig1": {"collection": ONE, "path": "/~/rig1"}}}, "no absolute path"),
        ({"shares": {"rig1": {"collection": ONE, "path": "/a/../b"}}}, "no absolute path"),
        ({"shares": {"rig1": {"collection": ONE, "path": "rig1"}}}, "no absolute path"),
        ({"shares": {"rig1": {"collection": TWO, "path": "/lab"}}}, "one in the other"),
        ({"shares": {"rig1": {"collection": TWO, "path": "/lab/archive/rig1"}}}, "one in the other"),
        ({"destination": {"collection": TWO}}, "destination.mount"),
        ({"destination": {"collection": TWO, "mount": "/mnt"}}, "outbox"),
        ({"verification": "restore"}, "scratch"),
        ({"algorithm": "CRC32"}, "MD5"),
        ({"loopback": "http://example.org"}, "not on this machine"),
        ({"loopback": "https://127.0.0.1"}, "not on this machine"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GlobusSettings.model_validate({**PLAIN, **change})


def test_a_neighbour_whose_name_begins_alike_is_no_overlap() -> None:
    share = {"collection": TWO, "path": "/lab/archive2"}
    assert GlobusSettings.model_validate({**PLAIN, "shares": {"rig1": share}})


def test_the_settings_of_a_loopback_survive_the_configuration_file(tmp_path: Path) -> None:
    with start_loopback({"rig 1": tmp_path / "rig"}, tmp_path / "archive", tmp_path / "work") as one:
        text = as_toml(one.settings)
        assert GlobusSettings.model_validate(tomllib.loads(text)["archive"]["globus"]) == one.settings
        assert one.secret not in text
