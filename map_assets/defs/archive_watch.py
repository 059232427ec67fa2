"""What looks after the archive by itself: transfers under way, copies read again each night, a file fetched back on trial."""

import datetime as dt
from typing import Any

import dagster as dg

from map_assets.archive.states import State
from map_assets.config import Config
from map_assets.defs.archive import limits, roots
from map_assets.defs.resources import LabResource
from map_assets.vocabulary.errors import MapAssetsError

NIGHTLY = "0 2 * * *"
_STOPPED_OR_ASIDE = (State.REMOVING, State.QUARANTINED, State.SUSPECT, State.HELD)


def transfer_sensor(config: Config) -> dg.SensorDefinition:
    """Make the sensor that looks at transfers under way, and lets their sessions be looked at when one has ended."""

    @dg.sensor(
        name="archive_transfers",
        minimum_interval_seconds=config.archive.poll_interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks at transfers into the archive that are under way; the sensor sessions_due goes on when one has ended.",
    )
    def archive_transfers(context: dg.SensorEvaluationContext, laboratory: LabResource) -> dg.SkipReason:
        from map_assets.archive.polling import poll

        services = laboratory.services
        if not services.journal.batches():
            return dg.SkipReason("Nothing is on its way into the archive.")
        found = poll(
            services.journal,
            services.archive,
            roots(services),
            int(context.cursor or 0),
            limits=limits(services.config),
            heard=lambda session: services.ledger.touch((session,)),
        )
        services.ledger.touch(found.sessions)
        context.update_cursor(str(found.cursor))
        return dg.SkipReason(found.sentence)

    return archive_transfers


@dg.op(
    description="Reads the archived copies again that were unread the longest, as many bytes as the configuration says."
)
def read_the_oldest_again(context: dg.OpExecutionContext, laboratory: LabResource) -> dict[str, Any]:
    """Read archived copies again; what differs or is gone turns SUSPECT, and the run fails for somebody to look."""
    from map_assets.archive.copies import sessions_of
    from map_assets.archive.fixity import read_again
    from map_assets.archive.journal import LeasedElsewhere
    from map_assets.archive.removal import watch_quarantine
    from map_assets.archive.retrieval_leases import take_away_expired

    services = laboratory.services
    desk = services.removal_desk
    looks = read_again(desk.journal, desk.records, desk.backends, services.config.archive.fixity_bytes_a_night)
    wrong = [f"{look.archive_path}: {look.verdict} {look.detail}".strip() for look in looks if look.verdict != "equal"]
    for session in sessions_of(desk.journal, _STOPPED_OR_ASIDE):
        try:
            watch_quarantine(desk, session, services.share_roots, actor="archive_fixity")
        except LeasedElsewhere as error:  # whoever is at work on it looks at what is in quarantine too
            context.log.info(f"{error} Its quarantine is looked at next night.")
        except MapAssetsError as error:
            wrong.append(f"the quarantine of {session}: {error}")
    try:
        take_away_expired(desk.records, desk.backends)
    except MapAssetsError as error:
        wrong.append(f"restored copies whose time is over: {error}")
    told = {"n_read": len(looks), "n_bytes": sum(look.size for look in looks), "wrong": wrong[:50]}
    context.log.info(f"{told['n_read']} copies read again, {len(wrong)} not proven")
    if wrong:
        raise dg.Failure(
            f"{len(wrong)} archived copies are not proven, or could not be looked at; the first: {wrong[0]}",
            metadata={"wrong": wrong[:50]},
        )
    return told


@dg.op(description="Fetches one archived file, chosen by chance, and compares it; the fetched copy is thrown away.")
def fetch_one_back(context: dg.OpExecutionContext, laboratory: LabResource, before: dict[str, Any]) -> None:  # noqa: ARG001
    """Rehearse a restore."""
    from map_assets.archive.drill import choose_for_drill, restore_drill, room_for_drill

    services = laboratory.services
    desk = services.removal_desk
    scratch = services.config.orchestration.home / "archive-drill"
    row = choose_for_drill(desk.journal, dt.datetime.now(dt.UTC).date().isoformat(), room_for_drill(scratch))
    if row is None:
        context.log.info(f"nothing is archived yet that {scratch} has room for")
        return
    look = restore_drill(row, services.archive, desk.journal, desk.records, scratch)
    if look.verdict != "equal":
        raise dg.Failure(f"{look.archive_path} did not come back as it was archived: {look.verdict} {look.detail}")
    context.log.info(f"{look.archive_path} came back whole ({look.size} bytes)")


@dg.job(name="archive_fixity", description="Proves the archive again, a part each night.")
def archive_fixity() -> None:
    """Read the oldest copies again, then fetch one back."""
    fetch_one_back(read_the_oldest_again())


def fixity_schedule() -> dg.ScheduleDefinition:
    """Make the schedule that runs `archive_fixity` each night."""
    return dg.ScheduleDefinition(
        name="archive_fixity_nightly",
        job=archive_fixity,
        cron_schedule=NIGHTLY,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Each night at two: copies unread the longest are read again, and one file is fetched back on trial.",
    )
