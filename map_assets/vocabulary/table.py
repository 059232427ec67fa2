"""A Table is an Arrow schema whose fields carry unit and meaning; it checks a frame against itself. Tables live in their rooms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.errors import TableDoesNotFit


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, what it means, its unit, and whether it may be null (unknown or not applicable)."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    nullable: bool = False

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with meaning and unit in its metadata."""
        return pa.field(self.name, self.type, self.nullable, {"meaning": self.meaning, "unit": self.unit})


def text(name: str, meaning: str, *, nullable: bool = False) -> Column:
    """Return a text column."""
    return Column(name, pa.string(), meaning, "", nullable)


def whole(name: str, meaning: str, *, unit: str = "", nullable: bool = False) -> Column:
    """Return a 64-bit whole-number column."""
    return Column(name, pa.int64(), meaning, unit, nullable)


def real(name: str, meaning: str, unit: str = "", *, nullable: bool = False) -> Column:
    """Return a 64-bit float column."""
    return Column(name, pa.float64(), meaning, unit, nullable)


def flag(name: str, meaning: str, *, nullable: bool = False) -> Column:
    """Return a true-or-false column."""
    return Column(name, pa.bool_(), meaning, "", nullable)


def many(name: str, item: pa.DataType, meaning: str, unit: str = "", *, nullable: bool = False) -> Column:
    """Return a column of lists."""
    return Column(name, pa.list_(item), meaning, unit, nullable)


def instant(name: str, meaning: str, *, nullable: bool = False) -> Column:
    """Return a column of instants, stored in UTC, us."""
    return Column(name, pa.timestamp("us", tz="UTC"), meaning, "", nullable)


SESSION = text("session", "session key: {animal}_{YYYYMMDD}_{HHMMSS}")


@dataclass(frozen=True)
class Table:
    """A table's declaration.

    Parameters
    ----------
    name : str
        Also the asset, the folder in the store and the anchor in the docs.
    meaning : str
        One sentence on what a row is.
    key : tuple of str
        Columns that together name a row; unique and never null.
    columns : tuple of Column
    is_open : bool
        Whether more columns than the declared ones may come (``metrics.csv`` brings what it brings).
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    is_open: bool = False

    def __post_init__(self) -> None:
        missing = set(self.key) - {column.name for column in self.columns}
        if missing:
            raise TableDoesNotFit(f"{self.name}: key columns {sorted(missing)} are not declared")

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the table's name, meaning and key in its metadata."""
        metadata = {"table": self.name, "meaning": self.meaning, "key": ",".join(self.key)}
        return pa.schema([column.field for column in self.columns], metadata)

    def empty(self) -> pa.Table:
        """Return the table without rows."""
        return self.schema.empty_table()

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Build and check a small table from rows; columns a row lacks are null."""
        found = list(rows)
        names = [column.name for column in self.columns]
        names += [name for row in found[:1] for name in row if name not in names]
        return self.from_columns({name: [row.get(name) for row in found] for name in names})

    def from_columns(self, columns: Mapping[str, Sequence[Any] | Any]) -> pa.Table:
        """Build and check a table from columns (arrays, lists or Arrow arrays); declared nullable columns may be left out.

        Raises
        ------
        TableDoesNotFit
            If a value cannot be what its column declares.
        """
        declared = {column.name: column for column in self.columns}
        n_rows = max((len(values) for values in columns.values()), default=0)
        arrays: dict[str, pa.Array] = {}
        for name, column in declared.items():
            if name not in columns and not column.nullable:
                raise TableDoesNotFit(f"{self.name}: column {name} is missing")
            values = columns[name] if name in columns else pa.nulls(n_rows, column.type)
            arrays[name] = self._array(column, values)
        for name in columns:
            if name not in declared:
                arrays[name] = pa.array(columns[name], from_pandas=True)
        return self.check(pa.table(arrays))

    def _array(self, column: Column, values: Any) -> pa.Array:
        try:
            if isinstance(values, pa.Array | pa.ChunkedArray):
                return values.cast(column.type)
            if pa.types.is_integer(column.type):
                # asked for whole numbers at once, Arrow would cut 2.5 to 2; the cast refuses to
                return _numbers(values).cast(column.type)
            return pa.array(values, column.type, from_pandas=pa.types.is_floating(column.type) or None)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError) as error:
            raise TableDoesNotFit(f"{self.name}.{column.name}: {error}; expected {column.type}") from error

    def check(self, data: pa.Table) -> pa.Table:
        """Return `data` in the declared column order and types, or say what breaks the declaration.

        Raises
        ------
        TableDoesNotFit
            On a missing, surplus or wrongly typed column, a null where none may be, or a repeated key.
        """
        declared = {column.name for column in self.columns}
        missing = [column.name for column in self.columns if column.name not in data.column_names]
        surplus = [name for name in data.column_names if name not in declared]
        if missing or (surplus and not self.is_open):
            raise TableDoesNotFit(f"{self.name}: missing columns {missing}, surplus columns {surplus}")
        arrays = [self._array(column, data[column.name]) for column in self.columns]
        fields = [column.field for column in self.columns]
        for column, array in zip(self.columns, arrays, strict=True):
            if array.null_count and (not column.nullable or column.name in self.key):
                raise TableDoesNotFit(f"{self.name}.{column.name}: {array.null_count} of {len(array)} values are null")
        for name in surplus:
            arrays.append(data[name])
            fields.append(pa.field(name, data[name].type, True))
        checked = pa.table(arrays, pa.schema(fields, self.schema.metadata))
        self._check_key(checked)
        return checked

    def check_pieces(self, pieces: Iterable[pa.Table]) -> tuple[int, int]:
        """Check a table that comes piece by piece; only its key is kept in memory.

        Returns
        -------
        tuple of int
            Rows and columns.

        Raises
        ------
        TableDoesNotFit
            As in `check`.
        """
        keys, n_columns = [], 0
        for piece in pieces:
            checked = self.check(piece)
            keys.append(checked.select(list(self.key)))
            n_columns = checked.num_columns
        key = pa.concat_tables(keys)
        self._check_key(key)
        return key.num_rows, n_columns

    def _check_key(self, data: pa.Table) -> None:
        if not self.key or data.num_rows < 2 or _rises(data, self.key):
            return
        groups = data.select(list(self.key)).group_by(list(self.key)).aggregate([([], "count_all")])
        if groups.num_rows != data.num_rows:
            repeated = groups.filter(pc.greater(groups["count_all"], 1)).slice(0, 1).to_pylist()[0]
            repeated.pop("count_all")
            raise TableDoesNotFit(f"{self.name}: the key {repeated} stands more than once")


def _rises(data: pa.Table, key: Sequence[str]) -> bool:
    """Whether a key of whole numbers (and of texts that are the same in every row) rises from row to row.

    Most tables are written in the order of their keys; seeing that takes a tenth of the time of looking for equal ones.
    """
    is_above: NDArray[np.bool_] = np.zeros(data.num_rows - 1, bool)
    is_equal = ~is_above
    for name in key:
        column = data[name]
        if pa.types.is_string(column.type):
            if not pc.all(pc.equal(column, column[0])).as_py():
                return False
            continue
        if not pa.types.is_integer(column.type):
            return False
        values = column.to_numpy()
        is_above |= is_equal & (values[1:] > values[:-1])
        is_equal &= values[1:] == values[:-1]
    return bool(is_above.all())


def _numbers(values: Any) -> pa.Array:
    found = pa.array(values, from_pandas=True)
    kind = found.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise TypeError(f"values are {kind}")
    return found


@dataclass(frozen=True)
class Verdict:
    """What a check found: whether its claim holds, in a sentence, with figures."""

    passed: bool
    description: str
    figures: Mapping[str, float | int | str | bool] | None = None
