"""Getting somebody's release over plain HTTP or from a folder, without an account; nothing stands before its hash does. Verifying lives in `verify`."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from map_assets.publication.errors import NoSuchRelease, ReleaseDiffers, ReleaseStands, ServiceFailed
from map_assets.publication.manifest import MANIFEST, differences, read_manifest, text_sha256
from map_assets.publication.shelf import RELEASE, anchor_of, check_name, write_anchor
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK = 2**20
_MOST_MANIFEST = 2**28
_TIMEOUT_S = 60.0
Told = Callable[[int, int, str], None]


def fetch_release(
    name: str, source: str, to: Path, *, manifest_sha256: str | None = None, tell: Told | None = None
) -> Path:
    """Fetch a release into ``{to}/{name}``; what was fetched before a break is not fetched twice.

    Parameters
    ----------
    source : str
        Address (http, https) or folder that holds ``{name}/manifest-sha256.txt``.
    manifest_sha256 : str, optional
        What the manifest must hash to, as the one who published it says.
    tell : callable, optional
        Called with the number of files there, of all, and the path, before each file.

    Raises
    ------
    NoSuchRelease
        If the source has no such release.
    ReleaseDiffers
        If a file or the manifest is not what its hash says, or it is the release of another name.
    ReleaseStands
        If another release stands there.
    ServiceFailed
        If the source cannot be reached.
    """
    folder = to / check_name(name)
    with _open(source, name, MANIFEST, _MOST_MANIFEST) as read:
        text = read().decode("utf-8", "replace")
    found = text_sha256(text)
    if manifest_sha256 is not None and manifest_sha256.lower() != found:
        raise ReleaseDiffers(
            f"The manifest of {name} hashes to {found}, and not to {manifest_sha256}; nothing is fetched."
        )
    hashes = read_manifest(text)
    if folder.exists():
        return _standing(folder, hashes, found)
    staging = folder.with_name(f".{name}.{found[:12]}.part")
    with _here(staging):
        staging.mkdir(parents=True, exist_ok=True)
    for number, (path, sha256) in enumerate(sorted(hashes.items())):
        if tell is not None:
            tell(number, len(hashes), path)
        _fetch(source, name, path, sha256, staging / path)
    _is_the_one(staging / RELEASE, name)
    with _here(staging):
        (staging / MANIFEST).write_text(text, "utf-8")
        for left in [one for one in staging.rglob("*") if not one.is_dir()]:
            if left.relative_to(staging).as_posix() not in {*hashes, MANIFEST}:
                left.unlink()  # a part of a file that a killed fetch left
    try:
        staging.rename(folder)
    except OSError as error:
        raise ReleaseStands(f"{folder} was made by somebody else at this moment; fetch again to compare.") from error
    fsync_folder(to)
    write_anchor(folder, found)
    return folder


def _standing(folder: Path, hashes: Mapping[str, str], manifest_sha256: str) -> Path:
    """Give back the release that stands, if it is this one and still what it was."""
    if not (folder / MANIFEST).is_file() or sha256_of(folder / MANIFEST) != manifest_sha256:
        raise ReleaseStands(f"{folder} stands and is another release; take another folder.")
    first = next(iter(differences(folder, hashes)), None)
    if first is not None:
        raise ReleaseDiffers(f"{folder} stands and is not what it was: {first}; take it away and fetch again.")
    if anchor_of(folder) is None:
        write_anchor(folder, manifest_sha256)
    return folder


@contextmanager
def _here(place: Path) -> Iterator[None]:
    """Tell of a folder that cannot be written to in one sentence."""
    try:
        yield
    except OSError as error:
        raise ServiceFailed(f"{error.filename or place} cannot be written ({error.strerror or error}).") from error


def _fetch(source: str, name: str, path: str, sha256: str, target: Path) -> None:
    with _here(target):
        if target.is_file() and sha256_of(target) == sha256:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
    # another process may fetch the same; the name is short, for the file's own may be as long as names can be
    part = target.with_name(f".{secrets.token_hex(6)}.part")
    digest = hashlib.sha256()
    try:
        with _open(source, name, path) as read, _here(part), part.open("wb") as out:
            while block := read():
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != sha256:
            raise ReleaseDiffers(
                f"{path} of the release {name} is changed: its sha256 is {digest.hexdigest()}, and should be {sha256}."
            )
        with _here(target):
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _is_the_one(file: Path, name: str) -> None:
    try:
        told = json.loads(file.read_text("utf-8"))["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        shutil.rmtree(file.parent, ignore_errors=True)
        raise ReleaseDiffers(f"What was fetched as {name} has no {RELEASE} that can be read ({error!r}).") from error
    if told != name:
        shutil.rmtree(file.parent, ignore_errors=True)
        raise ReleaseDiffers(f"What was fetched as {name} is the release {told}.")


@contextmanager
def _open(source: str, name: str, path: str, block: int = _BLOCK) -> Iterator[Callable[[], bytes]]:
    """Open a file of a release, wherever it is, and give what reads its next block; empty at the end."""
    kind = urlsplit(source).scheme
    if kind in {"http", "https"}:
        place = f"{source.rstrip('/')}/{quote(name)}/{quote(path)}"
        with _failing(source, name, path, place):
            stream: IO[bytes] = urlopen(place, timeout=_TIMEOUT_S)  # noqa: S310 - http and https only
    elif kind == "":
        place = str(Path(source) / name / path)
        with _failing(source, name, path, place):
            stream = Path(place).open("rb")  # noqa: SIM115 - closed below
    else:
        raise ServiceFailed(f"{source} is neither a folder nor an address that begins with http or https.")

    def read() -> bytes:
        with _failing(source, name, path, place):
            return stream.read(block)

    with stream:
        yield read


@contextmanager
def _failing(source: str, name: str, path: str, place: str) -> Iterator[None]:
    """Tell in one sentence that a file is not there, or cannot be read there."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NoSuchRelease(f"{source} has no {name}/{path}.") from error
    except URLError as error:
        if getattr(error, "code", None) == 404:
            raise NoSuchRelease(f"{source} has no {name}/{path}.") from error
        raise ServiceFailed(f"{place} cannot be fetched: {error.reason}.") from error
    except (OSError, ValueError, HTTPException) as error:
        raise ServiceFailed(f"{place} cannot be fetched: {error}.") from error
