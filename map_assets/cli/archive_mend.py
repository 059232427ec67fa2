"""Commands that put the archive right: `archive retry`, `archive revoke` and `archive register`. The others are in `archive`."""

from __future__ import annotations

from typing import Annotated

import typer

from map_assets.cli import terminal
from map_assets.cli.archive import Because, Session, Who, app
from map_assets.cli.archive_wiring import all_well, journal_of, known_sessions, name_of
from map_assets.cli.laboratory import services


@app.command()
def retry(session: Session, because: Because, who: Who = None) -> None:
    """Let blocked and conflicting files go again, and read copies that are in doubt again; say what was put right."""
    from map_assets.archive.fate import Roots
    from map_assets.archive.mending import mend_session
    from map_assets.archive.transfer import try_again

    found = services()
    journal = journal_of(found)
    known_sessions(journal, [session])
    shares = found.shares
    roots = Roots({one.name: one.path for one in shares}, {one.name: one.marker for one in shares})
    n_again = try_again(session, journal, name_of(who), because)
    mended = mend_session(session, roots, found.archive, journal, name_of(who))
    found.ledger.touch([session])
    terminal.tell(
        f"{n_again} files go again; of those in doubt {mended.n_proven} are whole, {mended.n_sent_again} are copied again. "
        f"The daemon, or `map-assets ingest {session}`, goes on."
    )
    all_well(
        not mended.beyond_us,
        f"{len(mended.beyond_us)} copies are damaged and their sources are gone, among them {mended.beyond_us[:1]}.",
    )


@app.command()
def revoke(session: Session, because: Because, who: Who = None) -> None:
    """Take every approval of a session back; what is in quarantine is put back."""
    from map_assets.archive.journal import LeasedElsewhere
    from map_assets.archive.removal import watch_quarantine
    from map_assets.archive.removal_approval import take_back

    found = services()
    known_sessions(journal_of(found), [session])
    desk = found.removal_desk
    try:
        n_approvals = take_back(desk, session, who=name_of(who), why=because)
        watch_quarantine(desk, session, found.share_roots, actor=name_of(who))
    except LeasedElsewhere as error:
        terminal.say(f"{error} Its approvals are taken back; what is in quarantine is put back by the next run.")
        return
    terminal.tell(
        f"{n_approvals} approvals of {session} are taken back; `map-assets archive plan {session}` plans anew."
    )


@app.command()
def register(
    pattern: Annotated[
        str,
        typer.Argument(
            help="Regular expression for the whole path of an archived file, with the groups path, session (or animal, "
            "date, time), and share.",
        ),
    ],
    share: Annotated[
        str | None, typer.Option(help="The share that the files come from, where no group says it.")
    ] = None,
    role: Annotated[str, typer.Option(help="What the files are for.")] = "raw",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which files would be read and taken in.")
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Take files that somebody else put into the archive into the journal: listed, read whole, and hashed."""
    from pathlib import PurePosixPath

    from map_assets.archive.discovery import place_by, reconcile, take_in

    found = services()
    journal = found.journal
    place = place_by(pattern, share)
    unknown = [row for row in reconcile(journal, found.archive).to_pylist() if row["what"] == "unknown"]
    paths = [PurePosixPath(row["archive_path"]) for row in unknown]
    rows: list[dict[str, object]] = []
    if dry_run:
        for path, row in zip(paths, unknown, strict=True):
            where = place(path)
            facts = {"session": None, "share": None, "path": None} if where is None else where._asdict()
            rows.append({"archive_path": str(path), "size": row["size"], **facts})
        terminal.show(rows, as_json=as_json, empty="The journal knows every file of the archive.")
        return
    with terminal.progress("reading") as bar:
        n_read = 0

        def heard(path: PurePosixPath) -> None:
            nonlocal n_read
            n_read += 1
            bar.at(n_read, len(paths), str(path))

        batches, left = take_in(journal, found.archive, paths, place, role=lambda _: role, heard=heard)
    rows += [{"session": one.session, "n_files": one.n_files, "n_bytes": one.n_bytes, "left": ""} for one in batches]
    rows += [{"session": None, "n_files": 1, "n_bytes": None, "left": f"{path}: {why}"} for path, why in left.items()]
    terminal.show(rows, as_json=as_json, empty="The journal knows every file of the archive.")
