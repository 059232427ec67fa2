"""Bringing a dandiset's files to a DANDI archive by DANDI's own client, and comparing digests afterwards. Laying it out lives in `dandiset`."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from map_assets.publication.dandi_record import record_export
from map_assets.publication.dandiset import DandiAsset, Layout
from map_assets.publication.errors import DandiConflict, DigestDiffers, ServiceFailed
from map_assets.publication.extra import load
from map_assets.store import Store
from map_assets.vocabulary.errors import MapAssetsError

_ETAG = "dandi:dandi-etag"
_SHA256 = "dandi:sha2-256"
_HERE = {"127.0.0.1", "localhost", "::1"}
Told = Callable[[int, int, str], None]


def upload(
    store: Store,
    layout: Layout,
    *,
    server: str,
    dandiset: str,
    token: str,
    is_replacing: bool = False,
    wait_s: float = 600.0,
    poll_s: float = 5.0,
    tell: Told | None = None,
) -> list[dict[str, Any]]:
    """Upload every file of a layout to a dandiset's draft and compare size, dandi-etag and sha256 with what stands there then.

    A file that stands there with the same digests is not sent again. Nothing is ever deleted there, and what stands
    there and is not here is left alone. Each file's row goes to `dandi_assets` as soon as its digests were asked for.

    Parameters
    ----------
    server : str
        Address of the API, as ``https://api.dandiarchive.org/api``; plain http on this machine only.
    dandiset : str
        Six digits.
    token : str
        API key; it is written nowhere.
    is_replacing : bool
        Put a new version in the place of another file at the same path of the draft.
    wait_s, poll_s : float
        How long to wait for an archive that reckons its sha256 later, and how often to ask.
    tell : callable, optional
        Called with the number of files done, of all, and the path, before each file.

    Returns
    -------
    list of dict
        The files' rows of `dandi_assets`.

    Raises
    ------
    DandiConflict
        If other content stands at a path, or the session's file under another name; nothing was sent of that file.
    DigestDiffers
        If a file's digests differ or did not come; the others were uploaded all the same.
    ServiceFailed
        If the archive cannot be reached or refuses.
    """
    _check_address(server)
    rows = []
    with _quiet(), _plain_errors(token, server):
        client = load("dandi.dandiapi").DandiAPIClient(api_url=server.rstrip("/"), token=token)
        with client:
            remote = client.get_dandiset(dandiset, "draft")
            for number, asset in enumerate(layout.assets):
                if tell is not None:
                    tell(number, len(layout.assets), asset.path)
                row = _upload_one(client, remote, layout, asset, wait_s, poll_s, is_replacing=is_replacing)
                row |= {"server": server.rstrip("/"), "dandiset": dandiset}
                record_export(store, row)
                rows.append(row)
    bad = [f"{row['path']} {_SAID[row['state']]}" for row in rows if row["state"] != "verified"]
    if bad:
        raise DigestDiffers(
            f"{'; '.join(bad)}. It is recorded in dandi_assets; look at the archive before you publish."
        )
    return rows


_SAID = {
    "differs": "has other digests in the archive than here",
    "pending": "has no sha256 in the archive yet; upload again later to compare",
}


def _upload_one(
    client: Any, remote: Any, layout: Layout, asset: DandiAsset, wait_s: float, poll_s: float, *, is_replacing: bool
) -> dict[str, Any]:
    local = load("dandi.files").dandi_file(layout.root / asset.path, layout.root)
    digest = local.get_digest()
    standing = _standing(remote, asset)
    is_there = standing is not None and _digests(client, standing).get(_ETAG) == digest.value
    if standing is not None and not is_there and not is_replacing:
        raise DandiConflict(
            f"The dandiset has other content at {asset.path}; allow it to be replaced, or take the path away."
        )
    if not is_there:
        metadata = local.get_metadata(digest=digest, ignore_errors=False).model_dump(mode="json", exclude_none=True)
        for status in local.iter_upload(remote, metadata, replacing=standing):
            standing = status.get("asset", standing)
    state = _compare(client, standing, asset, digest.value, wait_s, poll_s)
    return {
        "session": asset.session,
        "asset_id": standing.identifier,
        "checked_at": datetime.now(UTC),
        "path": asset.path,
        "was_uploaded": not is_there,
        "state": state,
        "size": asset.size,
        "etag": digest.value,
        "sha256": asset.sha256,
        "table_versions": json.dumps(asset.nwb.made_from, sort_keys=True),
        "code_version": asset.nwb.code,
    }


def _standing(remote: Any, asset: DandiAsset) -> Any:
    """What stands in the dandiset at the file's path; refuses if the session stands there under another name."""
    stem = asset.path.rpartition("_")[0] + "_"
    found = {one.path: one for one in remote.get_assets_with_path_prefix(stem) if one.path.endswith(".nwb")}
    others = sorted(set(found) - {asset.path})
    if others:
        raise DandiConflict(
            f"The dandiset has {others[0]}, which is the same session under the name it had with other data; "
            f"move it to {asset.path} in the archive first."
        )
    return found.get(asset.path)


def _digests(client: Any, asset: Any) -> dict[str, Any]:
    """Ask anew for an asset's digests and size; the client's own answers may be older."""
    told = client.get(asset.api_path)
    return {**told.get("digest", {}), "size": told.get("contentSize")}


def _compare(client: Any, asset: Any, local: DandiAsset, etag: str, wait_s: float, poll_s: float) -> str:
    deadline = time.monotonic() + wait_s
    while True:
        found = _digests(client, asset)
        if found.get(_ETAG, etag) != etag or found["size"] not in {None, local.size}:
            return "differs"
        if found.get(_SHA256) is not None:
            is_same = found[_SHA256] == local.sha256 and found.get(_ETAG) == etag and found["size"] == local.size
            return "verified" if is_same else "differs"
        if time.monotonic() >= deadline:
            return "pending"
        time.sleep(poll_s)


def _check_address(server: str) -> None:
    parts = urlsplit(server)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise ServiceFailed(f"{server} is no address that an API key may be sent to; expected https://...")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client from writing its own lines, tracebacks and the server's answers beside ours."""
    logger = logging.getLogger("dandi")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _plain_errors(token: str, server: str) -> Iterator[None]:
    """Turn what the client raises into sentences without the key."""
    own = load("dandi.exceptions")
    try:
        yield
    except MapAssetsError:
        raise
    except (
        *(RuntimeError, OSError, ValueError, KeyError, AssertionError),  # the client's, requests' and pydantic's
        *(own.SchemaVersionError, own.UploadError),
    ) as error:
        said = " ".join(str(error).split()).replace(token, "***")[:400]
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in {401, 403}:
            told: MapAssetsError = ServiceFailed(
                f"{server} refuses ({status}): check the API key and that it may write to the dandiset."
            )
        elif isinstance(error, RuntimeError) and "retrieve server info" in said:
            told = ServiceFailed(f"{server} cannot be reached, or is no DANDI archive.")
        elif isinstance(error, RuntimeError) and "disagree" in said:
            told = DigestDiffers(f"The file did not arrive as it was sent; nothing was added to the dandiset. {said}")
        else:
            told = ServiceFailed(f"{server} did not do it: {type(error).__name__}: {said}")
        raise told from None  # the original's frames hold the key
