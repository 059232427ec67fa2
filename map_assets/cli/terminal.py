"""How the terminal speaks: tables or JSON on stdout; progress, news and errors on stderr. What is said lives with each command."""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
import typer.core

from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list of objects instead of a table.")]
Row = Mapping[str, Any]

_WIDE = 10_000
_MANY = 10
_QUIET_S = 1.0
_NEWS_EVERY_S = 5.0
TRACEBACK_VARIABLE = "MAP_ASSETS_TRACEBACK"


# -- tables ----------------------------------------------------------------------------------------------------------
def console(*, stderr: bool = False) -> Console:
    """Open stdout or stderr; where nobody watches, nothing is cut to a width."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found = Console(stderr=stderr, highlight=False, width=_WIDE)
    return found


def show(rows: Sequence[Row], *, as_json: bool, title: str = "", empty: str = "Nothing to show.") -> None:
    """Print rows as a table, or as JSON; a sentence where there is none.

    Parameters
    ----------
    rows : sequence of mapping
        All with the same keys, which are the columns' heads.
    as_json : bool
        Print a JSON list of the rows and nothing else.
    title : str
        Stands above the table.
    empty : str
        What to say (on stderr) where there are no rows.
    """
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(empty)
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for name in rows[0]:
        is_number = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(in_words(row.get(name))) for name in rows[0]))
    console().print(table)


def print_json(rows: Sequence[Row]) -> None:
    """Print rows as a JSON list of objects; what is not a number is null."""
    sys.stdout.write(json.dumps([plain(row) for row in rows], indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """Turn a value into what JSON knows."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def in_words(value: Any) -> str:
    """Write a value as it stands in a table's cell."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        shown = [in_words(item) for item in value[:_MANY]]
        return ", ".join(shown) + (f" ... ({len(value)} values)" if len(value) > _MANY else "")
    if isinstance(value, dict):
        return ", ".join(f"{key} {in_words(item)}" for key, item in value.items())
    return str(value)


def say(text: str) -> None:
    """Say a sentence on stderr."""
    typer.echo(text, err=True)


def tell(text: str = "") -> None:
    """Print a line on stdout."""
    typer.echo(text)


# -- progress --------------------------------------------------------------------------------------------------------
@dataclass
class Bar:
    """One progress bar: on a terminal it moves, elsewhere it is a line now and then."""

    stream: TextIO
    progress: Progress | None = None
    task: TaskID | None = None
    _next_s: float = field(default_factory=lambda: time.monotonic() + _QUIET_S)
    _last: str = ""

    def at(self, done: float | None, total: float | None, text: str) -> None:
        """Show how far it is; without a total the bar only shows that something is going on."""
        if self.progress is not None and self.task is not None:
            self.progress.update(self.task, completed=done or 0, total=total, description=text)
        elif text != self._last and time.monotonic() >= self._next_s:
            how_far = "" if done is None or total is None else f" ({done:g} of {total:g})"
            self.stream.write(f"{text}{how_far}\n")
            self.stream.flush()
            self._last, self._next_s = text, time.monotonic() + _NEWS_EVERY_S


@contextmanager
def progress(text: str) -> Iterator[Bar]:
    """Show on stderr that something is going on, while the block runs; nothing where it takes less than a second."""
    stream = sys.stderr  # kept: the block may send stderr elsewhere
    if not stream.isatty():
        yield Bar(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    errors = Console(file=stream, highlight=False)
    moving = Progress(*columns, console=errors, transient=True, redirect_stdout=False, redirect_stderr=False)
    with moving:
        yield Bar(stream, moving, moving.add_task(text, total=None))


# -- errors ----------------------------------------------------------------------------------------------------------
def sentence_of(error: BaseException) -> str | None:
    """Say an expected failure in one sentence; None if it was not expected."""
    of = type(error).__module__.partition(".")[0]
    if isinstance(error, MapAssetsError) or of in {"duckdb", "_duckdb"}:
        # what follows an empty line shows the place in a query; the first paragraph is the reason
        return " ".join(str(error).partition("\n\n")[0].split())
    if of == "sqlalchemy":
        reason = getattr(error, "orig", None) or error
        return f"The laboratory's database cannot be used as [registry] url says: {' '.join(str(reason).split())}"
    return None


class House(typer.core.TyperGroup):
    """The whole command: turns what its commands raise into a sentence and an exit code."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command; a failure is told in one sentence and exits with 1."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:  # the last door: nobody is shown a traceback who did not ask for it
            if hasattr(error, "exit_code"):  # typer's own: wrong usage
                raise
            if os.environ.get(TRACEBACK_VARIABLE, "") not in {"", "0"}:
                say("".join(traceback.format_exception(error)).rstrip())
            expected = sentence_of(error)
            if expected is not None:
                say(f"map-assets: {expected}")
            else:
                said = " ".join(str(error).split())
                say(
                    f"map-assets: {type(error).__name__}{': ' + said if said else ''} (not expected; "
                    f"`map-assets --traceback ...` or {TRACEBACK_VARIABLE}=1 shows where)"
                )
            raise typer.Exit(1) from error
