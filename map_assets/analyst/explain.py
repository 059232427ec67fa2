"""Where a row comes from: `Explanation`, with files, hashes, code, parameters and corrections. Reading the database lives in `records`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from map_assets.analyst.errors import NoSuchRow
from map_assets.vocabulary.errors import NoSuchTable

if TYPE_CHECKING:
    from map_assets.analyst.records import Correction, Records, StageEnd, TakenFile
    from map_assets.analyst.standing import Standing

Key = str | Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One table on the way, and how it was made.

    Parameters
    ----------
    table : str
    version : str
        First 16 hex digits of its sha256.
    written : datetime.datetime
    used : str or None
        Version that the step after it took; another one than `version` means that it has changed since. None where no
        record tells.
    stage, code, package, parameters : str or None
        What made it; None where no record tells.
    inputs : tuple of str
        Tables that it was made from.
    """

    table: str
    version: str
    written: datetime
    used: str | None = None
    stage: str | None = None
    code: str | None = None
    package: str | None = None
    parameters: str | None = None
    inputs: tuple[str, ...] = ()

    @property
    def has_changed(self) -> bool:
        """Whether another version stands than the one that was used."""
        return self.used is not None and self.used != self.version


@dataclass(frozen=True)
class Explanation:
    """Where a row comes from; a notebook shows it as a list.

    Parameters
    ----------
    table, session : str
    row : dict
        The row itself.
    steps : tuple of Step
        The row's table first, then what it was made from, each once, the nearest first.
    files : tuple of TakenFile
        Files of the shares that these steps took in.
    corrections : tuple of Correction
        What people changed about the session, its animal, sortings and tracings, oldest first.
    known : str
        Whether the database was there to be asked.
    """

    table: str
    session: str
    row: Mapping[str, Any]
    steps: tuple[Step, ...]
    files: tuple[TakenFile, ...] = ()
    corrections: tuple[Correction, ...] = ()
    known: str = ""

    def __str__(self) -> str:
        """Tell it in lines."""
        lines = [f"{self.table} of {self.session}"]
        for step in self.steps:
            by = f" by {step.stage}" if step.stage else ""
            code = f", code {step.code}" if step.code else ""
            code += f", map_assets {step.package}" if step.package else ""
            settings = f", parameters {step.parameters}" if step.parameters not in {None, "null"} else ""
            changed = f"; made from {step.used}, which has changed since" if step.has_changed else ""
            lines.append(
                f"  {step.table} {step.version}, {step.written:%Y-%m-%d %H:%M:%S} UTC{by}{code}{settings}{changed}"
            )
            if step.inputs:
                lines.append(f"    from {', '.join(step.inputs)}")
        for file in self.files:
            lines.append(f"  file {file.share}:{file.path}, {file.size} B, sha256 {file.sha256 or 'not hashed yet'}")
        for one in self.corrections:
            lines.append(f"  {one.about}, {one.at:%Y-%m-%d}, {one.who}: {one.what}{f' ({one.why})' if one.why else ''}")
        return "\n".join([*lines, *([f"  {self.known}"] if self.known else [])])

    def _repr_markdown_(self) -> str:
        return f"```\n{self}\n```"


def explain(standing: Standing, records: Records | None, table: str, key: Key) -> Explanation:
    """Tell where a row comes from; see `map_assets.analyst.lab.Lab.explain`."""
    session, row = _row(standing, table, key)
    ends = [] if records is None else records.stages(session)
    by_table = {name: end for end in ends for name in end.made}
    steps: list[Step] = []
    ahead: list[tuple[str, str | None]] = [(table, None)]
    seen = {table}
    while ahead:
        name, used = ahead.pop(0)
        found = _step(standing, name, session, used, by_table.get(name))
        if found is None:
            continue
        steps.append(found)
        inputs = by_table[name].inputs if name in by_table else {}
        fresh = {one: version for one, version in inputs.items() if version is not None and one not in seen}
        seen |= set(fresh)
        ahead += fresh.items()
    stages = {step.stage for step in steps}
    hashes = _hashes(standing, session)
    files = [] if records is None else [file for file in records.files(session) if file.stage in stages]
    known = (
        ""
        if records is not None
        else (
            "Only the store is known here: open the lab by its configuration to see code, parameters, files and corrections."
        )
    )
    return Explanation(
        table,
        session,
        row,
        tuple(steps),
        tuple(_hashed(file, hashes) for file in files),
        () if records is None else tuple(records.corrections(session)),
        known,
    )


def _row(standing: Standing, table: str, key: Key) -> tuple[str, dict[str, Any]]:
    """Find the row, and the session that it is of."""
    import pyarrow.compute as pc

    wanted = {"session": key} if isinstance(key, str) else dict(key)
    declared = standing.declared(table)
    if "session" not in wanted:
        raise NoSuchRow(f"A row of {table} is named by its session too; the key is {', '.join(declared.key)}.")
    unknown = set(wanted) - set(declared.schema.names) - {"session"}
    if unknown:
        raise NoSuchRow(f"Table {table} has no {', '.join(sorted(unknown))}; the key is {', '.join(declared.key)}.")
    session = standing.known(str(wanted["session"]))
    names = [column.name for column in declared.columns if not str(column.type).startswith("list")]
    rows = standing.read(table, session, names)
    for name, value in wanted.items():
        rows = rows.filter(pc.equal(rows[name], value))
    named = ", ".join(f"{name} {value}" for name, value in wanted.items())
    if rows.num_rows == 0:
        raise NoSuchRow(f"Table {table} has no row of {named}; the key is {', '.join(declared.key)}.")
    found = {"session": session} if rows.num_rows > 1 else dict(rows.to_pylist()[0])
    return session, found


def _step(standing: Standing, name: str, session: str, used: str | None, end: StageEnd | None) -> Step | None:
    try:
        versions = standing.versions(name, session)
    except NoSuchTable:
        return None
    if not versions:
        return None
    written, sha256 = versions[-1]
    if end is None:
        return Step(name, sha256, written, used)
    taken = tuple(one for one, version in end.inputs.items() if version is not None)
    return Step(name, sha256, written, used, end.stage, end.code, end.package, end.parameters, taken)


def _hashes(standing: Standing, session: str) -> dict[tuple[str, str], str]:
    """Hashes of the session's files, as the archive's manifest has them."""
    if session not in standing.having("archive_manifest"):
        return {}
    rows = standing.read("archive_manifest", session, ["share", "path", "sha256"]).to_pylist()
    return {(row["share"], row["path"]): row["sha256"] for row in rows}


def _hashed(file: TakenFile, hashes: Mapping[tuple[str, str], str]) -> TakenFile:
    return replace(file, sha256=file.sha256 or hashes.get((file.share, file.path)))
