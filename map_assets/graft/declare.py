"""What a grafted analysis declares: its table, what it reads, its settings, claims and figure. Finding those installed lives in `installed`."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from map_assets.catalog import BY_NAME
from map_assets.figures.track_tables import page_table
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.table import Table, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.analyst.session import LabSession
    from map_assets.figures.drawing import Drawing, NotApplicable

Body = Callable[..., Any]
"""From an open session (`LabSession`) and the settings, by name, to a pandas frame, an Arrow table or columns."""
Draw = Callable[[str, Any], "Drawing | NotApplicable"]
"""From the session's key and its table, as a pandas frame, to a drawing."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CODE = (".py", ".m", ".R", ".r", ".toml", ".json", ".csv")


class GraftDoesNotFit(MapAssetsError):
    """A grafted analysis declares what cannot be."""


@dataclass(frozen=True)
class Claim:
    """A claim about what was made.

    Parameters
    ----------
    claim : callable
        From the Arrow tables named in `reads` to a `Verdict`; its name and first line are shown.
    reads : tuple of str
        By default the analysis' own table.
    is_blocking : bool
        Whether the figure, and promotion, wait when it does not hold.
    """

    claim: Callable[..., Verdict]
    reads: tuple[str, ...] = ()
    is_blocking: bool = True


@dataclass(frozen=True)
class Script:
    """A body in another language, run as a process of its own (Dagster Pipes).

    Parameters
    ----------
    path : pathlib.Path
    command : tuple of str
        Program and arguments; the script's path is put behind them, or in the place of ``{script}``.
    form : str
        How tables are handed over and taken back: ``mat`` (MATLAB 5) or ``csv``; see `script`.
    """

    path: Path
    command: tuple[str, ...] = ("octave-cli", "--no-gui", "--norc")
    form: Literal["mat", "csv"] = "mat"


@dataclass(frozen=True)
class Graft:
    """One analysis of a lab member; `analysis` and `by_script` make one.

    Parameters
    ----------
    table : Table
        What it makes; its name is the analysis' name.
    namespace : str
        Whose it is: the folder of the store that its results stay in until it is promoted.
    body : callable or Script
    reads, may_read : tuple of str
        Tables of the session that it must have, and those that it takes if they stand.
    lab_reads : tuple of str
        Tables of the whole laboratory.
    version : str
        Said by its author; its files' hash is watched beside it.
    parameters : mapping
        Its settings: handed to the body by name, part of what decides whether a result is stale.
    claims : tuple of Claim
    draw : callable, optional
        Its figure.
    meaning : str
        One sentence.

    Raises
    ------
    GraftDoesNotFit
        If names are taken or no names, or a table that it reads is none.
    """

    table: Table
    namespace: str
    body: Body | Script
    reads: tuple[str, ...]
    may_read: tuple[str, ...] = ()
    lab_reads: tuple[str, ...] = ()
    version: str = "1"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    draw: Draw | None = None
    meaning: str = ""

    def __post_init__(self) -> None:
        for what, name in (("table", self.table.name), ("namespace", self.namespace)):
            if not _NAME.fullmatch(name):
                raise GraftDoesNotFit(
                    f"The {what} {name!r} has no plain name; expected small letters, digits and underscores."
                )
        if self.table.name in BY_NAME or self.figure.name in BY_NAME:
            raise GraftDoesNotFit(f"There is a table {self.table.name} in the catalog already; take another name.")
        if "session" not in self.table.key:
            raise GraftDoesNotFit(f"{self.table.name}: the key {self.table.key} lacks session; put it first.")
        unknown = [name for name in (*self.reads, *self.may_read, *self.lab_reads) if name not in BY_NAME]
        if unknown:
            raise GraftDoesNotFit(
                f"{self.name} reads {', '.join(unknown)}, and there is no such table; `map-assets tables` lists all."
            )
        if not self.reads:
            raise GraftDoesNotFit(f"{self.name} reads nothing: name in `reads` the tables that it cannot do without.")
        try:
            json.dumps(dict(self.parameters), sort_keys=True)
        except TypeError as error:
            raise GraftDoesNotFit(f"{self.name}: its settings must be plain values ({error}).") from error

    def __call__(self, session: LabSession, **settings: Any) -> pa.Table:
        """Do it for one open session, as in a notebook; `settings` go before the declared ones.

        Raises
        ------
        TableDoesNotFit
            If what comes out breaks the declaration.
        GraftDoesNotFit
            If its body is a script, which only a run can do.
        """
        if isinstance(self.body, Script):
            raise GraftDoesNotFit(f"The body of {self.name} is a script; `map-assets graft run {self.name}` runs it.")
        return self.fitted(session.key, self.body(session, **{**self.parameters, **settings}))

    @property
    def name(self) -> str:
        """The analysis' and its table's name."""
        return self.table.name

    @property
    def figure(self) -> Table:
        """Declaration of the table that stands for its figure."""
        return page_table(f"{self.name}_figure", f"figure: {self.table.meaning}")

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables that it makes."""
        return (self.table,) if self.draw is None else (self.table, self.figure)

    @cached_property
    def source_sha256(self) -> str:
        """Hash of its package's files, so that a changed line makes its results stale."""
        digest = hashlib.sha256()
        for folder, path in _sources(self.body):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def fitted(self, session: str, found: Any) -> pa.Table:
        """Turn what a body gave (frame, Arrow table or columns) into the declared table; the session is filled in."""
        import pyarrow as pa

        if isinstance(found, pa.Table):
            columns = {name: found[name] for name in found.column_names}
        elif hasattr(found, "columns"):
            columns = {str(name): found[name].to_numpy() for name in found.columns}
        else:
            columns = dict(found)
        n_rows = max((len(values) for values in columns.values()), default=0)
        return self.table.from_columns({"session": pa.array([session] * n_rows, pa.string()), **columns})


def analysis(table: Table, *, namespace: str, reads: Sequence[str], **more: Any) -> Callable[[Body], Graft]:
    """Declare the decorated function as an analysis; see `Graft` for the keywords.

    Parameters
    ----------
    table : Table
    namespace : str
    reads : sequence of str
    **more
        ``may_read``, ``lab_reads``, ``version``, ``parameters``, ``claims`` (functions or `Claim`), ``draw``.

    Examples
    --------
    >>> @analysis(TABLE, namespace="susu", reads=("trials",), parameters={"window_s": 0.5})   # doctest: +SKIP
    ... def reaction(s, window_s):
    ...     '''How long after the go cue the animal licks.'''
    ...     return s.trials()[["trial"]].assign(...)
    """

    def declare(body: Body) -> Graft:
        meaning = (inspect.getdoc(body) or table.meaning).split("\n")[0]
        return _declared(table, namespace, body, reads, meaning, more)

    return declare


def by_script(
    table: Table, script: Script, *, namespace: str, reads: Sequence[str], meaning: str = "", **more: Any
) -> Graft:
    """Declare an analysis whose body is a script; see `Graft` for the keywords.

    Raises
    ------
    GraftDoesNotFit
        If the script is not there.
    """
    if not script.path.is_file():
        raise GraftDoesNotFit(f"{table.name}: there is no script {script.path}; name it from the package's own folder.")
    return _declared(table, namespace, script, reads, meaning or table.meaning, more)


def _declared(
    table: Table, namespace: str, body: Body | Script, reads: Sequence[str], meaning: str, more: Mapping[str, Any]
) -> Graft:
    known = {"may_read", "lab_reads", "version", "parameters", "claims", "draw"}
    if set(more) - known:
        raise GraftDoesNotFit(f"{table.name}: {', '.join(sorted(set(more) - known))} is nothing an analysis declares.")
    given = dict(more)
    given["claims"] = _claims(given.get("claims", ()))
    for name in ("may_read", "lab_reads"):
        given[name] = tuple(given.get(name, ()))
    return Graft(table, namespace, body, tuple(reads), meaning=meaning, **given)


def _claims(claims: Iterable[Claim | Callable[..., Verdict]]) -> tuple[Claim, ...]:
    return tuple(claim if isinstance(claim, Claim) else Claim(claim) for claim in claims)


def _sources(body: Body | Script) -> list[tuple[Path, Path]]:
    """Files that a body consists of, each with the folder it is named from: its package's, or its one module's."""
    if isinstance(body, Script):
        return [(body.path.parent, path) for path in _code_in(body.path.parent, body.path)]
    module = sys.modules.get(body.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        source = inspect.getsourcefile(body)
        return [] if source is None or not Path(source).is_file() else [(Path(source).parent, Path(source))]
    root = (module.__spec__.parent if module.__spec__ is not None else module.__package__) or ""
    package = sys.modules.get(root.partition(".")[0]) if root else None
    if package is None or not getattr(package, "__file__", None):
        return [(Path(file).parent, Path(file))]
    folder = Path(str(package.__file__)).parent
    return [(folder, path) for path in _code_in(folder, Path(file))]


def _code_in(folder: Path, first: Path) -> list[Path]:
    found = {path for path in folder.rglob("*") if path.suffix in _CODE and path.is_file()}
    return sorted(found | {first})
