"""Sessions reach a DANDI archive whole and under names that stay, or somebody is told. The archive is a real server on this machine, the client DANDI's own."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
from publishing_laboratory import BEHAVIOR_ONLY, INPUTS, SESSIONS, WITH_PROBE

from map_assets.publication.about import About
from map_assets.publication.dandi_record import exports, record_export
from map_assets.publication.dandi_upload import upload
from map_assets.publication.dandiset import Layout, check_layout, lay_out, plan_layout
from map_assets.publication.errors import DandiConflict, DigestDiffers, NotPublishable, ServiceFailed
from map_assets.publication.frozen import plain_label
from map_assets.publication.loopback_dandi import Faults, LoopbackDandi
from map_assets.publication.tables import DANDI_ASSETS
from map_assets.store import Store

KEY = "a-key-that-nobody-may-see"
PATHS = [
    "sub-990041/sub-990041_ses-20240305T102508_behavior+ecephys+ogen.nwb",
    "sub-990042/sub-990042_ses-20240306T110000_behavior+ogen.nwb",
]


@pytest.fixture
def layout(store: Store, about: About, tmp_path: Path) -> Layout:
    """The dandiset of both sessions."""
    return lay_out(plan_layout(store, SESSIONS, INPUTS), tmp_path / "dandiset", about)


@pytest.fixture
def one(store: Store, tmp_path: Path) -> Layout:
    """The dandiset of one session."""
    return lay_out(plan_layout(store, [BEHAVIOR_ONLY], INPUTS), tmp_path / "dandiset")


def send(store: Store, layout: Layout, archive: LoopbackDandi, **more: object) -> list[dict[str, object]]:
    return upload(
        store, layout, server=archive.api, dandiset="000001", token=KEY, wait_s=2.0, poll_s=0.01, **more  # type: ignore[arg-type]
    )  # fmt: skip


# -- layout ------------------------------------------------------------------------------------------------------------
def test_files_get_names_that_do_not_depend_on_each_other(store: Store, layout: Layout, tmp_path: Path) -> None:
    assert [asset.path for asset in layout.assets] == PATHS
    alone = lay_out(plan_layout(store, [BEHAVIOR_ONLY], INPUTS), tmp_path / "alone")
    assert [asset.path for asset in alone.assets] == PATHS[1:]
    assert (layout.root / PATHS[0]).samefile(store.history("nwb", WITH_PROBE, ".nwb")[-1][2])


def test_the_archive_s_own_validation_takes_it_and_asks_nobody(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert check_layout(layout) == []


def test_laid_out_again_it_is_the_same(store: Store, about: About, layout: Layout) -> None:
    before = (layout.root / "dandiset.yaml").read_bytes()
    assert lay_out(plan_layout(store, SESSIONS, INPUTS), layout.root, about) == layout
    assert (layout.root / "dandiset.yaml").read_bytes() == before


def test_a_file_that_dandi_would_pass_over_is_named(layout: Layout) -> None:
    (layout.root / "notes.txt").write_text("x")
    (layout.root / "sub-990041" / ".hidden").write_text("x")
    (layout.root / PATHS[1]).unlink()
    assert [sentence.partition(":")[0] for sentence in check_layout(layout)] == [
        "notes.txt", "sub-990041/.hidden", PATHS[1],
    ]  # fmt: skip


def test_a_file_without_a_subject_s_species_is_refused(one: Layout) -> None:
    import h5py

    path = one.root / PATHS[1]
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        del file["general/subject/species"]
    assert any("species" in sentence for sentence in check_layout(one))


def test_other_content_under_the_name_is_not_overwritten(store: Store, one: Layout) -> None:
    path = one.root / PATHS[1]
    path.unlink()
    path.write_bytes(b"other")
    with pytest.raises(NotPublishable, match="stands with other content"):
        lay_out(plan_layout(store, [BEHAVIOR_ONLY], INPUTS), one.root)


@pytest.mark.parametrize(("text", "label"), [("990041", "990041"), ("a_b c.d", "a-b-c-d"), ("@x?", "x"), ("_", "")])
def test_a_label_has_no_sign_that_the_archive_refuses(text: str, label: str) -> None:
    assert plain_label(text) == label


# -- upload ------------------------------------------------------------------------------------------------------------
def test_bytes_arrive_and_are_recorded(store: Store, layout: Layout) -> None:
    with LoopbackDandi(KEY, faults=Faults(polls_before_sha256=2)) as archive:
        rows = send(store, layout, archive)
    assert [(row["path"], row["state"], row["was_uploaded"]) for row in rows] == [
        (path, "verified", True) for path in PATHS
    ]
    assert sorted(archive.blobs.values()) == sorted((layout.root / path).read_bytes() for path in PATHS)
    (row,) = exports(store, WITH_PROBE)
    assert row["sha256"] == layout.assets[0].sha256
    (subject,) = archive.assets[row["asset_id"]].metadata["wasAttributedTo"]
    assert (subject["identifier"], subject["species"]["name"]) == ("990041", "Mus musculus - House mouse")
    assert json.loads(row["table_versions"])["units"] == store.version("units", WITH_PROBE)
    assert row["code_version"].startswith("map_assets ")
    DANDI_ASSETS.check(store.read("dandi_assets", WITH_PROBE))


def test_uploaded_again_nothing_is_sent(store: Store, layout: Layout) -> None:
    with LoopbackDandi(KEY) as archive:
        send(store, layout, archive)
        n_asked = len(archive.asked)
        rows = send(store, layout, archive)
    assert [row["was_uploaded"] for row in rows] == [False, False]
    assert {method for method, _ in archive.asked[n_asked:]} == {"GET"}
    assert len(exports(store, WITH_PROBE)) == 1


def test_bytes_that_the_archive_has_are_used_again(store: Store, one: Layout) -> None:
    with LoopbackDandi(KEY) as archive:
        send(store, one, archive)
        archive.assets.clear()  # somebody took the file out of the draft; the blob stays
        (row,) = send(store, one, archive)
        assert (row["state"], row["was_uploaded"]) == ("verified", True)
        assert len(archive.blobs) == 1
        assert len([path for _, path in archive.asked if path.startswith("/part/")]) == 1
    assert len(exports(store, BEHAVIOR_ONLY)) == 2


def test_a_part_that_is_corrupted_on_the_way_is_no_asset(store: Store, one: Layout) -> None:
    sent = pytest.raises(DigestDiffers, match="did not arrive as it was sent")
    with LoopbackDandi(KEY, faults=Faults(corrupts_parts=True)) as archive, sent:
        send(store, one, archive)
    assert archive.assets == {}
    assert exports(store, BEHAVIOR_ONLY) == []


def test_an_archive_whose_sha256_is_another_is_not_believed(store: Store, one: Layout) -> None:
    told = pytest.raises(DigestDiffers, match="other digests")
    with LoopbackDandi(KEY, faults=Faults(lies_on_sha256=True)) as archive, told:
        send(store, one, archive)
    assert [row["state"] for row in exports(store, BEHAVIOR_ONLY)] == ["differs"]


def test_a_sha256_that_does_not_come_is_pending_and_compared_later(store: Store, one: Layout) -> None:
    with LoopbackDandi(KEY, faults=Faults(polls_before_sha256=10**6)) as archive:
        with pytest.raises(DigestDiffers, match="no sha256"):
            upload(store, one, server=archive.api, dandiset="000001", token=KEY, wait_s=0.0, poll_s=0.01)
        archive.faults.polls_before_sha256 = 0
        send(store, one, archive)
    assert [row["state"] for row in exports(store, BEHAVIOR_ONLY)] == ["pending", "verified"]


def test_other_content_in_the_archive_is_replaced_only_if_asked_for(store: Store, one: Layout, tmp_path: Path) -> None:
    with LoopbackDandi(KEY) as archive:
        send(store, one, archive)
        (blob,) = archive.blobs
        archive.blobs[blob], archive.etags[blob] = b"other", "0-1"
        with pytest.raises(DandiConflict, match="other content"):
            send(store, one, archive)
        (row,) = send(store, one, archive, is_replacing=True)
        assert row["state"] == "verified"
        assert len(archive.assets) == 1
        assert "DELETE" not in {method for method, _ in archive.asked}


def test_a_session_that_stands_there_under_another_name_is_not_doubled(store: Store, one: Layout) -> None:
    with LoopbackDandi(KEY) as archive:
        send(store, one, archive)
        (asset,) = archive.assets.values()
        asset.path = asset.path.replace("behavior+ogen", "behavior")
        with pytest.raises(DandiConflict, match="same session under the name it had"):
            send(store, one, archive)


def test_what_is_only_there_is_left_alone(store: Store, layout: Layout, one: Layout) -> None:
    with LoopbackDandi(KEY) as archive:
        send(store, layout, archive)
        send(store, one, archive)
        assert sorted(asset.path for asset in archive.assets.values()) == PATHS
        assert "DELETE" not in {method for method, _ in archive.asked}


@pytest.mark.parametrize(("fault", "key"), [(Faults(refuses_uploads=True), KEY), (Faults(), "another")])
def test_a_refusal_is_a_sentence(store: Store, one: Layout, fault: Faults, key: str) -> None:
    with LoopbackDandi(key, faults=fault) as archive, pytest.raises(ServiceFailed, match=r"refuses \(40[13]\)"):
        send(store, one, archive)


def test_the_key_is_written_nowhere(
    store: Store, one: Layout, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for fault in (Faults(), Faults(corrupts_parts=True), Faults(refuses_uploads=True)):
        with LoopbackDandi(KEY, faults=fault) as archive:
            try:
                send(store, one, archive)
            except (DigestDiffers, ServiceFailed) as error:
                said.append(f"{error!r} {error.__cause__!r} {error.__suppress_context__}")
    assert len(said) == 2
    out = capfd.readouterr()
    assert KEY not in caplog.text + out.out + out.err + "".join(said)
    for path in (*store.root.rglob("*"), *one.root.rglob("*")):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def test_an_archive_that_is_not_there_is_said_to_be(store: Store, one: Layout) -> None:
    with pytest.raises(ServiceFailed, match="cannot be reached"):
        upload(store, one, server="http://127.0.0.1:1/api", dandiset="000001", token=KEY)


@pytest.mark.parametrize("server", ["http://dandi.example.org/api", "ftp://127.0.0.1", "127.0.0.1"])
def test_a_key_goes_over_https_only(store: Store, one: Layout, server: str) -> None:
    with pytest.raises(ServiceFailed, match="no address that an API key"):
        upload(store, one, server=server, dandiset="000001", token=KEY)


def test_the_record_only_grows(store: Store) -> None:
    from datetime import UTC, datetime

    row = {"session": WITH_PROBE, "server": "s", "dandiset": "000001", "asset_id": "a", "path": "p", "was_uploaded": True,
           "state": "pending", "size": 1, "etag": "e", "sha256": "0", "table_versions": "{}", "code_version": "c"}  # fmt: skip
    added = [record_export(store, {**row, "state": state, "checked_at": datetime(2026, 1, day, tzinfo=UTC)})
             for day, state in enumerate(["pending", "pending", "verified", "verified"], 1)]  # fmt: skip
    assert added == [True, False, True, False]
    assert [one["state"] for one in exports(store, WITH_PROBE)] == ["pending", "verified"]
    shutil.rmtree(store.root)
    assert exports(store, WITH_PROBE) == []
