"""A release's DOI at DataCite: first a draft, findable only once a person approved. The metadata live in `datacite`, approvals in `approval`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from map_assets.publication.approval import approval_of
from map_assets.publication.datacite import check_datacite
from map_assets.publication.errors import BadAbout, NotApproved, ServiceFailed
from map_assets.publication.extra import load
from map_assets.publication.shelf import DATACITE, Release
from map_assets.publication.verify import verify_release
from map_assets.store import replacing
from map_assets.vocabulary.errors import MapAssetsError

_TIMEOUT_S = 60
_HERE = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class DataCiteAccount:
    """Who mints, and where; `password` is written nowhere.

    Parameters
    ----------
    user, password : str
    prefix : str
        Of the DOIs, as ``10.12345``.
    server : str
        Address of the API.
    """

    user: str
    password: str
    prefix: str
    server: str = "https://api.datacite.org/"

    def __repr__(self) -> str:
        return f"<DataCiteAccount {self.user} at {self.server}>"


@dataclass(frozen=True)
class Doi:
    """A release's DOI, as it was last told to DataCite.

    Parameters
    ----------
    doi : str
    state : str
        ``draft`` or ``findable``.
    manifest_sha256 : str
        The release that it names.
    approved_by : str or None
    at : str
    """

    doi: str
    state: str
    manifest_sha256: str
    approved_by: str | None
    at: str


def doi_file(folder: Path) -> Path:
    """Where a release's DOI is kept: beside the release, which never changes."""
    return folder.with_name(folder.name + ".doi.json")


def doi_of(release: Release) -> Doi | None:
    """Read a release's DOI; None where it has none."""
    path = doi_file(release.folder)
    return Doi(**json.loads(path.read_text("utf-8"))) if path.is_file() else None


def draft_doi(release: Release, account: DataCiteAccount) -> Doi:
    """Register a draft DOI, which can still be deleted; a release that has a DOI keeps it.

    Raises
    ------
    ReleaseDiffers
        If the release is not what it was.
    BadAbout
        If DataCite would not take its metadata.
    ServiceFailed
        If DataCite cannot be reached or refuses.
    """
    standing = doi_of(release)
    if standing is not None:
        return standing
    metadata = _metadata(release)
    with _client(account) as client:
        doi = client.draft_doi(dict(metadata), metadata.get("doi"))
    return _keep(release, Doi(doi, "draft", release.manifest_sha256, None, datetime.now(UTC).isoformat()))


def publish_doi(release: Release, account: DataCiteAccount, url: str | None = None) -> Doi:
    """Make a release's draft DOI findable, which cannot be taken back.

    Parameters
    ----------
    url : str, optional
        Landing page; before the one in the release's metadata.

    Raises
    ------
    NotApproved
        If nobody approved exactly this release; DataCite is not asked then.
    ReleaseDiffers, BadAbout, ServiceFailed
        As `draft_doi`; `BadAbout` also without a landing page.
    """
    approval = approval_of(release)
    standing = doi_of(release)
    if standing is None:
        raise NotApproved(f"The release {release.name} has no draft DOI to look at; register one first.")
    if standing.manifest_sha256 != release.manifest_sha256:
        raise NotApproved(f"The DOI {standing.doi} was registered for another release named {release.name}.")
    if standing.state == "findable":
        return standing
    metadata = _metadata(release)
    page = url or metadata.get("url")
    if not page:
        raise BadAbout(
            f"The release {release.name} has no landing page; a DOI needs one before it can be found (--url)."
        )
    with _client(account) as client:
        client.put_doi(standing.doi, {"attributes": {**metadata, "doi": standing.doi, "url": page, "event": "publish"}})
    return _keep(
        release, Doi(standing.doi, "findable", release.manifest_sha256, approval.who, datetime.now(UTC).isoformat())
    )


def _metadata(release: Release) -> dict[str, Any]:
    verify_release(release.folder).or_raise()
    metadata: dict[str, Any] = json.loads((release.folder / DATACITE).read_text("utf-8"))
    check_datacite(metadata)
    return metadata


def _keep(release: Release, doi: Doi) -> Doi:
    with replacing(doi_file(release.folder)) as part:
        part.write_text(json.dumps(asdict(doi), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return doi


@contextmanager
def _client(account: DataCiteAccount) -> Iterator[Any]:
    """Give DataCite's client; what it raises becomes a sentence without the password."""
    parts = urlsplit(account.server)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise ServiceFailed(f"{account.server} is no address that a password may be sent to; expected https://...")
    made = load("datacite").DataCiteRESTClient(
        account.user, account.password, account.prefix, url=account.server, timeout=_TIMEOUT_S
    )
    own = load("datacite.errors")
    try:
        yield made
    except MapAssetsError:
        raise
    except (own.DataCiteError, own.HttpError, OSError, ValueError, KeyError) as error:
        said = " ".join(str(error).split()).replace(account.password, "***")[:400]
        raise ServiceFailed(f"DataCite at {account.server} did not do it: {type(error).__name__}: {said}") from None
