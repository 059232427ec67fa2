"""Stages of the archive: every raw file named and hashed, moved, read back, receipted; and what may leave its share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from map_assets.archive import checks, removal_checks
from map_assets.archive.fate import Roots
from map_assets.archive.manifest import keep_the_gone, make_manifest
from map_assets.archive.moving import Limits
from map_assets.archive.receipt import receipt_session
from map_assets.archive.removal import remove_approved
from map_assets.archive.removal_decisions import account_here
from map_assets.archive.removal_report import removed_files
from map_assets.archive.removal_tables import REMOVAL_PLAN, SOURCE_REMOVED
from map_assets.archive.status import bytes_of, status_of
from map_assets.archive.tables import ARCHIVE_MANIFEST, ARCHIVE_RECEIPT
from map_assets.archive.transfer import transfer_session
from map_assets.archive.transfer_tables import ARCHIVE_TRANSFER, ARCHIVE_VERIFICATION
from map_assets.archive.verification import verify_session
from map_assets.config import Config
from map_assets.defs.services import Services
from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.vocabulary.errors import UnderWay


@stage(
    writes=[ARCHIVE_MANIFEST],
    roles=("*",),
    claims=("spikeglx_bin", "video", "raw"),
    group="archive",
    version="2",
)
def archive_manifest(work: Work) -> Made:
    """Every raw file of the session, hashed; one that has left its share since stays, for the archive has it."""
    table, rejected = make_manifest(work.session, work.files)
    before = work.services.store.read_if_there("archive_manifest", work.session)
    return Made({"archive_manifest": table if before is None else keep_the_gone(table, before)}, rejected)


def _place(config: Config) -> object:
    archive = config.archive
    where: dict[str, object] = {"folder": str(archive.root), "s3": archive.s3, "globus": archive.globus}
    return [archive.backend, repr(where[archive.backend])]


@stage(
    writes=[ARCHIVE_TRANSFER],
    reads=("archive_manifest",),
    needs=("transfers",),
    group="archive",
    parameters=_place,
    checks=(
        Check(checks.no_file_needs_a_person, "archive_transfer", ("archive_transfer",), is_blocking=True),
        Check(checks.the_mover_is_done, "archive_transfer", ("archive_transfer",)),
    ),
)
def archive_transfer(work: Work) -> Made:
    """Every raw file on its way into the archive; a service that takes its time is looked at again later."""
    services = work.services
    manifest = work.table("archive_manifest")
    found = transfer_session(
        work.session, manifest, roots(services), services.archive, services.journal, limits=limits(services.config)
    )
    return Made({"archive_transfer": found.table}, notes={"detail": found.detail, **bytes_now(services, work.session)})


@stage(
    writes=[ARCHIVE_VERIFICATION],
    reads=("archive_manifest", "archive_transfer"),
    needs=("transferred",),
    group="archive",
    may_be_under_way=True,
    checks=(
        Check(
            checks.every_file_is_verified,
            "archive_verification",
            ("archive_manifest", "archive_verification"),
            is_blocking=True,
        ),
    ),
)
def archive_verification(work: Work) -> Made:
    """Every archived file read back whole, by another route than the mover's word."""
    services = work.services
    _wait_for_the_mover(work)
    table = verify_session(
        work.session,
        work.table("archive_manifest"),
        roots(services),
        services.archive,
        services.journal,
        limits=limits(services.config),
    )
    _wait_for_the_mover(work)  # a copy that differed was asked for again
    return Made({"archive_verification": table}, notes=bytes_now(services, work.session))


_BOTH = ("archive_manifest", "archive_receipt")


@stage(
    writes=[ARCHIVE_RECEIPT],
    reads=("archive_manifest", "archive_verification"),
    group="archive",
    version="2",
    parameters=_place,
    checks=(
        Check(checks.receipt_covers_the_manifest, "archive_receipt", _BOTH, is_blocking=True),
        Check(checks.archived_bytes_equal_the_manifest, "archive_receipt", _BOTH, is_blocking=True),
    ),
)
def archive_receipt(work: Work) -> Made:
    """A receipt for every raw file that was read back, in the archive and in the lab's database."""
    services = work.services
    table = receipt_session(work.session, work.table("archive_manifest"), services.archive, services.journal)
    return Made({"archive_receipt": table}, notes=bytes_now(services, work.session))


@stage(
    writes=[REMOVAL_PLAN],
    reads=("archive_receipt",),
    needs=("journal",),
    group="archive",
    parameters=lambda config: repr(config.archive.removal),
)
def removal_plan(work: Work) -> Made:
    """Which raw files might leave their shares, and why the others may not; nothing is removed by it."""
    plan = work.services.removal_desk.plan(work.session)
    return Made({"removal_plan": plan}, notes=bytes_now(work.services, work.session))


@stage(
    writes=[SOURCE_REMOVED],
    reads=("archive_receipt", "removal_plan"),
    group="archive",
    checks=(
        Check(
            removal_checks.every_removed_file_has_a_receipt,
            "source_removed",
            ("source_removed", "archive_receipt"),
            is_blocking=True,
        ),
        Check(removal_checks.no_removal_is_in_doubt, "source_removed", ("source_removed",)),
    ),
)
def source_removed(work: Work) -> Made:
    """Approved files one step further off their shares: into quarantine, and, when its time is over, gone. Never by itself."""
    services = work.services
    actor = account_here()  # who presses the button is not told: the one whose process this is answers for it
    outcomes = remove_approved(services.removal_desk, work.session, services.share_roots, actor=actor)
    said = [f"{one.share}:{one.path}: {one.said}" for one in outcomes if not one.is_well]
    notes: dict[str, Any] = {"stopped": "; ".join(said[:20])} if said else {}
    table = removed_files(services.journal, work.session)
    return Made({"source_removed": table}, notes=notes | bytes_now(services, work.session))


def roots(services: Services) -> Mapping[str, Path]:
    """Root of each share on this machine, with the markers that the configuration names."""
    shares = services.shares
    return Roots({share.name: share.path for share in shares}, {share.name: share.marker for share in shares})


def limits(config: Config) -> Limits:
    """How much is asked of the mover at once."""
    globus = config.archive.globus
    if config.archive.backend != "globus" or globus is None:
        return Limits()
    return Limits(items_per_submission=globus.items_per_task, submissions_in_flight=globus.tasks_in_flight)


def bytes_now(services: Services, session: str) -> dict[str, int]:
    """Bytes of the session by what is to become of them, for the asset's page."""
    counted = bytes_of(status_of(services.journal, session), services.config.archive.removal.roles)
    return {f"bytes_{name}": value for name, value in counted._asdict().items()}


def _wait_for_the_mover(work: Work) -> None:
    if work.services.journal.is_under_way(work.session):
        raise UnderWay(
            f"Transfers of {work.session} are under way, or wait their turn; what they bring is read back later."
        )
