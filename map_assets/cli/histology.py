"""Commands about the tracings of a session's probes: `histology list`, `changes`, `correct`, `review` and `undo`. What a correction does is decided in `ccf`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import has_database, services
from map_assets.vocabulary.errors import MapAssetsError
from map_assets.vocabulary.tracing import CORRECTION_KINDS

if TYPE_CHECKING:
    from map_assets.defs.services import Services
    from map_assets.lab.tracing_rules import CorrectionRecord
    from map_assets.store import Store

app = typer.Typer(help="Tracings of a probe: look, compare, correct, review, take back.", no_args_is_help=True)

Session = Annotated[str, typer.Argument(help="Key of the session.")]
Number = Annotated[int, typer.Argument(help="Number of the correction, as `histology list` shows it.")]
Who = Annotated[str | None, typer.Option(help="Who decides; kept in the log.", show_default="the user of this machine")]

_SHOWN = ("probe", "tracing", "is_current", "first_seen", "is_on_share", "n_positions", "n_track_points")
_ALSO = ("corrections", "corrections_left_out", "shanks_not_shifted")
_CORRECTION = ("correction_id", "probe", "tracing", "kind", "amount_um", "state", "who", "why", "at", "reviewed_by")
_MORE = ("reviewed_at", "is_own_review", "undone_by", "undone_why", "shank")


class NoSuchTracing(MapAssetsError):
    """A tracing was named that is not there."""


class CannotCorrect(MapAssetsError):
    """A correction that the tracing gives no ground for."""


@app.command("list")
def list_(
    session: Session,
    corrections: Annotated[
        bool,
        typer.Option("--corrections", help="List the corrections instead: also proposed ones, and those taken back."),
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """List every tracing of each probe, which is current, and what corrects it."""
    found = services()
    log = _log(found, session)
    if corrections:
        rows = [{name: getattr(one, name) for name in (*_CORRECTION, *_MORE)} for one in log]
        terminal.show(rows, as_json=as_json, empty=f"No tracing of {session} was corrected.")
        return
    tracings = _tracings(found.store, session)
    terminal.show([{name: row.get(name) for name in (*_SHOWN, *_ALSO)} for row in tracings], as_json=as_json)
    for one in log:
        if one.state != "taken back" and not _is_applied(one, tracings):
            terminal.say(_said(one, tracings))


@app.command()
def changes(session: Session, as_json: terminal.AsJson = False) -> None:
    """Show how far each shank's places moved from older tracings to the current one."""
    store = services().store
    _tracings(store, session)
    rows = store.read("tracing_changes", session).to_pylist() if store.has("tracing_changes", session) else []
    rows = [{name: value for name, value in row.items() if name != "session"} for row in rows]
    terminal.show(rows, as_json=as_json, empty=f"No probe of {session} was traced again.")


@app.command()
def correct(
    session: Session,
    probe: Annotated[int, typer.Argument(help="Number of the probe, as `histology list` shows it.")],
    kind: Annotated[
        str, typer.Argument(help="flip (mirror left and right), shift (move along the track) or drop (give up).")
    ],
    because: Annotated[str, typer.Option(help="What was seen; kept in the log.")],
    um: Annotated[float | None, typer.Option(help="How far a shift moves, um, towards the tip positive.")] = None,
    shank: Annotated[int | None, typer.Option(min=1, help="Only this shank, from 1.", show_default="all")] = None,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Propose a correction of a probe's current tracing; it changes nothing until it is reviewed."""
    found = services()
    if kind not in CORRECTION_KINDS:
        raise typer.BadParameter(f"{kind} is none of {', '.join(CORRECTION_KINDS)}.")
    tracings = _tracings(found.store, session)
    current = [row["tracing"] for row in tracings if row["probe"] == probe and row["is_current"]]
    if not current:
        probes = sorted({row["probe"] for row in tracings})
        raise NoSuchTracing(f"Probe {probe} of {session} has no tracing; probes {', '.join(map(str, probes))} have.")
    index = None if shank is None else shank - 1
    _can_be_corrected(found.store, session, probe, current[0], index, kind)
    made = found.tracing_corrections.correct(
        session, probe, current[0], kind, um, shank=index, who=_name(who), why=because
    )
    _answer(made, tracings, as_json=as_json)


@app.command()
def review(
    number: Number,
    because: Annotated[str | None, typer.Option(help="What the review found; kept in the log.")] = None,
    own: Annotated[
        bool, typer.Option("--own", help="Review a correction of one's own: there is nobody else to do it.")
    ] = False,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Put a proposed correction in force; who made it cannot, unless they say so."""
    found = services()
    made = found.tracing_corrections.review(number, who=_name(who), why=because, is_own=own)
    _answer(made, _tracings(found.store, made.session), as_json=as_json)


@app.command()
def undo(
    number: Number,
    because: Annotated[str | None, typer.Option(help="Why it is taken back; kept in the log.")] = None,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Take a correction back, in force or proposed; the log keeps it."""
    found = services()
    made = found.tracing_corrections.undo(number, who=_name(who), why=because)
    _answer(made, _tracings(found.store, made.session), as_json=as_json)


def _tracings(store: Store, session: str) -> list[dict[str, Any]]:
    if not store.has("tracings", session):
        raise NoSuchTracing(f"No histology of {session} was read yet; `map-assets sessions` lists the sessions.")
    rows: list[dict[str, Any]] = store.read("tracings", session).to_pylist()
    return rows


def _can_be_corrected(store: Store, session: str, probe: int, tracing: str, shank: int | None, kind: str) -> None:
    """Refuse to correct a shank that was not traced, and to shift one that has no line."""
    import pyarrow.compute as pc

    from map_assets.ccf.corrections import shanks_without_line

    names = ("traced_positions", "traced_tracks")
    if not all(store.has(name, session) for name in names):
        return
    is_its = (pc.field("probe") == probe) & (pc.field("tracing") == tracing)
    positions, tracks = (store.read(name, session).filter(is_its) for name in names)
    shanks = sorted({*positions["shank"].to_pylist(), *tracks["shank"].to_pylist()})
    if shank is not None and shank not in shanks:
        numbers = ", ".join(str(one + 1) for one in shanks)
        raise CannotCorrect(f"Shank {shank + 1} of probe {probe} of {session} was not traced; shanks {numbers} were.")
    lacking = shanks_without_line(positions, tracks, probe, shank) if kind == "shift" else []
    if lacking:
        numbers = ", ".join(str(one + 1) for one in lacking)
        raise CannotCorrect(
            f"Shank {numbers} of probe {probe} of {session} has no two different places to tell its line from; shift the "
            "others one by one with --shank."
        )


def _log(found: Services, session: str) -> list[CorrectionRecord]:
    return found.tracing_corrections.log(session) if has_database(found.config) else []


def _is_applied(one: CorrectionRecord, tracings: list[dict[str, Any]]) -> bool:
    """Whether the tables that stand carry a correction."""
    of_probe = [row for row in tracings if row["probe"] == one.probe and row["is_current"]]
    return any(str(one.correction_id) in (row["corrections"] or "").split(",") for row in of_probe)


def _said(one: CorrectionRecord, tracings: list[dict[str, Any]]) -> str:
    """Say what a correction does now, and what it waits for."""
    what = one.kind if one.amount_um is None else f"{one.kind} of {one.amount_um:+g} um"
    shank = "" if one.shank is None else f" shank {one.shank + 1}"
    text = f"Correction {one.correction_id} ({what}) of probe {one.probe}{shank} of {one.session} by {one.who}"
    current = {row["tracing"] for row in tracings if row["probe"] == one.probe and row["is_current"]}
    if one.state == "taken back":
        rest = "; the next `map-assets ingest` or the daemon goes without it" if _is_applied(one, tracings) else ""
        return f"{text} is taken back{rest}."
    if one.tracing not in current:
        return f"{text} was made for tracing {one.tracing}, which is not current any more: it is not applied."
    if one.state == "proposed":
        return (
            f"{text} is proposed: `map-assets histology review {one.correction_id}` by another person puts it in force."
        )
    return f"{text} is in force; the next `map-assets ingest` or the daemon applies it."


def _answer(one: CorrectionRecord, tracings: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        terminal.print_json([{"session": one.session, **{name: getattr(one, name) for name in (*_CORRECTION, *_MORE)}}])
    else:
        terminal.tell(_said(one, tracings))


def _name(who: str | None) -> str:
    from getpass import getuser

    return who or getuser()
