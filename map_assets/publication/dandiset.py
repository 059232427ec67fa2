"""Sessions' NWB files under the names that the DANDI archive wants, and whether its own validation takes them. Uploading lives in `dandi_upload`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from map_assets.publication.about import About
from map_assets.publication.errors import NotPublishable
from map_assets.publication.extra import load
from map_assets.publication.frozen import FrozenNwb, freeze_nwb, plain_label, put
from map_assets.publication.yaml_text import yaml_text
from map_assets.store import Store, replacing
from map_assets.vocabulary.session import SessionKey

_NUMBER = re.compile("[0-9]{6}")
DANDISET_FILE = "dandiset.yaml"


@dataclass(frozen=True)
class DandiAsset:
    """One session's file in the dandiset: its path there, its sha256 and size, and what it was made from."""

    session: str
    path: str
    sha256: str
    size: int
    nwb: FrozenNwb


@dataclass(frozen=True)
class Layout:
    """A dandiset on this machine."""

    root: Path
    assets: tuple[DandiAsset, ...]


def asset_path(session: str, nwb: FrozenNwb) -> str:
    """Return a session's path in the dandiset: ``sub-445105/sub-445105_ses-20190228T151010_behavior+ecephys.nwb``.

    It follows from the file's subject, the session key and the file's modalities alone, so that it stays when other
    sessions come or go. ``dandi organize`` leaves ``ses-`` out where a subject has one file, and renames it later.
    """
    key = SessionKey.parse(session)
    subject = plain_label(nwb.subject)
    moment = f"{key.name_date:%Y%m%d}T{key.name_time:%H%M%S}"
    return f"sub-{subject}/sub-{subject}_ses-{moment}_{'+'.join(nwb.modalities)}.nwb"


def plan_layout(store: Store, sessions: Iterable[str], inputs: Collection[str]) -> list[tuple[str, FrozenNwb]]:
    """Name the path of every session's NWB file, in order of path.

    Raises
    ------
    NotPublishable
        If a session's file may not be published, or two would have one path or two subjects one label.
    """
    planned: dict[str, FrozenNwb] = {}
    subjects: dict[str, str] = {}
    for session in sorted(set(sessions)):
        nwb = freeze_nwb(store, session, inputs)
        path = asset_path(session, nwb)
        if path in planned:
            raise NotPublishable(f"{session} and {planned[path].file.session} would both be {path}.")
        label = plain_label(nwb.subject)
        if not label or subjects.setdefault(label.casefold(), nwb.subject) != nwb.subject:
            raise NotPublishable(f"The subject {nwb.subject!r} of {session} has no label of its own in a DANDI path.")
        planned[path] = nwb
    return sorted(planned.items())


def lay_out(
    planned: Sequence[tuple[str, FrozenNwb]],
    root: Path,
    about: About | None = None,
    dandiset: str | None = None,
    *,
    may_copy: bool = False,
) -> Layout:
    """Put sessions' NWB files under DANDI's names into a folder, as links, with ``dandiset.yaml``.

    What stands there already with the same content stays; doing it again changes nothing.

    Parameters
    ----------
    planned : sequence of tuple
        Path and file, as `plan_layout` gives them.
    dandiset : str, optional
        Six digits; before `about`'s.

    Raises
    ------
    NotPublishable
        If there is no session, the dandiset has no such number, or as `frozen.put` says.
    """
    if dandiset is not None and not _NUMBER.fullmatch(dandiset):
        raise NotPublishable(f"{dandiset!r} is no number of a dandiset; it has six digits, as in 000363.")
    assets = []
    for path, nwb in planned:
        sha256 = put(nwb.file, root / path, may_copy=may_copy)
        if sha256 != nwb.sha256:
            raise NotPublishable(f"The NWB file of {nwb.file.session} is not the one that its gates saw.")
        assets.append(DandiAsset(nwb.file.session, path, sha256, (root / path).stat().st_size, nwb))
    if not assets:
        raise NotPublishable("There is no session to publish; name some, or correct the condition.")
    with replacing(root / DANDISET_FILE) as part:
        part.write_text(yaml_text(_described(about, dandiset)), "utf-8")
    return Layout(root, tuple(assets))


def _described(about: About | None, dandiset: str | None) -> dict[str, Any]:
    number = dandiset or (about.dandiset if about else None)
    found: dict[str, Any] = {"identifier": f"DANDI:{number}" if number else "DANDI:000000"}
    if about is None:
        return {**found, "name": "Sessions not described yet"}
    people = [
        {
            "schemaKey": "Person",
            "name": one.name,
            "identifier": one.orcid,
            "email": one.email,
            "roleName": ["dcite:Author", *(["dcite:ContactPerson"] if one is about.contact else [])],
            "includeInCitation": True,
        }
        for one in about.author
    ]
    return {
        **found,
        "name": about.title,
        "description": about.description,
        "license": [f"spdx:{about.license}"],
        "keywords": list(about.keywords),
        "contributor": people,
    }


def check_layout(layout: Layout) -> list[str]:
    """Check a dandiset with DANDI's own validation, offline, and that it holds the files laid out and no other.

    DANDI's validation and upload pass over a file whose kind they do not know without a word; here every file counts.

    Returns
    -------
    list of str
        A sentence for each thing that is wrong, by path; empty if nothing is.
    """
    return sorted({*_unaccounted(layout), *_invalid(layout)})


def _unaccounted(layout: Layout) -> Iterator[str]:
    expected = {DANDISET_FILE, *(one.path for one in layout.assets)}
    there = {path.relative_to(layout.root).as_posix() for path in layout.root.rglob("*") if not path.is_dir()}
    yield from (
        f"{path}: nobody laid it out, and the upload would pass over it or take it along" for path in there - expected
    )
    yield from (f"{path}: it was laid out and is gone" for path in expected - there)
    dandi_files = load("dandi.files")
    known = {
        one.path for one in dandi_files.find_dandi_files(layout.root, dandiset_path=layout.root) if hasattr(one, "path")
    }
    yield from (
        f"{one.path}: DANDI does not recognise it"
        for one in layout.assets
        if one.path not in known | (expected - there)
    )


def _invalid(layout: Layout) -> Iterator[str]:
    load("dandi")
    severity = load("dandi.validate._types").Severity
    for one in load("dandi.validate._core").validate(layout.root):
        if one.severity is not None and one.severity >= severity.ERROR:
            path = Path(one.path) if one.path else layout.root
            where = path.relative_to(layout.root).as_posix() if path.is_relative_to(layout.root) else str(path)
            yield f"{where}: {one.id}: {' '.join(str(one.message).split())}"
