"""Whether a release is still what it was: every file hashed again, every claim counted again. Making one lives in `release`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from map_assets.publication.claims import first_drift, read_claims
from map_assets.publication.crate import CRATE, crate_differences
from map_assets.publication.errors import NoSuchRelease, ReleaseDiffers
from map_assets.publication.manifest import MANIFEST, differences, read_manifest, text_sha256
from map_assets.publication.nwb_rows import read_nwb_rows
from map_assets.publication.shelf import CITATION, CLAIMS, DANDISET, DATACITE, RELEASE, anchor_of
from map_assets.vocabulary.errors import MapAssetsError

_EVERY_RELEASE = (RELEASE, CLAIMS, CITATION, DATACITE, CRATE, f"{DANDISET}/dandiset.yaml")
"""Files without which no release is made."""

_UNHELD = (
    f"{MANIFEST} can be held against nothing: its hash does not stand beside the release; give the one that was published "
    "(--sha256)"
)


@dataclass(frozen=True)
class Verified:
    """What a verification looked at and found.

    Parameters
    ----------
    name : str
    manifest_sha256 : str
    n_files, n_bytes, n_claims : int
    problems : tuple of str
        A sentence each, in the order found: files, description, claims; empty if the release is what it was.
    """

    name: str
    manifest_sha256: str
    n_files: int
    n_bytes: int
    n_claims: int
    problems: tuple[str, ...]

    def or_raise(self) -> Verified:
        """Return itself, if nothing differs.

        Raises
        ------
        ReleaseDiffers
            Naming the first difference.
        """
        if self.problems:
            more = f" ({len(self.problems)} differences in all)" if len(self.problems) > 1 else ""
            raise ReleaseDiffers(f"The release {self.name} is not what it was: {self.problems[0]}{more}.")
        return self


def verify_release(folder: Path, manifest_sha256: str | None = None) -> Verified:
    """Hash every file of a release again and count its claims in its NWB files again.

    Parameters
    ----------
    folder : pathlib.Path
        The release.
    manifest_sha256 : str, optional
        What its manifest must hash to; by default what stands beside the release. With neither, that is a problem.

    Raises
    ------
    NoSuchRelease
        If there is none.
    """
    if not (folder / MANIFEST).is_file():
        raise NoSuchRelease(f"There is no release {folder.name} in {folder.parent} (no {MANIFEST}).")
    text = (folder / MANIFEST).read_bytes().decode("utf-8", "replace")
    found = text_sha256(text)
    due = manifest_sha256.lower() if manifest_sha256 else anchor_of(folder)
    problems = [f"{MANIFEST} is changed: its sha256 is {found}, and was {due}"] if due not in {None, found} else []
    unheld = (_UNHELD,) if due is None else ()
    try:
        hashes = read_manifest(text)
    except ReleaseDiffers as error:
        return Verified(folder.name, found, 0, 0, 0, (*problems, str(error).rstrip("."), *unheld))
    problems += differences(folder, hashes)
    problems += _described(folder, hashes)
    n_claims, drift = _claims(folder, hashes)
    problems += drift
    n_bytes = sum((folder / path).stat().st_size for path in hashes if (folder / path).is_file())
    return Verified(folder.name, found, len(hashes), n_bytes, n_claims, (*problems, *unheld))


def _described(folder: Path, hashes: dict[str, str]) -> Iterator[str]:
    """Whether the release says itself what it is."""
    if CRATE in hashes and (folder / CRATE).is_file():
        yield from crate_differences((folder / CRATE).read_text("utf-8", "replace"), hashes)
    yield from (f"{path} is not in {MANIFEST}" for path in _EVERY_RELEASE if path not in hashes)
    try:
        told = json.loads((folder / RELEASE).read_text("utf-8"))
        paths = {f"{DANDISET}/{one['path']}": one["sha256"] for one in told["sessions"].values()}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"{RELEASE} cannot be read ({error!r})"
        return
    for path, sha256 in sorted(paths.items()):
        if hashes.get(path) != sha256:
            yield f"{RELEASE} and {MANIFEST} disagree on {path}"


def _claims(folder: Path, hashes: dict[str, str]) -> tuple[int, list[str]]:
    paths = [folder / path for path in sorted(hashes) if path.startswith(f"{DANDISET}/") and path.endswith(".nwb")]
    if not (folder / CLAIMS).is_file():
        return 0, []
    try:
        claims = read_claims((folder / CLAIMS).read_text("utf-8", "replace"))
        drift = first_drift(claims, read_nwb_rows(path for path in paths if path.is_file()))
    except MapAssetsError as error:
        return 0, [str(error).rstrip(".")]
    return len(claims), [] if drift is None else [drift]
