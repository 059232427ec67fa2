"""Puts exported files into a folder: nothing of somebody else's is written over, and what is there already is not made again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from map_assets.store import Store, replacing
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.files import sha256_of


class CannotExport(MapAssetsError):
    """A file cannot be put where it was asked for, or is not one to be given away."""


class NotTheBytes(CannotExport):
    """A file of the store is no more what its record says, or cannot be read."""


@dataclass(frozen=True)
class Placed:
    """One file of an export.

    Parameters
    ----------
    file : pathlib.Path
    size : int
        Bytes.
    sha256 : str
        Of its bytes, lower-case hex.
    state : str
        ``written``, ``replaced``, or ``already there``.
    """

    file: Path
    size: int
    sha256: str
    state: str


def versions_of(store: Store, session: str, names: Iterable[str]) -> list[str]:
    """Tell which version of each table stands."""
    return [f"{name} {store.version(name, session)}" for name in sorted(names)]


def stamp_from(facts: Iterable[object]) -> str:
    """Put all that a file is made from into 32 hex digits."""
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()[:32]


def place(target: Path, write: Callable[[Path], None], is_same: Callable[[Path], bool], *, overwrite: bool) -> Placed:
    """Write a file, unless it is there already.

    Parameters
    ----------
    target : pathlib.Path
        Its folder is made where there is none.
    write : callable
        Writes the file to a path, all or nothing.
    is_same : callable
        Whether a file that stands at the path is what would be written.
    overwrite : bool
        Whether another file may be replaced.

    Raises
    ------
    CannotExport
        If another file stands there and may not be replaced, or the folder cannot be written to.
    """
    try:
        is_there = target.exists() or target.is_symlink()
        if is_there and target.is_file() and not target.is_symlink() and is_same(target):
            return _placed(target, "already there")
        if is_there and (target.is_dir() or target.is_symlink()):
            raise CannotExport(f"{target} is a folder or a link, and no file is put in its place; choose another --to.")
        if is_there and not overwrite:
            raise CannotExport(
                f"{target} is there and holds something else, such as an export of earlier tables; --overwrite replaces it."
            )
        write(target)
        return _placed(target, "replaced" if is_there else "written")
    except OSError as error:
        raise CannotExport(f"{error.filename or target} cannot be used ({error.strerror or error}).") from error


def copy_verified(source: Path, target: Path, sha256: str) -> None:
    """Copy a file whose hash is known; what arrives is held against it before it stands.

    Raises
    ------
    NotTheBytes
        If the file holds others, or cannot be read.
    """
    with replacing(target) as part:
        digest = hashlib.sha256()
        with part.open("wb") as out:
            for chunk in _read(source):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != sha256:
            raise NotTheBytes(f"{source} does not hold the bytes that its record in the store names.")


def _read(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                yield chunk
    except OSError as error:
        raise NotTheBytes(f"{source} cannot be read ({error.strerror or error}).") from error


def _placed(target: Path, state: str) -> Placed:
    return Placed(target, target.stat().st_size, sha256_of(target), state)
