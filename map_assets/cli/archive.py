"""Commands about archived raw data: `archive status`, `verify`, `plan`, `approve`, `remove`, `retrieve`, `hold` and `lift`. What they do lives in `archive`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.archive_wiring import (
    NothingArchived,
    all_well,
    journal_of,
    kept_roots,
    known_sessions,
    name_of,
)
from map_assets.cli.chosen import Where, chosen_sessions
from map_assets.cli.laboratory import services

app = typer.Typer(help="Archived raw data: look, verify, remove sources, bring files back.", no_args_is_help=True)

Session = Annotated[str, typer.Argument(help="Key of the session.")]
Sessions = Annotated[
    list[str] | None, typer.Argument(metavar="[SESSION]...", help="Keys of the sessions; none is all.")
]
Because = Annotated[str, typer.Option(help="Why; kept in the journal.")]
Who = Annotated[
    str | None, typer.Option(help="Who decides; kept in the journal.", show_default="the user of this machine")
]
_GB = 10**9


@app.command()
def status(sessions: Sessions = None, as_json: terminal.AsJson = False) -> None:
    """Show how many bytes of each session wait, are in flight, are verified, may be removed, and were freed."""
    from map_assets.archive.status import bytes_of, status_of

    found = services()
    journal = journal_of(found)
    desk = found.removal_desk
    rows = []
    for session in known_sessions(journal, sessions):
        counted = status_of(journal, session)
        sums = bytes_of(counted, desk.policy.roles)._asdict()
        files = sum(counted["n_files"].to_pylist())
        rows.append({"session": session, "n_files": files, **{f"{name}_bytes": value for name, value in sums.items()}})
    terminal.show(rows, as_json=as_json, empty="Nothing was archived yet.")


@app.command()
def verify(
    sessions: Sessions = None,
    gigabytes: Annotated[
        float, typer.Option("--gb", min=0, help="Without sessions: how much to read, the longest unread first, in GB.")
    ] = 50.0,
    listing: Annotated[
        bool, typer.Option("--listing", help="Read nothing: hold the archive's listing against the journal, both ways.")
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Read archived copies again, whole, and compare them with what they were; what differs is in doubt from then on."""
    from map_assets.archive.discovery import reconcile
    from map_assets.archive.fixity import read_again

    found = services()
    journal = journal_of(found)
    wanted = known_sessions(journal, sessions)
    if listing:
        tables = (
            [reconcile(journal, found.archive, one) for one in wanted]
            if sessions
            else [reconcile(journal, found.archive)]
        )
        rows = [row for table in tables for row in table.to_pylist()]
        terminal.show(rows, as_json=as_json, empty="Journal and archive agree about every file.")
        all_well(not rows, f"{len(rows)} files are not as the journal has them.")
        return
    rows = []
    desk = found.removal_desk
    with terminal.progress("reading") as bar:

        def heard(row: dict[str, object], look: object) -> None:
            facts = {name: getattr(look, name) for name in ("archive_path", "size", "verdict", "method", "detail")}
            rows.append({"session": row["session"], **facts})
            bar.at(len(rows), None, str(row["path"]))

        budget = round(gigabytes * _GB) if not sessions else 2**62
        read_again(journal, desk.records, desk.backends, budget, sessions=wanted, heard=heard)  # type: ignore[arg-type]
    terminal.show(rows, as_json=as_json, empty="There is no archived copy to read.")
    bad = [row for row in rows if row["verdict"] != "equal"]
    all_well(not bad, f"{len(bad)} of {len(rows)} copies are not proven.")


@app.command()
def plan(session: Session, as_json: terminal.AsJson = False) -> None:
    """Show which files of a session may leave their shares and why the others stay; nothing is removed."""
    from map_assets.archive.removal_plan import fingerprint, removable

    found = services()
    journal = journal_of(found)
    known_sessions(journal, [session])
    computed = found.removal_desk.plan(session)
    name = fingerprint(computed)
    shown = (
        "share",
        "path",
        "role",
        "size",
        "sha256",
        "state",
        "is_removable",
        "reason",
        "removable_from",
        "verified_at",
    )
    rows = [{"plan": name, **{column: row[column] for column in shown}} for row in computed.to_pylist()]
    terminal.show(rows if as_json else [_brief(row) for row in rows], as_json=as_json)
    may = removable(computed)
    if may.num_rows:
        n_bytes = sum(may["size"].to_pylist())
        terminal.say(f"Plan {name}: {may.num_rows} of {len(rows)} files ({n_bytes} bytes) may be removed.")
        terminal.say(f"`map-assets archive approve {session} --plan {name} --because WHY` lets them go.")
    else:
        terminal.say("No file may be removed now.")


@app.command()
def approve(
    session: Session,
    plan: Annotated[str, typer.Option(help="Name of the plan that you looked at, as `archive plan` shows it.")],
    because: Because,
    file: Annotated[
        list[str] | None, typer.Option(help="Only this file of the plan, as SHARE:PATH in full; may be given again.")
    ] = None,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Let the files of a plan go, each named with its hash; another user of the machine then runs `archive remove`."""
    from map_assets.archive.removal_approval import approve as give

    found = services()
    journal_of(found)
    given = give(found.removal_desk, session, plan=plan, who=name_of(who), why=because, only=file)
    if as_json:
        facts = {name: getattr(given, name) for name in ("approval", "session", "who", "why", "plan", "at", "until")}
        rows = [{**facts, "batch": batch, "file": n, "sha256": sha256} for (batch, n), sha256 in given.files.items()]
        terminal.print_json(rows)
    else:
        terminal.tell(
            f"Approval {given.approval}: {len(given.files)} files of {session} may be removed until "
            f"{given.until:%Y-%m-%d %H:%M} UTC."
        )


@app.command()
def remove(
    sessions: Sessions = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only what would be done is shown.")] = False,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Take approved files off their shares: into quarantine, and out of it after the grace; without --yes only a rehearsal."""
    from map_assets.archive.removal import remove_approved
    from map_assets.archive.removal_gate import open_gate
    from map_assets.archive.removal_policy import Budget
    from map_assets.archive.removal_report import rehearse

    found = services()
    journal = journal_of(found)
    desk, roots, outcomes = found.removal_desk, found.share_roots, []
    budget = Budget(desk.policy)
    with terminal.progress("removing") as bar:
        for session in known_sessions(journal, sessions):
            bar.at(None, None, session)
            if yes:
                outcomes += remove_approved(desk, session, roots, actor=name_of(who), budget=budget)
            else:
                outcomes += rehearse(open_gate(desk, session, roots, name_of(who)), session)
    shown = ("session", "share", "path", "size", "state", "said")
    rows = [{name: getattr(one, name) for name in shown} for one in outcomes]
    terminal.show(rows, as_json=as_json, empty="No removal is approved or under way.")
    if rows and not yes:
        terminal.say("A rehearsal: nothing was removed; --yes does it.")
    stopped = [one for one in outcomes if not one.is_well]
    all_well(not stopped, f"{len(stopped)} of {len(rows)} files were kept: {stopped[0].said if stopped else ''}")


@app.command()
def hold(
    session: Session,
    because: Because,
    file: Annotated[str | None, typer.Option(help="Only this file, as SHARE:PATH in full.")] = None,
    who: Who = None,
) -> None:
    """Keep a session on its shares until the hold is lifted; what is in quarantine is put back."""
    from map_assets.archive.journal import LeasedElsewhere
    from map_assets.archive.removal import watch_quarantine

    found = services()
    journal = journal_of(found)
    known_sessions(journal, [session])
    desk = found.removal_desk
    share, _, path = (file or "").partition(":")
    known = {f"{row['share']}:{row['path']}" for row in journal.files(session).to_pylist()}
    if file is not None and file not in known:
        raise NothingArchived(f"{file} is no archived file of {session}; name it in full, as SHARE:PATH.")
    desk.records.hold(session, who=name_of(who), why=because, share=share or None, path=path or None)
    terminal.tell(f"{file or session} stays on its share until `map-assets archive lift {session}`.")
    try:
        watch_quarantine(desk, session, found.share_roots, actor=name_of(who))
    except LeasedElsewhere as error:
        terminal.say(f"{error} What is in quarantine is put back by the next run.")


@app.command()
def lift(session: Session, because: Because, who: Who = None) -> None:
    """Lift a session's holds, and let files whose removal was stopped be planned again."""
    from map_assets.archive.removal_approval import let_go_on

    found = services()
    journal = journal_of(found)
    known_sessions(journal, [session])
    n_files = let_go_on(found.removal_desk, session, who=name_of(who), why=because)
    terminal.tell(f"The holds on {session} are lifted; {n_files} files whose removal was stopped may be planned again.")


@app.command()
def retrieve(
    to: Annotated[Path, typer.Option(help="Folder to bring files to; each goes to SESSION/SHARE/PATH below it.")],
    sessions: Annotated[list[str] | None, typer.Argument(metavar="[SESSION]...", help="Keys of the sessions.")] = None,
    where: Where = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only files whose SHARE:PATH, path or name fits this pattern; may be given again."),
    ] = None,
    role: Annotated[list[str] | None, typer.Option(help="Only files of this role; may be given again.")] = None,
    keep_days: Annotated[
        float | None,
        typer.Option(min=0, help="Take the copies away again after so many days.", show_default="they stay"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched.")] = False,
    who: Who = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Bring archived files back, each compared with its receipt on arrival; nothing is overwritten, and it may be resumed."""
    from map_assets.archive.removal_policy import DAY_S
    from map_assets.archive.retrieval import retrieve as bring
    from map_assets.archive.retrieval import wanted_files
    from map_assets.archive.retrieval_leases import check_places, note_restored

    found = services()
    target = to.expanduser().absolute()
    # named sessions need no table of ours: what is archived is told by the archive's own receipts
    chosen = chosen_sessions(found.store, None, where) if where is not None or not sessions else sorted(set(sessions))
    wanted = [
        one
        for session in chosen
        for one in wanted_files(session, found.archive, target, only=only or (), roles=role or ())
    ]
    if keep_days is not None:
        check_places(wanted, kept_roots(found))
    if not dry_run:
        n_bytes, done = sum(one.size for one in wanted), 0
        with terminal.progress("fetching") as bar:
            fetched = []
            for one in wanted:
                bar.at(done / _GB, n_bytes / _GB, one.path)
                fetched += bring([one], [found.archive], target)
                done += one.size
        wanted = fetched
        if keep_days is not None:
            note_restored(found.removal_desk.records, wanted, who=name_of(who), keep_s=keep_days * DAY_S)
    shown = ("session", "share", "path", "size", "what", "place", "said")
    terminal.show([{name: getattr(one, name) for name in shown} for one in wanted], as_json=as_json)
    bad = [one for one in wanted if one.what in {"in the way", "failed"}]
    all_well(not bad, f"{len(bad)} of {len(wanted)} files did not come back: {bad[0].said if bad else ''}")


def _brief(row: dict[str, object]) -> dict[str, object]:
    return {name: row[name] for name in ("share", "path", "role", "size", "is_removable", "reason")}
