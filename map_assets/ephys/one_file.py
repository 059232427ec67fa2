"""The one file of several that must be one, and the file beside another. What files hold is read elsewhere in this room."""

from __future__ import annotations

from collections.abc import Sequence

from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, sha256_of

_CATGT = "_tcat."


def one_file(files: Sequence[FoundFile], whose: str, what: str) -> FoundFile:
    """Return the one file of several, if all of them have the same bytes.

    Parameters
    ----------
    files : sequence of FoundFile
        At least one.
    whose, what : str
        For the error: `probe 1`, `AP meta files`.

    Raises
    ------
    PiecesDoNotFit
        If they differ.
    """
    first, *others = sorted(files, key=lambda file: (file.share, file.relpath.as_posix()))
    if others and len({sha256_of(file.path) for file in files}) > 1:
        names = ", ".join(file.relpath.as_posix() for file in (first, *others))
        raise PiecesDoNotFit(
            first.path,
            f"{whose} has {len(files)} different {what}: {names}",
            expected="one",
            todo="Move those that are not this session's out of its folder.",
        )
    return first


def prefer_catgt(files: Sequence[FoundFile]) -> list[FoundFile]:
    """Return CatGT's output (``_tcat``) where there is any, else all: the sorters read that."""
    return [file for file in files if _CATGT in file.relpath.name] or list(files)


def bin_beside(meta: FoundFile, files: Sequence[FoundFile]) -> FoundFile | None:
    """Find the ``.bin`` of a ``.meta`` among the files; None where it is not there."""
    wanted = (meta.share, meta.relpath.with_suffix(".bin"))
    return next((file for file in files if (file.share, file.relpath) == wanted), None)
