"""What may not slip through a release: a lost anchor, a changed count, columns of two types, the leavings of a killed process."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from publishing_laboratory import INPUTS, SESSIONS, WITH_PROBE

from map_assets.publication import release as making
from map_assets.publication.about import About
from map_assets.publication.claims import first_drift, read_claims, standard_claims
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
from map_assets.publication.nwb_rows import read_nwb_rows
from map_assets.publication.release import create_release
from map_assets.publication.shelf import Release, anchor_of
from map_assets.publication.verify import verify_release
from map_assets.store import Store


def create(store: Store, about: About) -> Release:
    return create_release(store, "spring", SESSIONS, about, inputs=INPUTS, code="map_assets 0")


def drift(tables: dict[str, pa.Table], sql: str, **told: str) -> str | None:
    lines = "\n".join(f"{name} = {value}" for name, value in told.items())
    return first_drift(read_claims(f'[[claim]]\nname = "a"\nsays = "b"\nsql = "{sql}"\n{lines}\n'), tables)


# -- claims ----------------------------------------------------------------------------------------------------------
def test_one_spike_of_billions_is_a_drift() -> None:
    def tables(n_spikes: int) -> dict[str, pa.Table]:
        one = pa.table({"session": ["a"], "subject": ["b"]})
        return dict.fromkeys(("sessions", "trials", "electrodes"), one) | {
            "units": pa.table({"session": ["a"], "n_spike_times": pa.array([n_spikes])})
        }

    claims = read_claims(standard_claims(tables(4_030_078_240)))
    assert first_drift(claims, tables(4_030_078_240)) is None
    assert "4030078240, the files give 4030078239" in str(first_drift(claims, tables(4_030_078_239)))
    assert drift({}, "select 4030078239", expected="4030078240", within="1e-9") is None, "when it is asked for"
    assert drift({}, "select 0.1 + 0.2 + 1e-12", expected="0.3") is None, "sums may differ in their last digits"


@pytest.mark.parametrize("within", ["inf", "nan", "-1.0", "1", "true", '"1"'])
def test_a_claim_cannot_be_made_true_by_its_tolerance(within: str) -> None:
    with pytest.raises(BadClaim, match="within is a number"):
        drift({}, "select 1", expected="7", within=within)


def test_a_text_is_no_number_and_a_claim_is_a_table() -> None:
    assert drift({}, "select 5", expected='"5"') is not None
    with pytest.raises(BadClaim, match="no table"):
        read_claims("claim = [1]\n")


def small_nwb(path: Path, columns: dict[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        file["general/session_id"] = file["identifier"] = path.stem
        for name, values in ({"id": [0, 1]} | columns).items():
            file[f"intervals/trials/{name}"] = values
    return path


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        (np.array([True, False]), np.array([1.0, np.nan]), [1.0, 0.0, 1.0, None]),
        ([1, 2], [1.5, 2.5], [1.0, 2.0, 1.5, 2.5]),
        (["a", "b"], [1.5, 2.5], ["a", "b", "1.5", "2.5"]),
        (np.array([True, False]), ["a", "b"], ["true", "false", "a", "b"]),
        (np.array([np.nan, np.nan]), ["a", "b"], [None, None, "a", "b"]),
    ],
)
def test_a_column_of_two_types_is_one_column_of_the_wider(
    one: Any, other: Any, joined: list[object], tmp_path: Path
) -> None:
    paths = [small_nwb(tmp_path / "a.nwb", {"x": one}), small_nwb(tmp_path / "b.nwb", {"x": other, "y": [1, 2]})]
    rows = read_nwb_rows(paths)["trials"]
    assert rows["x"].to_pylist() == joined
    assert rows["y"].to_pylist() == [None, None, 1, 2]
    assert drift({"trials": rows}, "select count(*) from trials", expected="4") is None


# -- anchors and parts -----------------------------------------------------------------------------------------------
def changed_throughout(release: Release, path: str) -> None:
    """Change a file, and make the manifest fit."""
    file = release.folder / path
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data + b"\n")
    hashes = read_manifest((release.folder / MANIFEST).read_text()) | {path: hashlib.sha256(data + b"\n").hexdigest()}
    (release.folder / MANIFEST).write_text(manifest_text(hashes))


def test_a_release_whose_hash_is_lost_cannot_be_called_whole(release: Release) -> None:
    release.folder.with_name("spring.sha256").unlink()
    assert "can be held against nothing" in verify_release(release.folder).problems[-1]
    assert verify_release(release.folder, release.manifest_sha256.upper()).problems == ()


@pytest.mark.parametrize("path", ["claims.toml", "release.json", "ro-crate-metadata.json", "CITATION.cff"])
def test_what_every_release_has_may_not_be_taken_out_of_it(release: Release, path: str) -> None:
    hashes = read_manifest((release.folder / MANIFEST).read_text())
    del hashes[path]
    (release.folder / path).unlink()
    (release.folder / MANIFEST).write_text(manifest_text(hashes))
    assert f"{path} is not in {MANIFEST}" in verify_release(release.folder).problems


def test_a_hash_that_a_crash_left_out_is_made_up_for(store: Store, about: About) -> None:
    first = create(store, about)
    first.folder.with_name("spring.sha256").unlink()
    again = create(store, about)
    assert not again.is_new
    assert anchor_of(again.folder) == first.manifest_sha256
    changed_throughout(first, "CITATION.cff")
    with pytest.raises(ReleaseDiffers, match="is not what it was"):
        create(store, about)


def test_two_that_make_the_same_release_at_once_both_get_it(
    store: Store, about: About, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = making.crate_text

    def late(*given: object) -> str:
        monkeypatch.setattr(making, "crate_text", real)
        create(store, about)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(making, "crate_text", late)
    second = create(store, about)
    assert not second.is_new
    assert verify_release(second.folder).problems == ()


def test_what_a_killed_process_left_is_swept_up_after_a_day(store: Store, about: About) -> None:
    folder = store.root / "releases"
    old, young = folder / ".spring.aaaaaaaaaaaa.part", folder / ".spring.bbbbbbbbbbbb.part"
    for left in (old, young):
        left.mkdir(parents=True)
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    create(store, about)
    assert (old.exists(), young.exists()) == (False, True)


def test_no_name_of_a_frozen_file_can_be_written_to(store: Store, about: About) -> None:
    release = create(store, about)
    names = [*release.folder.rglob("*.nwb"), *release.folder.rglob("*.parquet")]
    names.append(store.history("nwb", WITH_PROBE, ".nwb")[-1][2])
    assert {stat.S_IMODE(name.stat().st_mode) for name in names} == {0o444}


def leave_a_folder(place: Path) -> None:
    place.mkdir(parents=True)


def leave_a_file(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_text("x")


@pytest.mark.parametrize("leave", [leave_a_folder, leave_a_file])
def test_what_stands_at_the_place_and_is_no_release_is_said_to_be(
    store: Store, about: About, leave: Callable[[Path], None]
) -> None:
    leave(store.root / "releases" / "spring")
    with pytest.raises(ReleaseStands, match="spring is there and is no release; take it away"):
        create(store, about)


def test_another_file_system_is_told_by_a_folder_that_is_there(
    store: Store, about: About, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(NotPublishable, match=f"^{store.root / 'releases'} is on another file system"):
        create(store, about)


# -- fetching --------------------------------------------------------------------------------------------------------
def test_what_a_killed_fetch_left_is_not_part_of_the_release(release: Release, tmp_path: Path) -> None:
    staging = tmp_path / f".spring.{release.manifest_sha256[:12]}.part"
    (staging / "dandiset").mkdir(parents=True)
    (staging / "dandiset" / ".abcdef012345.part").write_bytes(b"half")
    folder = fetch_release("spring", str(release.folder.parent), tmp_path)
    assert verify_release(folder).problems == ()


def test_a_fetched_release_that_was_changed_since_is_not_called_fetched(release: Release, tmp_path: Path) -> None:
    source = str(release.folder.parent)
    folder = fetch_release("spring", source, tmp_path, manifest_sha256=release.manifest_sha256.upper())
    folder.with_name("spring.sha256").unlink()
    assert fetch_release("spring", source, tmp_path) == folder
    assert anchor_of(folder) == release.manifest_sha256
    (folder / "claims.toml").write_text("#")
    with pytest.raises(ReleaseDiffers, match=r"claims\.toml is changed"):
        fetch_release("spring", source, tmp_path)


@pytest.mark.parametrize("paths", [("a", "a/b"), ("n" * 300,)])
def test_a_manifest_with_names_that_cannot_be_ends_in_a_sentence(paths: tuple[str, ...], tmp_path: Path) -> None:
    source = tmp_path / "evil" / "spring"
    source.mkdir(parents=True)
    (source / "a").write_text("x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    (source / MANIFEST).write_text("".join(f"{sha256}  {path}\n" for path in paths))
    with pytest.raises((ServiceFailed, NoSuchRelease)):
        fetch_release("spring", str(tmp_path / "evil"), tmp_path / "mine")
    assert not (tmp_path / "mine" / "spring").exists()
