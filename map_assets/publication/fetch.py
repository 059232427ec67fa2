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
from map_assets.publication.manifest import MANIFEST, read_manifest, text_sha256
from map_assets.publication.shelf import RELEASE, check_name, write_anchor
from map_assets.store.atomic import fsync_folder
from map_assets.vocabulary.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    with _open(source, name, MANIFEST) as stream:
        text = stream.read(_MOST_MANIFEST).decode("utf-8", "replace")
    found = text_sha256(text)
    if manifest_sha256 not in {None, found}:
        raise ReleaseDiffers(
            f"The manifest of {name} hashes to {found}, and not to {manifest_sha256}; nothing is fetched."
        )
    hashes = read_manifest(text)
    if folder.exists():
        if (folder / MANIFEST).is_file() and sha256_of(folder / MANIFEST) == found:
            return folder
        raise ReleaseStands(f"{folder} stands and is another release; take another folder.")
    staging = folder.with_name(f".{name}.{found[:12]}.part")
    staging.mkdir(parents=True, exist_ok=True)
    for number, (path, sha256) in enumerate(sorted(hashes.items())):
        if tell is not None:
            tell(number, len(hashes), path)
        _fetch(source, name, path, sha256, staging / path)
    _is_the_one(staging / RELEASE, name)
    (staging / MANIFEST).write_text(text, "utf-8")
    try:
        staging.rename(folder)
    except OSError as error:
        raise ReleaseStands(f"{folder} was made by somebody else at this moment; fetch again to compare.") from error
    fsync_folder(to)
    write_anchor(folder, found)
    return folder


def _fetch(source: str, name: str, path: str, sha256: str, target: Path) -> None:
    if target.is_file() and sha256_of(target) == sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")  # another process may fetch the same
    digest = hashlib.sha256()
    try:
        with _open(source, name, path) as stream, part.open("wb") as out:
            while block := stream.read(_BLOCK):
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != sha256:
            raise ReleaseDiffers(
                f"{path} of the release {name} is changed: its sha256 is {digest.hexdigest()}, and should be {sha256}."
            )
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
def _open(source: str, name: str, path: str) -> Iterator[IO[bytes]]:
    """Open a file of a release, wherever it is."""
    kind = urlsplit(source).scheme
    missing = f"{source} has no {name}/{path}."
    if kind in {"http", "https"}:
        address = f"{source.rstrip('/')}/{quote(name)}/{quote(path)}"
        try:
            with urlopen(address, timeout=_TIMEOUT_S) as stream:  # noqa: S310 - http and https only
                yield stream
        except URLError as error:
            if getattr(error, "code", None) == 404:
                raise NoSuchRelease(missing) from error
            raise ServiceFailed(f"{address} cannot be fetched: {error.reason}.") from error
        except (OSError, ValueError, HTTPException) as error:
            raise ServiceFailed(f"{address} cannot be fetched: {error}.") from error
    elif kind == "":
        try:
            with (Path(source) / name / path).open("rb") as stream:
                yield stream
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NoSuchRelease(missing) from error
    else:
        raise ServiceFailed(f"{source} is neither a folder nor an address that begins with http or https.")
