"""Which raw files a session has, each hashed once. Finding them lives in `shares`, copying them in `receipt`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from os import cpu_count
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import pyarrow as pa

from map_assets.archive.reading import read_once
from map_assets.archive.tables import ARCHIVE_MANIFEST
from map_assets.vocabulary.errors import BadInput, PiecesDoNotFit, UnsafePath
from map_assets.vocabulary.files import FoundFile, Rejected, inside

SHA1_EQUAL = "spikeglx fileSHA1 equal"
_META_BYTES = 4 << 20
_BATCH = 512
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def make_manifest(
    session: str, files: Sequence[FoundFile], *, workers: int | None = None
) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Hash every file of a session, of every role.

    A SpikeGLX ``.bin`` whose ``.meta`` is among the files is compared, in the same read, with the ``fileSHA1`` that
    SpikeGLX wrote there when it closed the run. A meta without that line, or with 0 (recovered by hand, or made by
    CatGT), is no claim, and ``checks`` stays empty.

    Parameters
    ----------
    session : str
        The session key.
    files : sequence of FoundFile
        In any order.
    workers : int, optional
        Files read at a time; by default one a core, at most four.

    Returns
    -------
    manifest : pyarrow.Table
        ARCHIVE_MANIFEST, ordered by share and path; sizes and times as they stood around the read.
    rejected : tuple of Rejected
        Files that are links, leave their root, changed meanwhile, cannot be read, have a name that is not UTF-8, or
        (PiecesDoNotFit) whose bytes are not those that SpikeGLX wrote.
    """
    metas = {(file.share, file.relpath): file for file in files if file.relpath.suffix == ".meta"}

    def row(file: FoundFile) -> dict[str, Any] | Rejected:
        meta = metas.get((file.share, file.relpath.with_suffix(".meta"))) if file.relpath.suffix == ".bin" else None
        try:
            return {"session": session, **_hashed(file, meta)}
        except BadInput as error:
            return Rejected((file,) if meta is None else (file, meta), error)

    # the largest first, so that no worker is left alone with one at the end
    found = in_parallel(row, sorted(files, key=lambda file: -file.size), workers)
    rows = [item for item in found if not isinstance(item, Rejected)]
    rows.sort(key=lambda item: (item["share"], item["path"]))
    rejected = sorted(
        (item for item in found if isinstance(item, Rejected)), key=lambda item: str(item.files[0].relpath)
    )
    return ARCHIVE_MANIFEST.from_rows(rows), tuple(rejected)


def keep_the_gone(manifest: pa.Table, before: pa.Table) -> pa.Table:
    """Add the rows of an earlier manifest for files that the new one lacks: leaving a share is not leaving the session."""
    there = set(zip(manifest["share"].to_pylist(), manifest["path"].to_pylist(), strict=True))
    gone = [row for row in before.to_pylist() if (row["share"], row["path"]) not in there]
    if not gone:
        return manifest
    rows = sorted([*manifest.to_pylist(), *gone], key=lambda row: (row["share"], row["path"]))
    return ARCHIVE_MANIFEST.from_rows(rows)


def manifest_text(table: pa.Table) -> str:
    """Write a manifest that ``sha256sum -c``, run in the archive's root, understands with no software of ours.

    Parameters
    ----------
    table : pyarrow.Table
        ARCHIVE_RECEIPT (its archive paths are taken), or ARCHIVE_MANIFEST (the paths are those of first copies).

    Returns
    -------
    str
        One line a file, ordered by path, in BagIt's form ``{sha256}  {path}``; backslashes and line ends in a name
        are written as sha256sum writes them, and such a line begins with a backslash.
    """
    lines = []
    for row in table.to_pylist():
        path = row.get("archive_path") or str(archive_path(row["session"], row["share"], row["path"]))
        escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        lines.append((path, f"{'' if escaped == path else chr(92)}{row['sha256']}  {escaped}\n"))
    return "".join(line for _, line in sorted(lines))


def archive_path(session: str, share: str, path: str) -> PurePosixPath:
    """Where a file's first copy stands under the archive's root: ``{session}/{share}/{path}``."""
    return PurePosixPath(session, share, path)


def in_parallel(work: Callable[[_Item], _Result], items: Iterable[_Item], workers: int | None) -> list[_Result]:
    """Do `work` on all items in threads (hashing and file access release the interpreter), results in order."""
    found: list[_Result] = []
    remaining = iter(items)
    with ThreadPoolExecutor(workers or min(4, cpu_count() or 1)) as pool:
        while batch := list(islice(remaining, _BATCH)):
            found.extend(pool.map(work, batch))
    return found


def _hashed(file: FoundFile, meta: FoundFile | None) -> dict[str, Any]:
    path = _plain(file)
    claim = {} if meta is None else _read_meta(meta)
    claimed_sha1 = claim.get("fileSHA1", "0").upper()
    has_claim = claimed_sha1 not in {"", "0"}
    if has_claim and claim.get("fileSizeBytes", str(file.size)) != str(file.size):
        raise _unlike_meta(file, f"it has {file.size} bytes", f"{claim['fileSizeBytes']} bytes")
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    status = read_once(path, sha256.update, *([sha1.update] if has_claim else []))
    if has_claim and sha1.hexdigest().upper() != claimed_sha1:
        raise _unlike_meta(file, f"its SHA-1 is {sha1.hexdigest().upper()}", claimed_sha1)
    return {
        "share": file.share,
        "path": str(file.relpath),
        "role": file.role,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": sha256.hexdigest(),
        "checks": SHA1_EQUAL if has_claim else "",
    }


def _plain(file: FoundFile) -> Path:
    """Return the file's path, resolved under its root, if its name can be written down."""
    todo = "Rename the file."
    if file.relpath.is_absolute():
        raise UnsafePath(
            str(file.relpath), "it is not under its share's root", expected="a path under the root", todo=todo
        )
    try:
        str(file.relpath).encode("utf-8")
    except UnicodeEncodeError as error:
        name = ascii(str(file.relpath))
        raise UnsafePath(name, "its name is not UTF-8", expected="a name in UTF-8", todo=todo) from error
    return inside(file.root, Path(file.relpath))


def _read_meta(meta: FoundFile) -> Mapping[str, str]:
    """Read a SpikeGLX meta file's lines ``key=value``."""
    blocks: list[bytes] = []

    def keep(block: memoryview) -> None:
        if sum(map(len, blocks)) < _META_BYTES:
            blocks.append(bytes(block))

    read_once(_plain(meta), keep)
    lines = b"".join(blocks).decode("utf-8", errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _unlike_meta(file: FoundFile, found: str, expected: str) -> PiecesDoNotFit:
    return PiecesDoNotFit(
        file.path,
        found,
        expected=f"{expected} as SpikeGLX wrote into its meta file",
        todo="Copy both files anew from the acquisition computer.",
    )
