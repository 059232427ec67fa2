"""The list of a release's files with their sha256, as ``sha256sum -c`` reads it. What the files are lives in `release`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from map_assets.publication.errors import ReleaseDiffers
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import sha256_of

MANIFEST = "manifest-sha256.txt"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def manifest_text(hashes: Mapping[str, str]) -> str:
    """Write one line a file, by path.

    Parameters
    ----------
    hashes : mapping of str to str
        The sha256 by path under the release's folder.
    """
    return "".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes))


def read_manifest(text: str) -> dict[str, str]:
    """Read the sha256 of every file by path.

    Raises
    ------
    ReleaseDiffers
        If a line is no line of a manifest, or a path leaves the folder.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or not is_inside(match[2]) or match[2] in found:
            raise ReleaseDiffers(f"{MANIFEST}, line {number} is no line of a manifest: {line[:120]!r}.")
        found[match[2]] = match[1]
    if not found:
        raise ReleaseDiffers(f"{MANIFEST} is empty.")
    return found


def is_inside(path: str) -> bool:
    """Whether a path of a manifest stays under its folder on every system."""
    parts = PurePosixPath(path).parts
    is_odd = path.startswith("/") or "\\" in path or ":" in path or "\0" in path or path == MANIFEST
    return bool(parts) and not is_odd and ".." not in parts and str(PurePosixPath(path)) == path


def text_sha256(text: str) -> str:
    """Hash a text's UTF-8 bytes; lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def differences(folder: Path, hashes: Mapping[str, str]) -> Iterator[str]:
    """Hash every file under a folder and yield a sentence for each that is missing, changed or nobody's, by path."""
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    }
    for path in sorted({*hashes, *there} - {MANIFEST}):
        if path not in there:
            yield f"{path} is missing"
        elif path not in hashes:
            yield f"{path} is not part of the release"
        elif (folder / path).is_symlink() or not (folder / path).is_file():
            yield f"{path} is no plain file"
        else:
            try:
                found = sha256_of(folder / path)
            except (BadInput, OSError) as error:
                yield f"{path} cannot be read ({error})"
                continue
            if found != hashes[path]:
                yield f"{path} is changed: its sha256 is {found}, and was {hashes[path]}"
