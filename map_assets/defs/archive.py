"""Stages of the archive room."""

from __future__ import annotations

from map_assets.archive import checks
from map_assets.archive.manifest import keep_the_gone, make_manifest
from map_assets.archive.receipt import archive_session
from map_assets.archive.tables import ARCHIVE_MANIFEST, ARCHIVE_RECEIPT
from map_assets.config import Config
from map_assets.defs.stage import Check, Made, Work, stage


@stage(
    writes=[ARCHIVE_MANIFEST],
    roles=("*",),
    claims=("spikeglx_bin", "video", "raw"),
    group="archive",
)
def archive_manifest(work: Work) -> Made:
    """Every raw file of the session, hashed; one that has left its share since stays, for the archive has it."""
    table, rejected = make_manifest(work.session, work.files)
    before = work.services.store.read_if_there("archive_manifest", work.session)
    return Made({"archive_manifest": table if before is None else keep_the_gone(table, before)}, rejected)


def _place(config: Config) -> object:
    return [config.archive.backend, str(config.archive.root)]


_BOTH = ("archive_manifest", "archive_receipt")


@stage(
    writes=[ARCHIVE_RECEIPT],
    reads=("archive_manifest",),
    group="archive",
    parameters=_place,
    checks=(
        Check(checks.receipt_covers_the_manifest, "archive_receipt", _BOTH, is_blocking=True),
        Check(checks.archived_bytes_equal_the_manifest, "archive_receipt", _BOTH, is_blocking=True),
    ),
)
def archive_receipt(work: Work) -> Made:
    """Every raw file copied to the archive and proven by reading it back."""
    roots = {share.name: share.path for share in work.services.shares}
    manifest = work.table("archive_manifest")
    return Made({"archive_receipt": archive_session(work.session, manifest, roots, work.services.archive)})
