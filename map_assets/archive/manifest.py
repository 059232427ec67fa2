"""Which raw files a session has, each hashed once. Finding them lives in `shares`, copying them in `receipt`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, NamedTuple

import pyarrow as pa

from map_assets.archive.names import Said, said_by
from map_assets.archive.parallel import each_in_parallel
from map_assets.archive.reading import Marks, marks_of, read_once
from map_assets.archive.tables import ARCHIVE_MANIFEST
from map_assets.vocabulary.errors import BadInput, CompanionMissing, PiecesDoNotFit, UnsafePath
from map_assets.vocabulary.files import FoundFile, Rejected, inside

SHA1_EQUAL = "spikeglx fileSHA1 equal"
SHA1_UNKNOWN = "spikeglx fileSHA1 is 0"
_COLUMNS = ("share", "path", "role", "sha256", "checks", *Marks._fields, *Said._fields)
_TELL_EVERY_S = 0.5
_PIECE_ROWS = 2048
_META_BYTES = 4 << 20


class Hashed(NamedTuple):
    """How far the hashing of a session has come."""

    n_files: int
    of_files: int
    n_bytes: int
    of_bytes: int


Tell = Callable[[Hashed], object]


def make_manifest(
    session: str, files: Sequence[FoundFile], *, workers: int | None = None, tell: Tell | None = None
) -> tuple[pa.Table, tuple[Rejected, ...]]:
    """Hash every file of a session, of every role.

    A SpikeGLX ``.bin`` whose ``.meta`` is among the files is compared, in the same read, with the ``fileSHA1`` that
    SpikeGLX wrote there when it closed the run. A meta without that line is no claim; where it is 0 (recovered by
    hand, or made by CatGT) only the size is, and ``checks`` says so. A run that SpikeGLX has not closed is not hashed.

    Parameters
    ----------
    session : str
        The session key.
    files : sequence of FoundFile
        In any order.
    workers : int, optional
        Files read at a time; by default one a core, at most four.
    tell : callable, optional
        Told how far it has come: at most twice a second, and at the end; from any thread, one at a time.

    Returns
    -------
    manifest : pyarrow.Table
        ARCHIVE_MANIFEST, ordered by share and path; sizes and times as they stood around the read.
    rejected : tuple of Rejected
        Files that are links, leave their root, changed meanwhile, cannot be read, have a name that is not UTF-8, whose
        bytes are not those that SpikeGLX wrote (PiecesDoNotFit), or that it is still writing (CompanionMissing).
    """
    metas = {(file.share, file.relpath): file for file in files if file.relpath.suffix == ".meta"}
    tally = _Tally(len(files), sum(file.size for file in files), tell)

    def row(file: FoundFile) -> tuple[Any, ...] | Rejected:
        meta = metas.get((file.share, file.relpath.with_suffix(".meta"))) if file.relpath.suffix == ".bin" else None
        try:
            return _hashed(file, meta, tally)
        except BadInput as error:
            return Rejected((file,) if meta is None else (file, meta), error)
        finally:
            tally.file_done()

    rows: list[tuple[Any, ...]] = []
    pieces: list[pa.Table] = []
    rejected: list[Rejected] = []
    # the largest first, so that no worker is left alone with one at the end
    for found in each_in_parallel(row, sorted(files, key=lambda file: -file.size), workers):
        if isinstance(found, Rejected):
            rejected.append(found)
            continue
        rows.append(found)
        if len(rows) == _PIECE_ROWS:
            pieces.append(_piece(session, rows))
            rows.clear()
    manifest = _ordered(pa.concat_tables([*pieces, _piece(session, rows)]))
    return manifest, tuple(sorted(rejected, key=lambda item: str(item.files[0].relpath)))


def keep_the_gone(manifest: pa.Table, before: pa.Table) -> pa.Table:
    """Add the rows of an earlier manifest for files that the new one lacks: leaving a share is not leaving the session."""
    gone = before.select(["share", "path"]).append_column("row", pa.array(range(before.num_rows), pa.int64()))
    gone = gone.join(manifest.select(["share", "path"]), ["share", "path"], join_type="left anti")
    if not gone.num_rows:
        return manifest
    rows = before.take(gone["row"])
    columns = {name: rows[name] for name in rows.column_names if name in manifest.column_names}
    return _ordered(pa.concat_tables([manifest, ARCHIVE_MANIFEST.from_columns(columns)]))


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
    if "archive_path" in table.column_names:
        paths = table["archive_path"].to_pylist()
    else:
        names = (table[name].to_pylist() for name in ("session", "share", "path"))
        paths = [str(archive_path(*each)) for each in zip(*names, strict=True)]
    lines = []
    for path, sha256 in sorted(zip(paths, table["sha256"].to_pylist(), strict=True)):
        escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        lines.append(f"{'' if escaped == path else chr(92)}{sha256}  {escaped}\n")
    return "".join(lines)


def archive_path(session: str, share: str, path: str) -> PurePosixPath:
    """Where a file's first copy stands under the archive's root: ``{session}/{share}/{path}``."""
    return PurePosixPath(session, share, path)


def _piece(session: str, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Some rows as Arrow, in which a hundred thousand take little room."""
    columns = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
    arrays = {"session": [session] * len(rows), **dict(zip(_COLUMNS, columns, strict=True))}
    fields = ARCHIVE_MANIFEST.schema
    return pa.table({field.name: pa.array(arrays[field.name], field.type) for field in fields}, fields)


def _ordered(table: pa.Table) -> pa.Table:
    return ARCHIVE_MANIFEST.check(table.sort_by([("share", "ascending"), ("path", "ascending")]).combine_chunks())


class _Tally:
    """Counts what was hashed, in whatever thread, and tells of it now and then."""

    def __init__(self, of_files: int, of_bytes: int, tell: Tell | None) -> None:
        self.of_files, self.of_bytes, self.tell = of_files, of_bytes, tell
        self.n_files = self.n_bytes = 0
        self._told = time.monotonic()
        self._lock = Lock()

    def block_done(self, block: memoryview) -> None:
        self._add(0, len(block))

    def file_done(self) -> None:
        self._add(1, 0)

    def _add(self, n_files: int, n_bytes: int) -> None:
        with self._lock:
            self.n_files += n_files
            self.n_bytes += n_bytes
            is_due = self.n_files == self.of_files or time.monotonic() - self._told > _TELL_EVERY_S
            if self.tell is not None and is_due:
                self._told = time.monotonic()
                self.tell(Hashed(self.n_files, self.of_files, self.n_bytes, self.of_bytes))


def _hashed(file: FoundFile, meta: FoundFile | None, tally: _Tally) -> tuple[Any, ...]:
    """Hash one file; values in the order of `_COLUMNS`."""
    path = _plain(file)
    claim = {} if meta is None else _read_meta(meta)
    if "typeThis" in claim and not claim.keys() & {"fileSHA1", "fileTimeSecs", "fileSizeBytes"}:
        raise CompanionMissing(
            file.path,
            "its meta file lacks what SpikeGLX writes when it closes a run",
            expected="a run that was closed",
            todo="It is taken up when SpikeGLX has closed it; after a crash, complete the meta file by hand.",
        )
    claimed_sha1 = claim.get("fileSHA1", "").upper()
    has_claim = claimed_sha1 not in {"", "0"}
    _check_size(file, file.size, claim)
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)

    def hash_and_count(block: memoryview) -> None:
        sha256.update(block)
        tally.block_done(block)

    status = read_once(path, hash_and_count, *([sha1.update] if has_claim else []))
    _check_size(file, status.st_size, claim)
    if has_claim and sha1.hexdigest().upper() != claimed_sha1:
        raise _unlike_meta(file, f"its SHA-1 is {sha1.hexdigest().upper()}", claimed_sha1)
    checks = SHA1_EQUAL if has_claim else SHA1_UNKNOWN if claimed_sha1 == "0" else ""
    relpath = str(file.relpath)
    said = said_by(file.relpath, file.role)
    return (file.share, relpath, file.role, sha256.hexdigest(), checks, *marks_of(status), *said)


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


def _check_size(file: FoundFile, size: int, claim: Mapping[str, str]) -> None:
    if claim.get("fileSizeBytes", str(size)) != str(size):
        raise _unlike_meta(file, f"it has {size} bytes", f"{claim['fileSizeBytes']} bytes")


def _unlike_meta(file: FoundFile, found: str, expected: str) -> PiecesDoNotFit:
    return PiecesDoNotFit(
        file.path,
        found,
        expected=f"{expected} as SpikeGLX wrote into its meta file",
        todo="Copy both files anew from the acquisition computer.",
    )
