"""How tables are handed to a script and taken back, as MATLAB or csv files in one folder. Who starts the script lives in `defs.grafts`.

The script finds a JSON file by the variable ``MAP_ASSETS_CONTEXT`` (the context of Dagster Pipes; ``extras`` holds
``session``, ``inputs``, ``output``, ``parameters``) and may tell what it does, a JSON line at a time, in the file of
``MAP_ASSETS_MESSAGES`` (Dagster Pipes' messages: ``opened``, ``log``, ``closed``).

``mat``: ``inputs.mat`` has one struct a table, with a field a column: numbers and flags are columns of doubles (unknown
is NaN), texts are cells of text (unknown is empty), lists are cells of columns of doubles, instants are ISO 8601. The
script saves ``output.mat`` with one variable a column.
``csv``: ``inputs/{table}.csv``; unknown is empty, flags are TRUE and FALSE, the values of a list are parted by ``;``. The
script writes ``output.csv``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.graft.declare import Graft, Script
from map_assets.vocabulary.errors import MapAssetsError

CONTEXT_VARIABLE = "MAP_ASSETS_CONTEXT"
MESSAGES_VARIABLE = "MAP_ASSETS_MESSAGES"
_EXACT = 2**53


class ScriptFailed(MapAssetsError):
    """A script ended badly, or wrote nothing that can be read."""


@dataclass(frozen=True)
class Call:
    """One call of a script: its name, what to start, in which folder, and what it is told."""

    name: str
    command: tuple[str, ...]
    folder: Path
    extras: Mapping[str, Any]


Launch = Callable[[Call], None]
"""Starts the call and returns when it has ended well.

Raises
------
ScriptFailed
"""


def run_script(graft: Graft, session: str, tables: Mapping[str, pa.Table], folder: Path, launch: Launch) -> pa.Table:
    """Hand tables to a graft's script, let `launch` run it, and take its table back.

    Parameters
    ----------
    graft : Graft
        One whose body is a `Script`.
    session : str
    tables : mapping of str to pyarrow.Table
    folder : pathlib.Path
        An empty folder, for the files.
    launch : callable

    Raises
    ------
    ScriptFailed
        If it fails or leaves no readable output.
    TableDoesNotFit
        If its output breaks the declaration.
    """
    script = graft.body
    assert isinstance(script, Script)
    inputs, output = folder / "inputs", folder / f"output.{script.form}"
    if script.form == "mat":
        inputs = folder / "inputs.mat"
        _write_mat(inputs, tables)
    else:
        inputs.mkdir()
        for name, table in tables.items():
            _write_csv(inputs / f"{name}.csv", table)
    told = {"session": session, "inputs": str(inputs), "output": str(output), "parameters": dict(graft.parameters)}
    launch(Call(script.path.name, _command(script), folder, told))
    if not output.is_file():
        raise ScriptFailed(
            f"The script {script.path.name} ended well and left no {output.name}; let it save its table."
        )
    columns = _read_mat(output) if script.form == "mat" else _read_csv(output, graft)
    return graft.fitted(session, columns)


def _command(script: Script) -> tuple[str, ...]:
    named = tuple(part.replace("{script}", str(script.path)) for part in script.command)
    return named if named != script.command else (*script.command, str(script.path))


def _write_mat(path: Path, tables: Mapping[str, pa.Table]) -> None:
    from scipy.io import savemat

    found = {name: {one: _matlab(table[one]) for one in table.column_names} for name, table in tables.items()}
    savemat(path, found, long_field_names=True, oned_as="column", do_compression=False)


def _matlab(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Turn a column into what `savemat` writes as the module's docstring says."""
    if pa.types.is_list(column.type):
        return _cells([np.asarray(value or [], np.float64) for value in column.to_pylist()])
    if pa.types.is_temporal(column.type):
        column = pc.strftime(column, format="%Y-%m-%dT%H:%M:%S%z")
    if pa.types.is_string(column.type):
        return _cells([value or "" for value in column.to_pylist()])
    if pa.types.is_integer(column.type):
        most = pc.max(pc.abs(column)).as_py()
        if most is not None and most >= _EXACT:
            raise ScriptFailed(f"A value of {most} is too large for a script's double.")
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)


def _cells(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    cells = np.empty((len(values), 1), object)
    for n, value in enumerate(values):
        cells[n, 0] = value
    return cells


def _read_mat(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        found = loadmat(path)
    except (ValueError, NotImplementedError, OSError) as error:
        raise ScriptFailed(f"{path.name} cannot be read: {error}; save it with -v6 or -v7.") from error
    return {name: _column(value) for name, value in found.items() if not name.startswith("__")}


def _column(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype != object:
        return [str(one) for one in array.ravel()] if array.dtype.kind in "US" else array.ravel()
    cells = [np.asarray(cell) for cell in array.ravel()]
    if all(cell.dtype.kind in "US" for cell in cells):
        return [str(cell.ravel()[0]) if cell.size else None for cell in cells]
    return [cell.ravel().tolist() for cell in cells]


def _write_csv(path: Path, table: pa.Table) -> None:
    import csv

    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.column_names)
        for row in zip(*(column.to_pylist() for column in table), strict=True):
            writer.writerow([_written(value) for value in row])


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, list):
        return ";".join(_written(one) for one in value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _read_csv(path: Path, graft: Graft) -> dict[str, Any]:
    """Read what a script wrote, each column as it is declared."""
    import csv

    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    if not rows:
        raise ScriptFailed(f"{path.name} is empty; expected at least a line with the columns' names.")
    types = {column.name: column.type for column in graft.table.columns}
    read: dict[str, Any] = {}
    for n, name in enumerate(rows[0]):
        cells = [row[n] if n < len(row) else "" for row in rows[1:]]
        try:
            read[name] = [_read_cell(cell, types.get(name, pa.string())) for cell in cells]
        except ValueError as error:
            raise ScriptFailed(f"{path.name}, column {name}: {error}; expected {types[name]}.") from error
    return read


def _read_cell(cell: str, kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return [_read_cell(one, kind.value_type) for one in cell.split(";")] if cell else []
    if cell in {"", "NA"}:
        return None
    if pa.types.is_boolean(kind):
        return cell.upper() in {"TRUE", "1"}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return float(cell)
    return cell
