"""Commands about the sortings of a session's probes: `sorting list`, `choose`, `undo`, `log` and `changes`. What is current is decided in `ephys`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from map_assets.cli import terminal
from map_assets.cli.laboratory import has_database, services
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from map_assets.defs.services import Services
    from map_assets.store import Store
    from map_assets.vocabulary.sorting import SortingChoice

app = typer.Typer(help="Versions of a probe's sorting: look, choose, take back, compare.", no_args_is_help=True)

Session = Annotated[str, typer.Argument(help="Key of the session.")]
Probe = Annotated[int, typer.Argument(help="Number of the probe, as `sorting list` shows it.")]
Who = Annotated[str | None, typer.Option(help="Who decides; kept in the log.", show_default="the user of this machine")]

_SHOWN = ("probe", "sorting", "is_current", "current_because", "curation", "sorted_at", "first_seen")
_ALSO = ("n_units", "n_spikes", "has_metrics", "is_on_share", "folder", "sorter", "sorter_version")
_KINDS = ("split", "merged", "changed", "lost", "new", "same")


class NoSuchSorting(MapAssetsError):
    """A sorting was named that is not there, or more than one."""


@app.command("list")
def list_(session: Session, as_json: terminal.AsJson = False) -> None:
    """List every version of each probe's sorting, and which is current and why."""
    found = services()
    rows = _sortings(found.store, session)
    terminal.show([{name: row[name] for name in (*_SHOWN, *_ALSO)} for row in rows], as_json=as_json)
    current = {row["probe"]: row["sorting"] for row in rows if row["is_current"]}
    for probe, choice in _standing(found, session).items():
        if current.get(probe, choice.sorting) != choice.sorting:
            terminal.say(_awaits(choice))


@app.command()
def choose(
    session: Session,
    probe: Probe,
    sorting: Annotated[
        str, typer.Argument(help="Version, as `sorting list` shows it; its beginning, if no other begins so.")
    ],
    because: Annotated[str, typer.Option(help="Why it is to be used; kept in the log and in the table.")],
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Say which version of a probe's sorting is to be used; it holds until it is taken back."""
    found = services()
    meant = _pick(
        [row["sorting"] for row in _sortings(found.store, session) if row["probe"] == probe], session, probe, sorting
    )
    choice = found.sorting_choices.choose(session, probe, meant, who=_name(who), why=because)
    _answer(choice, _awaits(choice), session, probe, as_json=as_json)


@app.command()
def undo(
    session: Session,
    probe: Probe,
    because: Annotated[str | None, typer.Option(help="Why it is taken back; kept in the log.")] = None,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Take the choice that stands back; the one before stands again, or the automatic rule."""
    found = services()
    _sortings(found.store, session)
    choice = found.sorting_choices.undo(session, probe, who=_name(who), why=because)
    by_rule = f"Probe {probe} of {session}: the automatic rule decides again, with the next `map-assets ingest` or the daemon."
    _answer(choice, by_rule if choice is None else _awaits(choice), session, probe, as_json=as_json)


@app.command()
def log(session: Session, as_json: terminal.AsJson = False) -> None:
    """List all choices and undos of a session, and every change of what was current, oldest first."""
    found = services()
    rows = [*_decisions(found, session), *_turns(found.store, session)]
    rows.sort(key=lambda row: row["at"])
    terminal.show(rows, as_json=as_json, empty=f"No sorting of {session} was read, and none was chosen.")


@app.command()
def changes(
    session: Session,
    probe: Annotated[int | None, typer.Argument(help="Only this probe.")] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Show what became of each unit between the other versions and the current one."""
    store = services().store
    _sortings(store, session)
    found = store.read("sorting_changes", session).to_pylist() if store.has("sorting_changes", session) else []
    rows = [row for row in found if probe in {None, row["probe"]}]
    rows.sort(key=lambda row: (row["probe"], row["sorting"], _KINDS.index(row["change"]), row["change_id"]))
    names = [name for name in (rows[0] if rows else {}) if name not in {"session", "change_id"}]
    terminal.show(
        [{name: row[name] for name in names} for row in rows],
        as_json=as_json,
        empty="There is no other version to compare with the current one.",
    )
    pairs = sorted({(row["probe"], row["sorting"], row["current_sorting"]) for row in rows})
    for one in [] if as_json else pairs:
        kinds = [row["change"] for row in rows if (row["probe"], row["sorting"], row["current_sorting"]) == one]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in _KINDS if kind in kinds)
        terminal.say(f"probe {one[0]}, {one[1]} against {one[2]}: {counts}")


def _sortings(store: Store, session: str) -> list[dict[str, Any]]:
    if not store.has("sortings", session):
        raise NoSuchSorting(f"No sorting of {session} was read yet; `map-assets sessions` lists the sessions.")
    rows: list[dict[str, Any]] = store.read("sortings", session).to_pylist()
    return rows


def _pick(known: list[str], session: str, probe: int, named: str) -> str:
    """Find the version that a person means."""
    meant = [one for one in known if one == named] or [one for one in known if one.startswith(named)]
    if not known:
        raise NoSuchSorting(
            f"Probe {probe} of {session} has no sorting; `map-assets sorting list {session}` lists all."
        )
    if len(meant) != 1:
        what = "no sorting" if not meant else f"{len(meant)} sortings that begin with"
        raise NoSuchSorting(f"Probe {probe} of {session} has {what} {named}; it has {', '.join(known)}.")
    return meant[0]


def _standing(found: Services, session: str) -> dict[int, SortingChoice]:
    return found.sorting_choices.standing(session) if has_database(found.config) else {}


def _awaits(choice: SortingChoice) -> str:
    return (
        f"Probe {choice.probe} of {choice.session}: {choice.sorting} is the choice of {choice.who}; "
        "the next `map-assets ingest` or the daemon makes it current."
    )


def _answer(choice: SortingChoice | None, said: str, session: str, probe: int, *, as_json: bool) -> None:
    if not as_json:
        terminal.tell(said)
        return
    facts = {name: getattr(choice, name, None) for name in ("sorting", "who", "at", "why")}
    terminal.print_json([{"session": session, "probe": probe, **facts}])


def _decisions(found: Services, session: str) -> Iterator[dict[str, Any]]:
    """What people said."""
    if not has_database(found.config):
        return
    records = found.sorting_choices.log(session)
    named = {record.choice_id: record.sorting for record in records}
    for record in records:
        is_undo = record.undoes is not None
        yield {
            "at": record.at,
            "probe": record.probe,
            "what": "undone" if is_undo else "chosen",
            "sorting": named[record.undoes] if record.undoes is not None else record.sorting,
            "who": record.who,
            "why": record.why,
        }


def _turns(store: Store, session: str) -> Iterator[dict[str, Any]]:
    """When another version became current, by the table's own history."""
    last: dict[int, str] = {}
    for written, _, _ in store.history("sortings", session):
        table = store.read("sortings", session, as_of=written)
        for row in table.to_pylist() if "sorting" in table.column_names else []:
            if row["is_current"] and last.get(row["probe"]) != row["sorting"]:
                last[row["probe"]] = row["sorting"]
                facts = {"probe": row["probe"], "what": "became current", "sorting": row["sorting"]}
                yield {"at": written, **facts, "who": None, "why": row["current_because"]}


def _name(who: str | None) -> str:
    from getpass import getuser

    return who or getuser()
