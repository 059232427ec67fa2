"""A table of every session, by way of SQL where that is quicker than its files. Reading the files lives in `standing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.analyst.sql import Desk
    from map_assets.analyst.standing import Standing

_FEW: Final = 16
"""So many files are read as quickly one by one."""


def read_whole(desk: Desk, standing: Standing, name: str, columns: Sequence[str] | None) -> pa.Table | None:
    """Read a table of all sessions that have it, or None where that is better done file by file.

    Parameters
    ----------
    desk : Desk
    standing : Standing
    name : str
    columns : sequence of str or None
        Only these; None is all.

    Returns
    -------
    pyarrow.Table or None
        As `Standing.read` gives it; None where there are few files, or lists or undeclared columns are asked for.
    """
    declared = standing.declared(name)
    fields = {field.name: field for field in declared.schema}
    wanted = list(fields) if columns is None else list(columns)
    is_plain = all(one in fields and not str(fields[one].type).startswith("list") for one in wanted)
    if not is_plain or not wanted or len(set(wanted)) < len(wanted) or len(standing.having(name)) <= _FEW:
        return None
    if columns is None and declared.is_open:
        return None
    import pyarrow as pa

    # names are declared ones; a file of before a column was declared does not have it
    chosen = ", ".join(f"'{one}'" for one in wanted)
    found = desk.over(f"select columns(name -> name in ({chosen})) from {{{name}}}", [name], None)  # noqa: S608
    for one in wanted:
        if one not in found.column_names:
            found = found.append_column(one, pa.nulls(found.num_rows, fields[one].type))
    schema = pa.schema([fields[one] for one in wanted], declared.schema.metadata)
    return found.select(wanted).cast(schema)
