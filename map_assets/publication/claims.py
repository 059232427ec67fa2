"""Numbers that a release stands for, as SQL over its NWB files, with the values expected. How the files are read lives in `nwb_rows`."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import pyarrow as pa

from map_assets.publication.errors import BadClaim

STANDARD = {
    "sessions": ("sessions", "select count(*) from sessions"),
    "subjects": ("subjects", "select count(distinct subject) from sessions"),
    "trials": ("trials", "select count(*) from trials"),
    "units": ("units", "select count(*) from units"),
    "spikes": ("spike times", "select coalesce(sum(n_spike_times), 0) from units"),
}
"""What is claimed where nobody wrote claims; `spikes` only where a file has units."""


_NEAR = 1e-9


@dataclass(frozen=True)
class Claim:
    """One number, or a few rows of them.

    Parameters
    ----------
    name : str
    says : str
        In words.
    sql : str
        One SELECT over `sessions`, `trials`, `units` and `electrodes`, as `nwb_rows` gives them.
    expected : value, or list of rows
        A single value, or rows in the query's order.
    within : float, optional
        Largest relative difference that is no difference. Without it whole numbers have to be equal, and others to
        1e-9, for what is summed in another order.
    """

    name: str
    says: str
    sql: str
    expected: Any
    within: float | None = None


def read_claims(text: str) -> tuple[Claim, ...]:
    """Read a claims file: ``[[claim]]`` with ``name``, ``says``, ``sql``, ``expected`` and, if need be, ``within``.

    Raises
    ------
    BadClaim
        If it is no TOML, or a claim lacks something or is named twice.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadClaim(f"The claims are no TOML: {error}.") from error
    found: list[Claim] = []
    rows = values.get("claim")
    if not isinstance(rows, list) or not rows or set(values) != {"claim"}:
        raise BadClaim("The claims hold no [[claim]], or something else beside them.")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise BadClaim(f"Claim {number} is no table with name, says, sql and expected.")
        missing = {"name", "says", "sql", "expected"} - set(row)
        surplus = set(row) - {"name", "says", "sql", "expected", "within"}
        if missing or surplus:
            raise BadClaim(
                f"Claim {row.get('name', number)} lacks {sorted(missing)} or has {sorted(surplus)} too many."
            )
        if any(one.name == row["name"] for one in found):
            raise BadClaim(f"The claim {row['name']} stands twice.")
        if not all(isinstance(row[name], str) for name in ("name", "says", "sql")):
            raise BadClaim(f"Claim {number}: name, says and sql are texts.")
        within = row.get("within")
        is_number = isinstance(within, int | float) and not isinstance(within, bool)
        if within is not None and not (is_number and 0 <= within < 1):
            raise BadClaim(f"Claim {row['name']}: within is a number from 0 to less than 1.")
        found.append(Claim(row["name"], row["says"], row["sql"], row["expected"], within))
    return tuple(found)


def standard_claims(tables: Mapping[str, pa.Table]) -> str:
    """Write the claims that every release can make, with the values that its files have now.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        As `nwb_rows.read_nwb_rows` gives them.
    """
    lines = ["# Numbers that this release stands for; they are counted anew in the NWB files whenever it is verified."]
    for name, (what, sql) in STANDARD.items():
        if name == "spikes" and "n_spike_times" not in tables["units"].column_names:
            continue
        (((value,),), *_) = (_rows(Claim(name, "", sql, None), _connect(tables)),)
        lines += ["", "[[claim]]", f"name = {json.dumps(name)}", f"says = {json.dumps(f'{value} {what}')}"]
        lines += [f"sql = {json.dumps(sql)}", f"expected = {value}"]
    return "\n".join(lines) + "\n"


def first_drift(claims: Sequence[Claim], tables: Mapping[str, pa.Table]) -> str | None:
    """Count anew and name the first claim that does not hold, and where; None if all do.

    Raises
    ------
    BadClaim
        If a query is no single SELECT or cannot be run.
    """
    connection = _connect(tables)
    for claim in claims:
        where = _difference(claim, _rows(claim, connection))
        if where is not None:
            return f"claim {claim.name} ({claim.says}): {where}"
    return None


def _connect(tables: Mapping[str, pa.Table]) -> Any:
    """Open DuckDB in memory with the tables, without a way to files, the network or other settings."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 2})
    for name, table in tables.items():
        connection.register("coming", table)
        connection.execute(f'create table "{name}" as select * from coming')  # noqa: S608 - our own names
        connection.unregister("coming")
    for statement in (
        "set timezone = 'UTC'",
        "set python_enable_replacements = false",
        "set autoinstall_known_extensions = false",
        "set autoload_known_extensions = false",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(statement)
    return connection


def _rows(claim: Claim, connection: Any) -> list[tuple[Any, ...]]:
    import duckdb

    try:
        kinds = [statement.type.name for statement in connection.extract_statements(claim.sql)]
        if kinds != ["SELECT"]:
            raise BadClaim(f"The claim {claim.name} is no single SELECT; it is {' and '.join(kinds) or 'empty'}.")
        rows: list[tuple[Any, ...]] = connection.execute(claim.sql).fetchall()
    except duckdb.Error as error:
        said = str(error).partition("\n\n")[0]
        raise BadClaim(f"The claim {claim.name} cannot be counted: {' '.join(said.split())}") from error
    return rows


def _difference(claim: Claim, rows: Sequence[Sequence[Any]]) -> str | None:
    """Say where rows and expectation first differ."""
    if not isinstance(claim.expected, list):
        if len(rows) != 1 or len(rows[0]) != 1:
            return f"expected the one value {claim.expected}, the files give {len(rows)} rows"
        return None if _same(claim.expected, rows[0][0], claim.within) else _told(claim.expected, rows[0][0])
    if len(rows) != len(claim.expected):
        return f"expected {len(claim.expected)} rows, the files give {len(rows)}"
    for number, (due, row) in enumerate(zip(claim.expected, rows, strict=True), 1):
        wanted = due if isinstance(due, list) else [due]
        for place, (one, other) in enumerate(zip_longest(wanted, row, fillvalue="nothing"), 1):
            if not _same(one, other, claim.within):
                return f"row {number}, column {place}: {_told(one, other)}"
    return None


def _told(expected: Any, found: Any) -> str:
    return f"expected {expected}, the files give {found}"


def _same(expected: Any, found: Any, within: float | None) -> bool:
    from decimal import Decimal

    if isinstance(expected, bool) or isinstance(found, bool) or found is None:
        return expected is found
    is_number = [isinstance(one, int | float | Decimal) for one in (expected, found)]
    if all(is_number):
        is_whole = isinstance(expected, int) and isinstance(found, int)
        near = _NEAR if within is None else within
        return expected == found or (
            not (is_whole and within is None) and math.isclose(expected, float(found), rel_tol=near, abs_tol=0.0)
        )
    return not any(is_number) and str(expected) == str(found)
