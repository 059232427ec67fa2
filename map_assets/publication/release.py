"""Releases: a named set of sessions, frozen with everything that tells what it is. Those that stand are found in `shelf`.

::

    {releases}/{name}/                      never changed once it stands
        release.json                          sessions, versions, who made it with what
        dandiset/...                          NWB files under DANDI's names, dandiset.yaml
        tables/{table}/{session}.parquet      every table of the sessions
        claims.toml                           numbers that must come out of the NWB files
        ro-crate-metadata.json  CITATION.cff  datacite.json
        manifest-sha256.txt                   every file above
    {releases}/{name}.sha256                the manifest's own hash, beside the release

NWB files and tables are second names (hard links) of versions in the store's history: a release costs no second copy.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from map_assets.publication.about import About
from map_assets.publication.citation import citation_text
from map_assets.publication.claims import first_drift, read_claims, standard_claims
from map_assets.publication.crate import CRATE, crate_text
from map_assets.publication.dandiset import Layout, lay_out, plan_layout
from map_assets.publication.datacite import check_datacite, datacite_metadata
from map_assets.publication.errors import BadAbout, BadClaim, NotPublishable, ReleaseDiffers, ReleaseStands
from map_assets.publication.frozen import PART, Frozen, FrozenNwb, freeze_tables, make_folder, put
from map_assets.publication.manifest import MANIFEST, differences, manifest_text, read_manifest, text_sha256
from map_assets.publication.nwb_rows import read_nwb_rows
from map_assets.publication.shelf import (
    CITATION,
    CLAIMS,
    DANDISET,
    DATACITE,
    RELEASE,
    Release,
    anchor_of,
    check_name,
    open_release,
    releases_folder,
    write_anchor,
)
from map_assets.store import Store
from map_assets.store.atomic import fsync_file, fsync_folder
from map_assets.vocabulary.files import sha256_of

_LEFT_S = 24 * 3600.0
"""A folder that was begun so long ago is one that a killed process left."""


def create_release(
    store: Store,
    name: str,
    sessions: Iterable[str],
    about: About,
    *,
    inputs: Collection[str],
    code: str,
    claims: str | None = None,
    to: Path | None = None,
    tables: Collection[str] | None = None,
    may_copy: bool = False,
    created_at: datetime | None = None,
) -> Release:
    """Freeze a set of sessions under a name, all of it or nothing.

    Made again with the same content, the release that stands is given back.

    Parameters
    ----------
    sessions : iterable of str
    inputs : collection of str
        Names of the tables that an NWB file is made of.
    code : str
        Name and version of this software.
    claims : str, optional
        A claims file's text; by default the release's standard claims, counted now.
    to : pathlib.Path, optional
        Folder of releases; the store's own by default.
    tables : collection of str, optional
        Freeze only these tables; every table of the sessions by default.
    may_copy : bool
        Copy where another file system allows no link.

    Raises
    ------
    NotPublishable
        If a session's NWB file may not be published; the first is named.
    BadAbout, BadClaim
        If what is said of the release breaks a rule, or a claim does not hold.
    ReleaseStands
        If a release of that name stands with other content.
    ReleaseDiffers
        If one stands with this content, and its files are no more what they were.
    """
    folder = (to or releases_folder(store)) / check_name(name)
    planned = plan_layout(store, sessions, inputs)
    if not planned:
        raise NotPublishable("There is no session to release; name some, or correct the condition.")
    frozen = [one for _, nwb in planned for one in freeze_tables(store, nwb.file.session, tables)]
    content = _content(planned, frozen, about, claims)
    if folder.exists():
        return _standing(folder, content)
    told = {
        "name": name,
        "created_at": (created_at or datetime.now(UTC)).isoformat(),
        "made_by": code,
        "sessions": _sessions(planned, frozen),
        "content": content,
    }
    with _staging(folder) as staging:
        layout = lay_out(planned, staging / DANDISET, about, may_copy=may_copy)
        hashes = {f"{DANDISET}/{one.path}": one.sha256 for one in layout.assets}
        hashes |= _put_tables(staging, frozen, may_copy=may_copy)
        texts = {CLAIMS: _claims(layout, claims), RELEASE: _json(told), CITATION: citation_text(about)}
        _fill(staging, texts, hashes, {f"{DANDISET}/{one.path}": one.session for one in layout.assets}, about, code)
        manifest_sha256 = sha256_of(staging / MANIFEST)
        try:
            staging.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            return _standing(folder, content)  # made by somebody else at this moment
        fsync_folder(folder.parent)
    write_anchor(folder, manifest_sha256)
    return Release(folder, told, manifest_sha256, is_new=True)


def _content(
    planned: list[tuple[str, FrozenNwb]], frozen: list[Frozen], about: About, claims: str | None
) -> dict[str, str]:
    """What the release is, apart from when it was made: the same content is the same release."""
    found = {
        "about": text_sha256(_json(about.model_dump())),
        "claims": "standard" if claims is None else text_sha256(claims),
    }
    found |= {f"{DANDISET}/{path}": nwb.file.version for path, nwb in planned}
    return found | {f"tables/{one.kind}/{one.session}.parquet": one.version for one in frozen}


def _standing(folder: Path, content: Mapping[str, str]) -> Release:
    if not (folder / RELEASE).is_file():
        raise ReleaseStands(f"{folder} is there and is no release; take it away.")
    release = open_release(folder)
    stood = release.told.get("content", {})
    first = next((name for name in sorted({*content, *stood}) if content.get(name) != stood.get(name)), None)
    if first is not None:
        raise ReleaseStands(
            f"The release {folder.name} stands with other content (first difference: {first}); it is never changed, "
            "so take another name."
        )
    hashes = read_manifest((folder / MANIFEST).read_text("utf-8"))
    first = next(iter(differences(folder, hashes)), None)
    due = anchor_of(folder)
    if first is not None or due not in {None, release.manifest_sha256}:
        raise ReleaseDiffers(
            f"The release {folder.name} stands and is not what it was: {first or f'{MANIFEST} is changed'}; take another "
            "name, or set it right."
        )
    if due is None:  # the machine stopped between the last two steps
        write_anchor(folder, release.manifest_sha256)
    return release


def _sessions(planned: list[tuple[str, FrozenNwb]], frozen: list[Frozen]) -> dict[str, Any]:
    return {
        nwb.file.session: {
            "path": path,
            "sha256": nwb.sha256,
            "written_at": nwb.file.written_at.isoformat(),
            "written_by": nwb.code,
            "made_from": nwb.made_from,
            "tables": {one.kind: one.version for one in frozen if one.session == nwb.file.session},
        }
        for path, nwb in planned
    }


def _put_tables(staging: Path, frozen: list[Frozen], *, may_copy: bool) -> dict[str, str]:
    paths = {one: f"tables/{one.kind}/{one.session}.parquet" for one in frozen}
    return {path: put(one, staging / path, may_copy=may_copy) for one, path in paths.items()}


def _claims(layout: Layout, claims: str | None) -> str:
    rows = read_nwb_rows(layout.root / one.path for one in layout.assets)
    text = standard_claims(rows) if claims is None else claims
    drift = first_drift(read_claims(text), rows)
    if drift is not None:
        raise BadClaim(f"The release is not made: {drift}.")
    return text


def _fill(
    staging: Path,
    texts: Mapping[str, str],
    hashes: dict[str, str],
    sessions: Mapping[str, str],
    about: About,
    code: str,
) -> None:
    """Write what tells of the release, the manifest last."""

    def write(path: str, text: str) -> None:
        (staging / path).write_text(text, "utf-8")
        fsync_file(staging / path)
        hashes[path] = text_sha256(text)

    for path, text in texts.items():
        write(path, text)
    hashes[f"{DANDISET}/dandiset.yaml"] = sha256_of(staging / DANDISET / "dandiset.yaml")
    n_bytes = sum((staging / path).stat().st_size for path in hashes)
    metadata = datacite_metadata(about, n_bytes)
    check_datacite(metadata)
    write(DATACITE, _json(metadata))
    sizes = {path: (sha256, (staging / path).stat().st_size) for path, sha256 in hashes.items()}
    write(CRATE, crate_text(about, sizes, sessions, code))
    (staging / MANIFEST).write_text(manifest_text(hashes), "utf-8")
    fsync_file(staging / MANIFEST)
    for folder in [path for path in staging.rglob("*") if path.is_dir()]:
        fsync_folder(folder)
    fsync_folder(staging)


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give a folder beside the release's place, which is gone afterwards unless it was renamed."""
    make_folder(folder.parent)
    for left in folder.parent.glob(f".{folder.name}.*{PART}"):
        if time.time() - left.stat().st_mtime > _LEFT_S:
            shutil.rmtree(left, ignore_errors=True)
    staging = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}{PART}")
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _json(values: object) -> str:
    try:
        return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    except UnicodeEncodeError as error:  # pragma: no cover - a surrogate in a TOML text cannot be
        raise BadAbout(f"What is said of the release is no text: {error}") from error
