"""Releases that stand: their names, their places and what each tells of itself. Making one lives in `release`, looking at it again in `verify`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from map_assets.publication.errors import NoSuchRelease
from map_assets.publication.manifest import MANIFEST
from map_assets.store import Store, replacing
from map_assets.vocabulary.files import sha256_of

RELEASE = "release.json"
CLAIMS = "claims.toml"
CITATION = "CITATION.cff"
DATACITE = "datacite.json"
DANDISET = "dandiset"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TAKEN = (".sha256", ".part", ".jsonl", ".json", ".lock")


@dataclass(frozen=True)
class Release:
    """A release that stands.

    Parameters
    ----------
    folder : pathlib.Path
    told : mapping
        Content of ``release.json``.
    manifest_sha256 : str
        Of ``manifest-sha256.txt``: names the whole content.
    is_new : bool
        False where it stood already.
    """

    folder: Path
    told: Mapping[str, Any]
    manifest_sha256: str
    is_new: bool = False

    @property
    def name(self) -> str:
        """The release's name."""
        return str(self.told["name"])


def releases_folder(store: Store) -> Path:
    """Where a store's releases stand."""
    return store.root / "releases"


def check_name(name: str) -> str:
    """Return a release's name, if it can be one.

    Raises
    ------
    NoSuchRelease
        If it is no plain file name.
    """
    if not _NAME.fullmatch(name) or name.endswith(_TAKEN):
        raise NoSuchRelease(f"{name!r} cannot name a release; take letters, digits, dots, hyphens and underscores.")
    return name


def write_anchor(folder: Path, manifest_sha256: str) -> None:
    """Write the manifest's hash beside the release, so that a manifest edited with its files does not pass."""
    with replacing(folder.with_name(folder.name + ".sha256")) as part:
        part.write_text(f"{manifest_sha256}  {folder.name}/{MANIFEST}\n", "utf-8")


def anchor_of(folder: Path) -> str | None:
    """Read the manifest's hash that stands beside a release; None where none does."""
    beside = folder.with_name(folder.name + ".sha256")
    return beside.read_text("utf-8").partition(" ")[0].strip() if beside.is_file() else None


def open_release(folder: Path) -> Release:
    """Open a release that stands.

    Raises
    ------
    NoSuchRelease
        If there is none, or it cannot be read.
    """
    try:
        told = json.loads((folder / RELEASE).read_text("utf-8"))
        return Release(folder, {"name": folder.name, **told}, sha256_of(folder / MANIFEST))
    except FileNotFoundError as error:
        raise NoSuchRelease(f"There is no release {folder.name} in {folder.parent}.") from error
    except (OSError, ValueError, TypeError) as error:
        raise NoSuchRelease(f"{folder / RELEASE} cannot be read ({error}).") from error


def list_releases(releases: Path) -> list[Release]:
    """Open every release of a folder, the oldest first."""
    folders = [path.parent for path in releases.glob(f"*/{RELEASE}") if not path.parent.name.startswith(".")]
    return sorted(
        (open_release(folder) for folder in folders), key=lambda one: (str(one.told.get("created_at")), one.name)
    )
