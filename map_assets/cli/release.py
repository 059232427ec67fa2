"""Commands about releases: `release create`, `list`, `verify`, `fetch`, `approve` and `doi`. What a release is lives in `publication`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from map_assets import __version__
from map_assets.cli import terminal
from map_assets.cli.chosen import Sessions, Where, chosen_sessions, nwb_inputs
from map_assets.cli.laboratory import services
from map_assets.cli.usable import refuse_blocked
from map_assets.vocabulary.errors import BadConfiguration

if TYPE_CHECKING:
    from map_assets.publication.doi import DataCiteAccount, Doi
    from map_assets.publication.shelf import Release

app = typer.Typer(help="Frozen sets of sessions: make, look, verify, fetch, approve, give a DOI.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the release.")]
In = Annotated[
    Path | None, typer.Option("--in", help="Folder that holds the release.", show_default="releases/ of the store")
]
Sha256 = Annotated[str | None, typer.Option(help="What its manifest must hash to, as the one who published it says.")]


@app.command()
def create(
    name: Name,
    about: Annotated[
        Path, typer.Option(help="TOML with title, authors, licence and date, as docs/publication.md shows.")
    ],
    sessions: Sessions = None,
    where: Where = None,
    claims: Annotated[
        Path | None, typer.Option(help="TOML with numbers as SQL.", show_default="counts of sessions, trials, units")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder to make it in.", show_default="releases/ of the store")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy where another file system allows no links.")] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Freeze sessions under a name, with hashes, metadata and numbers that must come out of their NWB files."""
    from map_assets.publication.about import read_about
    from map_assets.publication.errors import BadClaim
    from map_assets.publication.release import create_release

    found = services()
    store = found.store
    said = read_about(about)
    try:
        claimed = None if claims is None else claims.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadClaim(f"{claims} cannot be read ({error}).") from error
    keys = chosen_sessions(store, sessions, where)
    for key in keys:
        refuse_blocked(found, key)
    with terminal.progress(f"freezing {len(keys)} sessions") as bar:
        bar.at(None, None, f"freezing {len(keys)} sessions")
        release = create_release(
            *(store, name, keys, said),
            inputs=nwb_inputs(),
            code=f"map_assets {__version__}",
            claims=claimed,
            to=to,
            may_copy=copy,
        )
    terminal.show([_row(release)], as_json=as_json)
    terminal.say(f"{'Made' if release.is_new else 'Stood already'}: {release.folder}")


@app.command("list")
def list_(in_: In = None, as_json: terminal.AsJson = False) -> None:
    """List the releases that stand, oldest first."""
    from map_assets.publication.errors import NoSuchRelease
    from map_assets.publication.shelf import list_releases

    if in_ is not None and not in_.is_dir():
        raise NoSuchRelease(f"There is no folder {in_}.")
    rows = [_row(one) for one in list_releases(_shelf(in_))]
    terminal.show(rows, as_json=as_json, empty="There is no release.")


@app.command()
def verify(name: Name, in_: In = None, sha256: Sha256 = None, as_json: terminal.AsJson = False) -> None:
    """Hash every file of a release again and count its claims in its NWB files again; exit code 1 if anything differs."""
    from map_assets.publication.shelf import check_name
    from map_assets.publication.verify import verify_release

    with terminal.progress(f"verifying {name}") as bar:
        bar.at(None, None, f"verifying {name}")
        found = verify_release(_shelf(in_) / check_name(name), sha256)
    counts = {"files": found.n_files, "bytes": found.n_bytes, "claims": found.n_claims}
    row = {"name": name, **counts, "manifest_sha256": found.manifest_sha256, "differences": len(found.problems)}
    terminal.show([{**row, "differences": list(found.problems)} if as_json else row], as_json=as_json)
    found.or_raise()


@app.command()
def fetch(
    name: Name,
    from_: Annotated[str, typer.Option("--from", help="Address (http, https) or folder that holds the release.")],
    to: Annotated[Path, typer.Option(help="Folder to put it in.")],
    sha256: Sha256 = None,
) -> None:
    """Fetch a release without an account; every file is hashed before it stands."""
    from map_assets.publication.fetch import fetch_release

    with terminal.progress(f"fetching {name}") as bar:
        folder = fetch_release(name, from_, to, manifest_sha256=sha256, tell=bar.at)
    terminal.tell(f"{folder}")


@app.command()
def approve(
    name: Name,
    because: Annotated[str, typer.Option(help="Why it may be published; kept in the record.")],
    who: Annotated[str | None, typer.Option(help="Who approves.", show_default="the user of this machine")] = None,
    in_: In = None,
) -> None:
    """Approve that exactly this release is published; its DOI can be made findable then."""
    from getpass import getuser

    from map_assets.publication.approval import approve as write_down
    from map_assets.publication.verify import verify_release

    release = _open(name, in_)
    verify_release(release.folder).or_raise()
    approval = write_down(release, who or getuser(), because)
    terminal.tell(f"{approval.who} approved {name} with the manifest {approval.manifest_sha256}.")


@app.command()
def doi(
    name: Name,
    findable: Annotated[
        bool, typer.Option("--findable", help="Make the draft findable, which cannot be taken back; needs an approval.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="Landing page.", show_default="url of the release's metadata")] = None,
    server: Annotated[str, typer.Option(help="Address of DataCite's API.")] = "https://api.datacite.org/",
    in_: In = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Register a draft DOI of a release at DataCite, or make it findable."""
    from map_assets.publication.doi import draft_doi, publish_doi

    release, account = _open(name, in_), _account(server)
    found: Doi = publish_doi(release, account, url) if findable else draft_doi(release, account)
    row = {"name": name, "doi": found.doi, "state": found.state, "approved_by": found.approved_by, "at": found.at}
    terminal.show([row], as_json=as_json)


def _shelf(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    from map_assets.publication.shelf import releases_folder

    return releases_folder(services().store)


def _open(name: str, folder: Path | None) -> Release:
    from map_assets.publication.shelf import check_name, open_release

    return open_release(_shelf(folder) / check_name(name))


def _row(release: Release) -> dict[str, Any]:
    from map_assets.publication.doi import doi_of

    found = doi_of(release)
    return {
        "name": release.name,
        "created_at": release.told.get("created_at"),
        "sessions": len(release.told.get("sessions", ())),
        "doi": found.doi if found else None,
        "doi_state": found.state if found else None,
        "manifest_sha256": release.manifest_sha256,
    }


def _account(server: str) -> DataCiteAccount:
    from map_assets.publication.doi import DataCiteAccount

    names = (user, password, prefix) = ("DATACITE_USER", "DATACITE_PASSWORD", "DATACITE_PREFIX")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise BadConfiguration(f"A DOI needs an account at DataCite: set {', '.join(missing)} in the environment.")
    return DataCiteAccount(os.environ[user], os.environ[password], os.environ[prefix], server)
