"""Commands that give sessions away as files of other programs: `export mat`, `viewer` and `nwb`. What is in the files is made in `exports` and `nwb`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from map_assets.cli import terminal
from map_assets.cli.export_nwb import Form, Profile, copy_standing, maker
from map_assets.cli.laboratory import services
from map_assets.cli.session import NoSuchSession
from map_assets.cli.usable import doubts, usable_tables
from map_assets.vocabulary.errors import MapAssetsError, NoSuchTable, NotYet

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.defs.services import Services
    from map_assets.exports.placing import Placed
    from map_assets.store import Store

app = typer.Typer(help="Sessions as files of other programs.", no_args_is_help=True)

Sessions = Annotated[list[str], typer.Argument(help="Session keys, as in SC022_20190228_151010.")]
To = Annotated[Path, typer.Option(help="Folder for the files; made where there is none.", metavar="DIR")]
Probe = Annotated[int | None, typer.Option(min=1, help="Only this probe.", show_default="every sorted probe")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that hold something else.")]


@dataclass(frozen=True)
class Job:
    """One file that is to be there."""

    session: str
    probe: int | None
    target: Path
    write: Callable[[Path], None]
    is_same: Callable[[Path], bool]


@app.command()
def mat(
    sessions: Sessions, to: To, probe: Probe = None, overwrite: Overwrite = False, as_json: terminal.AsJson = False
) -> None:
    """Write one MATLAB file for each probe of the sessions."""
    from map_assets.exports import mat as room
    from map_assets.exports.mat_file import stamp_of, write_mat

    def write(path: Path, session: str, number: int, tables: Mapping[str, pa.Table], stamp: str) -> None:
        write_mat(path, room.make_mat(session, number, tables), stamp=stamp)

    of_lab = room.OF_THE_LAB
    kind = _Kind(room.REQUIRED, room.OPTIONAL, room.FORMAT, room.mat_name, write, stamp_of, of_lab)
    _export(sessions, lambda found, key: _probe_jobs(kind, found, key, to, probe), overwrite, as_json)


@app.command()
def viewer(
    sessions: Sessions, to: To, probe: Probe = None, overwrite: Overwrite = False, as_json: terminal.AsJson = False
) -> None:
    """Write the activity viewer's file for each probe of the sessions."""
    from map_assets.exports import viewer as room

    def write(path: Path, session: str, number: int, tables: Mapping[str, pa.Table], stamp: str) -> None:
        room.write_viewer(path, room.make_viewer(session, number, tables), stamp=stamp)

    kind = _Kind(room.REQUIRED, room.OPTIONAL, room.FORMAT, room.viewer_name, write, room.stamp_of)
    _export(sessions, lambda found, key: _probe_jobs(kind, found, key, to, probe), overwrite, as_json)


@app.command()
def nwb(
    sessions: Sessions,
    to: To,
    profile: Annotated[
        Profile, typer.Option(help="Names of its columns: ours, or those of the published dandiset 000363.")
    ] = "map-assets",
    embed_raw: Annotated[
        bool, typer.Option("--embed-raw", help="Copy the recordings, AP and LF band, into the file.")
    ] = False,
    embed_video: Annotated[
        bool, typer.Option("--embed-video", help="Copy the videos' images into the file; else it names the videos.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Copy the sessions' NWB files, if they passed their gates; in another form, make them and pass them through."""
    form = Form(profile, embed_raw, embed_video)
    jobs = _nwb_jobs if form.is_the_stores else functools.partial(_made_nwb_jobs, form)
    _export(sessions, lambda found, key: jobs(found, key, to), overwrite, as_json)


# -- what is to be there ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Kind:
    """What the files of one kind are made from, how they are called, written, and known again."""

    required: Sequence[str]
    optional: Sequence[str]
    format: int
    name: Callable[[str, int], str]
    write: Callable[[Path, str, int, Mapping[str, pa.Table], str], None]
    stamp_of: Callable[[Path], str | None]
    of_lab: Sequence[str] = ()


def _probe_jobs(kind: _Kind, found: Services, session: str, to: Path, probe: int | None) -> Iterator[Job]:
    """Give one job for each probe; the tables are read once, when the first file is made."""
    from map_assets.defs.stage import LAB
    from map_assets.exports.placing import stamp_from

    store = found.store
    numbers = store.read("units", session, ["probe"])["probe"].unique().sort().to_pylist()
    if probe is not None and probe not in numbers:
        has = f"it has {', '.join(map(str, numbers))}" if numbers else "it has none"
        raise NoSuchTable(f"Probe {probe} of {session} has no sorted units; {has}.")
    names = usable_tables(kind.required, kind.optional, found, session)
    versions = _versions(kind, store, session, names)
    kept: dict[str, pa.Table] = {}

    def tables() -> Mapping[str, pa.Table]:
        if not kept:
            read = {name: store.read_if_there(name, session) for name in names}
            read |= {name: store.read_if_there(name, LAB) for name in kind.of_lab}
            if _versions(kind, store, session, names) != versions:
                raise NotYet(f"Tables of {session} were written while they were read; export it once more.")
            kept.update({name: table for name, table in read.items() if table is not None})
        return kept

    def job(number: int) -> Job:
        stamp = stamp_from([session, number, kind.format, *versions])
        return Job(
            session,
            number,
            to / kind.name(session, number),
            lambda path: kind.write(path, session, number, tables(), stamp),
            lambda path: kind.stamp_of(path) == stamp,
        )

    yield from map(job, numbers if probe is None else [probe])


def _versions(kind: _Kind, store: Store, session: str, names: Sequence[str]) -> list[str]:
    from map_assets.defs.stage import LAB
    from map_assets.exports.placing import versions_of

    return [*versions_of(store, session, names), *versions_of(store, LAB, kind.of_lab)]


def _made_nwb_jobs(form: Form, found: Services, session: str, to: Path) -> Iterator[Job]:
    from map_assets.nwb.write import OPTIONAL, REQUIRED

    names = usable_tables(REQUIRED, OPTIONAL, found, session)
    read = {name: found.store.read_if_there(name, session) for name in names}
    write, is_same = maker(found, session, form, {name: one for name, one in read.items() if one is not None})
    yield Job(session, None, to / form.name(session), write, is_same)


def _nwb_jobs(found: Services, session: str, to: Path) -> Iterator[Job]:
    from map_assets.defs.stages import BY_NAME
    from map_assets.exports.placing import CannotExport
    from map_assets.vocabulary.files import sha256_of

    store = found.store
    record = store.read("nwb_file", session)
    if "earlier tables" in doubts(found, session).get("nwb_file", ""):
        terminal.say(f"{session}: its NWB file was made from earlier tables; `map-assets ingest` makes it again.")
    for check in BY_NAME["nwb_file"].checks:
        if check.is_blocking and check.reads == ("nwb_file",):
            verdict = check.claim(record)
            if not verdict.passed:
                raise CannotExport(
                    f"The NWB file of {session} did not pass its gate {check.name} and is not given away: {verdict.description}"
                )

    def job(row: Mapping[str, Any]) -> Job:
        source, sha256 = store.root / row["path"], row["sha256"]
        return Job(
            session,
            None,
            to / source.name,
            lambda path: copy_standing(store, session, row, path),
            lambda path: sha256_of(path) == sha256,
        )

    yield from map(job, record.to_pylist())


# -- doing it --------------------------------------------------------------------------------------------------------
def _export(
    sessions: Sequence[str], jobs_of: Callable[[Services, str], Iterator[Job]], overwrite: bool, as_json: bool
) -> None:
    """Do all that can be done, list the files, and say what could not; exit code 1 where anything could not."""
    from map_assets.vocabulary.session import SessionKey

    keys = list(dict.fromkeys(str(SessionKey.parse(text)) for text in sessions))
    found = services()
    rows: list[dict[str, Any]] = []
    failures: list[MapAssetsError] = []
    with terminal.progress("exporting") as bar:
        for done, key in enumerate(keys):
            bar.at(done, len(keys), f"exporting {key}")
            try:
                if not found.store.has("sessions", key):
                    raise NoSuchSession(f"The store has no session {key}; `map-assets sessions` lists all.")
                jobs = list(jobs_of(found, key))
            except MapAssetsError as error:
                failures.append(error)
                continue
            for job in jobs:
                bar.at(done, len(keys), f"writing {job.target.name}")
                _do(job, overwrite, rows, failures)
    if rows or as_json:
        terminal.show(rows, as_json=as_json)
    for failure in failures:
        terminal.say(f"map-assets: {terminal.sentence_of(failure)}")
    if failures:
        raise typer.Exit(1)


def _do(job: Job, overwrite: bool, rows: list[dict[str, Any]], failures: list[MapAssetsError]) -> None:
    from map_assets.exports.placing import place

    try:
        placed = place(job.target, job.write, job.is_same, overwrite=overwrite)
    except MapAssetsError as error:
        failures.append(error)
    else:
        rows.append(_row(job, placed))


def _row(job: Job, placed: Placed) -> dict[str, Any]:
    return {
        "session": job.session,
        "probe": job.probe,
        "state": placed.state,
        "file": str(placed.file),
        "size": placed.size,
        "sha256": placed.sha256,
    }
