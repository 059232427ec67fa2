"""Who approved that a release is published, in an append-only file beside it. What needs an approval lives in `doi`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from map_assets.publication.errors import NotApproved
from map_assets.publication.shelf import Release
from map_assets.store.atomic import fsync_folder


@dataclass(frozen=True)
class Approval:
    """One approval: it is of exactly the release whose manifest has this sha256."""

    release: str
    manifest_sha256: str
    who: str
    why: str
    at: str


def approve(release: Release, who: str, why: str) -> Approval:
    """Write down that a person looked at a release and wants it published.

    Raises
    ------
    NotApproved
        If nobody is named, or no reason.
    """
    if not who.strip() or not why.strip():
        raise NotApproved("An approval names a person and says why.")
    approval = Approval(release.name, release.manifest_sha256, who.strip(), why.strip(), datetime.now(UTC).isoformat())
    path = approvals_file(release.folder)
    line = json.dumps(asdict(approval), ensure_ascii=False) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    fsync_folder(path.parent)
    return approval


def approvals_file(folder: Path) -> Path:
    """Where a release's approvals are kept."""
    return folder.with_name(folder.name + ".approvals.jsonl")


def approval_of(release: Release) -> Approval:
    """Find the last approval of exactly this release.

    Raises
    ------
    NotApproved
        If nobody approved it, or what was approved was other content; or the file is damaged.
    """
    path = approvals_file(release.folder)
    try:
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        found = [Approval(**json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, TypeError) as error:
        raise NotApproved(f"{path.name} cannot be read ({error}); approve the release again in a new file.") from error
    standing = [one for one in found if one.manifest_sha256 == release.manifest_sha256 and one.release == release.name]
    if not standing:
        said = "nobody approved it" if not found else "what was approved had other content"
        raise NotApproved(
            f"The release {release.name} is not published: {said}; "
            f'`map-assets release approve {release.name} --because "..."` does.'
        )
    return standing[-1]
