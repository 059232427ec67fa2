"""The store: tables and files of sessions in one folder. What a table means lives with the room that declares it.

::

    {root}/tables/{table}/{session}.parquet                   what stands now
    {root}/files/{kind}/{session}{suffix}                     figures, NWB files, receipts
    {root}/history/{table or kind}/{session}/{instant}-{sha256[:16]}{suffix}   every version, the present one too

A version in the history is a hard link to what stands (a copy where the file system has no links), so the present
version costs its bytes once. Writing the same bytes again makes no new version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from map_assets.store.atomic import fsync_folder, replacing
from map_assets.vocabulary.errors import NoSuchTable, UnsafePath
from map_assets.vocabulary.table import Table

VALUES_A_GROUP = 2**20
"""Values of a list column in one row group of a file, about."""
_MOST_ROWS_A_GROUP = 2**20
_INSTANT = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Version:
    """One written version of a table or file.

    Parameters
    ----------
    path : pathlib.Path
        Where it stands now.
    sha256 : str
        Of its bytes, lower-case hex.
    n_bytes : int
    n_rows : int or None
        Rows, for a table.
    is_new : bool
        False where the same bytes stood already.
    """

    path: Path
    sha256: str
    n_bytes: int
    n_rows: int | None
    is_new: bool


def _safe(part: str) -> str:
    if not part or part in {".", ".."} or "/" in part or "\\" in part or "\0" in part:
        raise UnsafePath(
            part or "(empty)", "it cannot be a file name", expected="a plain name", todo="Use the session key."
        )
    return part


class Store:
    """The lab's tables and files.

    Parameters
    ----------
    root : pathlib.Path or str
        Folder; made when something is first written.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    # -- where things are ------------------------------------------------------------------------------------------
    def table_path(self, table: str, session: str) -> Path:
        """Where a session's table stands."""
        return self.root / "tables" / _safe(table) / f"{_safe(session)}.parquet"

    def file_path(self, kind: str, session: str, suffix: str) -> Path:
        """Where a session's file of a kind stands."""
        return self.root / "files" / _safe(kind) / f"{_safe(session)}{suffix}"

    def has(self, table: str, session: str) -> bool:
        """Whether the session's table stands."""
        return self.table_path(table, session).is_file()

    def sessions(self, table: str = "sessions") -> list[str]:
        """Keys of all sessions that have the table, in order."""
        folder = self.root / "tables" / _safe(table)
        return sorted(path.stem for path in folder.glob("*.parquet"))

    def tables(self) -> list[str]:
        """Names of the tables of which anything stands."""
        folder = self.root / "tables"
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    # -- tables ------------------------------------------------------------------------------------------------------
    def write(self, table: Table, session: str, data: pa.Table) -> Version:
        """Check a table against its declaration and put it in the place of the one that stands.

        Raises
        ------
        TableDoesNotFit
            If `data` breaks the declaration; nothing is written then.
        """
        checked = table.check(data)
        encodings = dict.fromkeys(_integer_leaves(checked.schema), "DELTA_BINARY_PACKED")

        def write(part: Path) -> None:
            pq.write_table(
                checked,
                part,
                compression="zstd",
                use_dictionary=_text_leaves(checked.schema),
                column_encoding=encodings or None,
                row_group_size=_rows_a_group(checked),
            )

        version = self._put(self.table_path(table.name, session), table.name, session, ".parquet", write)
        return Version(version.path, version.sha256, version.n_bytes, checked.num_rows, version.is_new)

    def read(
        self, table: str, session: str, columns: Iterable[str] | None = None, as_of: datetime | None = None
    ) -> pa.Table:
        """Read a session's table.

        Parameters
        ----------
        columns : iterable of str, optional
            Only these.
        as_of : datetime.datetime, optional
            What stood then, instead of now.

        Raises
        ------
        NoSuchTable
            If the session has no such table (or had none then).
        """
        path = self.table_path(table, session) if as_of is None else self._version_as_of(table, session, as_of)
        if path is None or not path.is_file():
            raise NoSuchTable(
                f"No table {table} of session {session} in {self.root}; it is made once its inputs are there."
            )
        return pq.read_table(path, columns=None if columns is None else list(columns), partitioning=None)

    def read_groups(self, table: str, session: str) -> Iterator[pa.Table]:
        """Read a session's table piece by piece, in bounded memory; one without rows is one empty piece.

        Raises
        ------
        NoSuchTable
            If the session has no such table.
        """
        if not self.has(table, session):
            raise NoSuchTable(f"No table {table} of session {session} in {self.root}.")
        with pq.ParquetFile(self.table_path(table, session)) as file:
            if not file.num_row_groups:
                yield file.schema_arrow.empty_table()
            for group in range(file.num_row_groups):
                yield file.read_row_group(group)

    def read_if_there(self, table: str, session: str) -> pa.Table | None:
        """Read a session's table, or return None where there is none."""
        return self.read(table, session) if self.has(table, session) else None

    # -- files -------------------------------------------------------------------------------------------------------
    def write_file(self, kind: str, session: str, suffix: str, write: Callable[[Path], None]) -> Version:
        """Let `write` fill a temporary path, then put it in the place of the session's file of that kind."""
        return self._put(self.file_path(kind, session, suffix), kind, session, suffix, write)

    # -- versions ------------------------------------------------------------------------------------------------------
    def version(self, kind: str, session: str, suffix: str = ".parquet") -> str | None:
        """The first 16 hex digits of the sha256 of what stands, or None; read from the history, not from the bytes."""
        versions = self.history(kind, session, suffix)
        return versions[-1][1] if versions else None

    def standing(self, table: str, session: str) -> Version:
        """Tell the version of a session's table that stands, hashed anew.

        Raises
        ------
        NoSuchTable
            If the session has no such table.
        """
        path = self.table_path(table, session)
        if not path.is_file():
            raise NoSuchTable(f"No table {table} of session {session} in {self.root}.")
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return Version(path, sha256, path.stat().st_size, pq.read_metadata(path).num_rows, False)

    def history(self, kind: str, session: str, suffix: str = ".parquet") -> list[tuple[datetime, str, Path]]:
        """Every version of a session's table or file: when it was written, hash, path; oldest first."""
        folder = self.root / "history" / _safe(kind) / _safe(session)
        found = []
        for path in sorted(folder.glob(f"*-*{suffix}")) if folder.is_dir() else []:
            instant, _, rest = path.name.partition("-")
            found.append((datetime.strptime(instant, _INSTANT).replace(tzinfo=UTC), rest[:16], path))
        return found

    def _version_as_of(self, table: str, session: str, as_of: datetime) -> Path | None:
        paths = [path for written, _, path in self.history(table, session) if written <= as_of]
        return paths[-1] if paths else None

    def _put(self, target: Path, kind: str, session: str, suffix: str, write: Callable[[Path], None]) -> Version:
        folder = self.root / "history" / _safe(kind) / _safe(session)
        with replacing(target) as part:
            write(part)
            with part.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            n_bytes = part.stat().st_size
            is_new = self.version(kind, session, suffix) != sha256[:16] or not target.is_file()
        # after the replacement, so that the history never tells of a version that did not stand; a link that a crash
        # left out is made up for when the same bytes are written again
        if is_new:
            folder.mkdir(parents=True, exist_ok=True)
            _link(target, folder / f"{datetime.now(UTC).strftime(_INSTANT)}-{sha256[:16]}{suffix}")
        return Version(target, sha256, n_bytes, None, is_new)


def _link(source: Path, target: Path) -> None:
    """Give `source` a second name; where links are not to be had, copy."""
    try:
        os.link(source, target)
    except OSError:
        with replacing(target) as part:
            shutil.copyfile(source, part)
    fsync_folder(target.parent)


def _rows_a_group(data: pa.Table) -> int:
    """Rows of one Parquet row group, so that no column of it holds many more than `VALUES_A_GROUP` values.

    Someone who wants one unit's spikes reads one group, not all spikes of the session.
    """
    values = max((pc.sum(pc.list_value_length(column)).as_py() or 0 for column in data if _is_list(column)), default=0)
    return int(max(1, min(_MOST_ROWS_A_GROUP, data.num_rows * VALUES_A_GROUP // max(values, 1))))


def _is_list(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_list(column.type))


def _integer_leaves(schema: pa.Schema) -> list[str]:
    """Parquet paths of 32- and 64-bit integer columns and integer lists: deltas pack them four times smaller."""
    paths = []
    for field in schema:
        if pa.types.is_int64(field.type) or pa.types.is_int32(field.type):
            paths.append(field.name)
        elif pa.types.is_list(field.type) and pa.types.is_int64(field.type.value_type):
            paths.append(f"{field.name}.list.element")
    return paths


def _text_leaves(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_string(field.type)]
