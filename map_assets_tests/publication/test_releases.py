"""A release is whole, never changes, and tells when it is no more what it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pytest
from publishing_laboratory import BEHAVIOR_ONLY, INPUTS, SESSIONS, WITH_PROBE

from map_assets.publication import release as making
from map_assets.publication.about import About
from map_assets.publication.errors import (
    BadClaim,
    NoSuchRelease,
    NotPublishable,
    ReleaseDiffers,
    ReleaseStands,
    ServiceFailed,
)
from map_assets.publication.fetch import fetch_release
from map_assets.publication.manifest import MANIFEST, manifest_text, read_manifest
from map_assets.publication.release import create_release
from map_assets.publication.shelf import Release, list_releases, open_release
from map_assets.publication.verify import verify_release
from map_assets.store import Store
from map_assets.vocabulary.files import sha256_of

NWB = "dandiset/sub-990041/sub-990041_ses-20240305T102508_behavior+ecephys+ogen.nwb"
COUNTED = """
[[claim]]
name = "units a probe"
says = "units of each probe"
sql = "select session, probe, count(*) from units group by all order by all"
expected = {rows}
"""


def create(store: Store, about: About, name: str = "spring", sessions: list[str] = SESSIONS, **more: object) -> Release:
    return create_release(store, name, sessions, about, inputs=INPUTS, code="map_assets 0", **more)  # type: ignore[arg-type]


def first(release: Release) -> str:
    with pytest.raises(ReleaseDiffers) as error:
        verify_release(release.folder).or_raise()
    return str(error.value)


# -- making ----------------------------------------------------------------------------------------------------------
def test_a_release_is_made_of_links_and_verifies(store: Store, about: About) -> None:
    release = create(store, about)
    assert release.is_new
    assert release.folder == store.root / "releases" / "spring"
    assert (release.folder / NWB).samefile(store.history("nwb", WITH_PROBE, ".nwb")[-1][2])
    units = release.folder / "tables" / "units" / f"{WITH_PROBE}.parquet"
    assert units.samefile(store.history("units", WITH_PROBE)[-1][2])
    found = verify_release(release.folder)
    assert found.problems == ()
    assert found.n_claims == 5
    told = release.told["sessions"][WITH_PROBE]
    assert told["made_from"]["units"] == store.version("units", WITH_PROBE)
    assert told["sha256"] == sha256_of(release.folder / NWB)
    assert told["written_by"].startswith("map_assets ")


def test_sha256sum_reads_the_manifest(release: Release) -> None:
    done = subprocess.run(["sha256sum", "-c", "--quiet", MANIFEST], cwd=release.folder, check=False)
    assert done.returncode == 0


def test_the_crate_can_be_opened_and_lists_every_file(release: Release) -> None:
    from rocrate.rocrate import ROCrate

    crate = ROCrate(release.folder)
    assert crate.name == "Made-up sessions"
    assert {one.id.replace("%2B", "+") for one in crate.data_entities} == set(
        read_manifest((release.folder / MANIFEST).read_text())
    ) - {"ro-crate-metadata.json"}
    assert str(crate.datePublished)[:10] == "2026-05-01"


def test_made_again_it_is_the_one_that_stands(store: Store, about: About) -> None:
    release = create(store, about)
    again = create(store, about)
    assert (again.is_new, again.manifest_sha256) == (False, release.manifest_sha256)


@pytest.mark.parametrize("change", ["sessions", "about", "claims", "table"])
def test_the_same_name_with_other_content_is_refused(store: Store, about: About, change: str) -> None:
    before = create(store, about)
    sessions = SESSIONS[:1] if change == "sessions" else SESSIONS
    said = about.model_copy(update={"title": "Other"}) if change == "about" else about
    claims = COUNTED.format(rows=f'[["{WITH_PROBE}", 1, 4]]') if change == "claims" else None
    if change == "table":
        table = store.read("behavior_file", WITH_PROBE)
        path = store.table_path("behavior_file", WITH_PROBE)
        store._put(path, "behavior_file", WITH_PROBE, ".parquet", lambda part: _write(table.slice(0, 0), part))
    with pytest.raises(ReleaseStands, match="spring"):
        create(store, said, sessions=sessions, claims=claims)
    assert verify_release(before.folder).problems == ()


def _write(table: object, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path)


def test_what_breaks_half_way_leaves_nothing(store: Store, about: About, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(making, "crate_text", broken)
    with pytest.raises(OSError, match="no space"):
        create(store, about)
    assert list((store.root / "releases").iterdir()) == []
    monkeypatch.undo()
    assert create(store, about).is_new


def test_of_two_that_are_made_at_once_one_stands(store: Store, about: About, monkeypatch: pytest.MonkeyPatch) -> None:
    real = making.crate_text

    def late(*given: object) -> str:
        monkeypatch.setattr(making, "crate_text", real)
        create(store, about, sessions=SESSIONS[:1])
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(making, "crate_text", late)
    with pytest.raises(ReleaseStands, match="stands with other content"):
        create(store, about)
    (release,) = list_releases(store.root / "releases")
    assert list(release.told["sessions"]) == SESSIONS[:1]
    assert verify_release(release.folder).problems == ()


def test_a_later_change_of_the_store_does_not_reach_the_release(store: Store, about: About) -> None:
    release = create(store, about)
    store.write_file("nwb", WITH_PROBE, ".nwb", lambda path: path.write_bytes(b"other"))
    assert verify_release(release.folder).problems == ()


def test_a_claim_that_does_not_hold_makes_no_release(store: Store, about: About) -> None:
    with pytest.raises(BadClaim, match="row 1, column 3: expected 5, the files give 4"):
        create(store, about, claims=COUNTED.format(rows=f'[["{WITH_PROBE}", 1, 5]]'))
    assert not (store.root / "releases" / "spring").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "drop table units",
        "select 1; select 2",
        "select * from nothing",
        "copy units to 'x.csv'",
        "select * from read_csv('/etc/passwd')",
    ],
)
def test_a_claim_can_only_count(store: Store, about: About, sql: str) -> None:
    claims = f'[[claim]]\nname = "x"\nsays = "x"\nsql = "{sql}"\nexpected = 1\n'
    with pytest.raises(BadClaim, match="The claim x"):
        create(store, about, claims=claims)


@pytest.mark.parametrize(("claims", "said"), [("", "no .*claim"), ("[[claim]]\nname = 'x'", "lacks"), ("= 3", "TOML")])
def test_claims_that_are_none_are_refused(store: Store, about: About, claims: str, said: str) -> None:
    with pytest.raises(BadClaim, match=said):
        create(store, about, claims=claims)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "x.sha256", "a" * 101])
def test_a_name_that_is_no_folder_is_refused(store: Store, about: About, name: str) -> None:
    with pytest.raises(NoSuchRelease, match="cannot name"):
        create(store, about, name=name)


# -- what may not be published -----------------------------------------------------------------------------------------
def test_a_file_that_failed_a_gate_is_not_published(store: Store, about: About) -> None:
    from map_assets.nwb.tables import NWB_FILE

    row = store.read("nwb_file", WITH_PROBE).to_pylist()[0]
    for change, said in [
        ({"n_validation_errors": 2}, "2 validation errors"),
        ({"n_inspector_critical": 1}, "critical"),
        ({"can_be_read": False}, "cannot be read back"),
        ({"differences": None}, "not compared"),
        ({"differences": "a unit"}, "differs from its tables"),
        ({"sha256": "0" * 64}, "not the one that its gates saw"),
    ]:
        store.write(NWB_FILE, WITH_PROBE, NWB_FILE.from_rows([{**row, **change}]))
        with pytest.raises(NotPublishable, match=said):
            create(store, about)


def test_a_file_of_earlier_tables_is_not_published(store: Store, about: About) -> None:
    from map_assets.behavior.tables import LICKS

    store.write(LICKS, BEHAVIOR_ONLY, store.read("licks", BEHAVIOR_ONLY).slice(1))
    with pytest.raises(NotPublishable, match="made from another version of licks"):
        create(store, about)


def test_a_session_without_a_file_is_not_published(store: Store, about: About) -> None:
    with pytest.raises(NotPublishable, match="XX1_20200101_000000 has no NWB file"):
        create(store, about, sessions=["XX1_20200101_000000"])
    with pytest.raises(NotPublishable, match="no session"):
        create(store, about, sessions=[])


def test_a_version_that_rotted_in_the_store_is_found(store: Store, about: About) -> None:
    (_, _, path) = store.history("trials", WITH_PROBE)[-1]
    _turn_a_byte(path, 100)
    with pytest.raises(NotPublishable, match=r"trials of MK041.* not what it was"):
        create(store, about)


def test_no_copies_are_made_unasked(store: Store, about: About, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(NotPublishable, match="--copy"):
        create(store, about)
    release = create(store, about, may_copy=True)
    assert not (release.folder / NWB).samefile(store.history("nwb", WITH_PROBE, ".nwb")[-1][2])
    assert verify_release(release.folder).problems == ()


# -- verifying -----------------------------------------------------------------------------------------------------------
def _turn_a_byte(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize(
    "path", [f"tables/trials/{WITH_PROBE}.parquet", NWB, "CITATION.cff", "claims.toml", "release.json"]
)
def test_a_changed_byte_is_found(release: Release, path: str) -> None:
    _turn_a_byte(release.folder / path, 40)
    assert f"{path} is changed" in first(release)


def test_a_missing_file_is_found(release: Release) -> None:
    (release.folder / NWB).unlink()
    assert f"{NWB} is missing" in first(release)


def test_a_file_too_many_is_found(release: Release) -> None:
    (release.folder / "dandiset" / "notes.txt").write_text("x")
    assert "notes.txt is not part of the release" in first(release)


def test_a_link_in_the_place_of_a_file_is_found(release: Release) -> None:
    other = release.folder.parent / "elsewhere"
    shutil.move(release.folder / "CITATION.cff", other)
    (release.folder / "CITATION.cff").symlink_to(other)
    assert "CITATION.cff is no plain file" in first(release)


def rewrite_manifest(release: Release) -> None:
    """As somebody would who changes a file and covers it up."""
    hashes = read_manifest((release.folder / MANIFEST).read_text())
    for path in hashes:
        hashes[path] = sha256_of(release.folder / path)
    (release.folder / MANIFEST).write_text(manifest_text(hashes))


def test_a_drifted_number_is_found_by_its_claim(release: Release) -> None:
    with h5py.File(release.folder / NWB, "r+") as file:
        n_units = len(file["units/id"])
        kept = np.asarray(file["units/id"])[:-1]
        for name in list(file["units"]):
            if file["units"][name].shape == (n_units,):
                values = file["units"][name][: n_units - 1]
                del file["units"][name]
                file["units"][name] = values if name != "id" else kept
    found = verify_release(release.folder)
    assert "is changed" in found.problems[0]
    assert found.problems[-1] == f"claim units ({n_units} units): expected {n_units}, the files give {n_units - 1}"
    rewrite_manifest(release)
    assert "manifest-sha256.txt is changed" in first(release)


def test_a_claim_that_was_edited_is_found(release: Release) -> None:
    claims = release.folder / "claims.toml"
    claims.write_text(claims.read_text().replace("expected = 14", "expected = 15"))
    found = verify_release(release.folder)
    assert any("claim trials (14 trials): expected 15, the files give 14" in one for one in found.problems)


def test_a_manifest_that_was_edited_with_its_files_is_found(release: Release) -> None:
    _turn_a_byte(release.folder / "CITATION.cff", 40)
    rewrite_manifest(release)
    assert "manifest-sha256.txt is changed" in first(release)
    release.folder.with_name("spring.sha256").unlink()
    assert "does not list CITATION.cff" in first(release)
    with pytest.raises(ReleaseDiffers, match="manifest"):
        verify_release(release.folder, release.manifest_sha256).or_raise()


@pytest.mark.parametrize("line", ["zz  a", f"{'0' * 64}  ../a", f"{'0' * 64}  /a", f"{'0' * 64}  a\\b", ""])
def test_a_manifest_that_leaves_its_folder_is_refused(release: Release, line: str) -> None:
    (release.folder / MANIFEST).write_text(line + "\n")
    found = verify_release(release.folder)
    assert any(MANIFEST in one for one in found.problems)


def test_a_release_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(NoSuchRelease):
        verify_release(tmp_path / "winter")
    with pytest.raises(NoSuchRelease):
        open_release(tmp_path / "winter")
    assert list_releases(tmp_path) == []


# -- fetching ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def address(release: Release) -> object:
    """Somebody's plain web server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(release.folder.parent))) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("over", ["http", "folder"])
def test_a_release_is_fetched_without_an_account(release: Release, address: str, tmp_path: Path, over: str) -> None:
    source = address if over == "http" else str(release.folder.parent)
    seen: list[str] = []
    folder = fetch_release("spring", source, tmp_path / "mine", tell=lambda *at: seen.append(at[2]))
    assert verify_release(folder, release.manifest_sha256).problems == ()
    assert len(seen) == len(read_manifest((folder / MANIFEST).read_text()))
    assert fetch_release("spring", source, tmp_path / "mine") == folder
    assert [one.name for one in list_releases(tmp_path / "mine")] == ["spring"]


def test_a_break_is_taken_up_and_nothing_stands_before(release: Release, address: str, tmp_path: Path) -> None:
    moved = release.folder / NWB
    shutil.move(moved, tmp_path / "away")
    with pytest.raises(NoSuchRelease, match="has no spring"):
        fetch_release("spring", address, tmp_path / "mine")
    assert not (tmp_path / "mine" / "spring").exists()
    shutil.move(tmp_path / "away", moved)
    assert verify_release(fetch_release("spring", address, tmp_path / "mine")).problems == ()
    assert [path.name for path in (tmp_path / "mine").glob(".*")] == []


def test_changed_bytes_are_not_taken(release: Release, address: str, tmp_path: Path) -> None:
    _turn_a_byte(release.folder / NWB, 4000)
    with pytest.raises(ReleaseDiffers, match="is changed"):
        fetch_release("spring", address, tmp_path / "mine")
    with pytest.raises(ReleaseDiffers, match="nothing is fetched"):
        fetch_release("spring", address, tmp_path / "mine", manifest_sha256="0" * 64)


def test_a_release_under_another_name_is_not_taken(release: Release, tmp_path: Path) -> None:
    shutil.move(release.folder, release.folder.with_name("autumn"))
    with pytest.raises(ReleaseDiffers, match="is the release spring"):
        fetch_release("autumn", str(release.folder.parent), tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_what_stands_is_not_overwritten(release: Release, tmp_path: Path) -> None:
    (tmp_path / "mine" / "spring").mkdir(parents=True)
    with pytest.raises(ReleaseStands):
        fetch_release("spring", str(release.folder.parent), tmp_path / "mine")


@pytest.mark.parametrize("source", ["ftp://127.0.0.1/x", "http://127.0.0.1:1", "/nowhere"])
def test_a_source_that_cannot_be_is_said_to_be(tmp_path: Path, source: str) -> None:
    with pytest.raises((ServiceFailed, NoSuchRelease)):
        fetch_release("spring", source, tmp_path / "mine")


def test_looking_verifying_and_fetching_need_no_extra(release: Release, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"dandi", "dandischema", "datacite", "rocrate", "jsonschema", "idutils"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from map_assets.publication.fetch import fetch_release
from map_assets.publication.shelf import list_releases
from map_assets.publication.verify import verify_release
verify_release(fetch_release("spring", sys.argv[1], Path(sys.argv[2]))).or_raise()
print(len(list_releases(Path(sys.argv[2]))))
from map_assets.publication.citation import check_citation
check_citation({})
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(release.folder.parent), str(tmp_path / "mine")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n"
    assert (
        'PublishExtraMissing: Publishing needs jsonschema, which is not installed here; install it with pip install "map-assets[publish]".'
        in done.stderr
    )


def test_a_file_that_links_to_another_is_not_counted(release: Release) -> None:
    with h5py.File(release.folder / NWB, "r+") as file:
        file["units/foreign"] = h5py.ExternalLink("elsewhere.nwb", "/units/id")
    assert any("link to another file" in one for one in verify_release(release.folder).problems)


def test_a_release_tells_of_its_sessions(release: Release) -> None:
    told = json.loads((release.folder / "release.json").read_text())
    assert sorted(told["sessions"]) == SESSIONS
