"""Stage of the NWB room."""

from __future__ import annotations

from map_assets.catalog import BY_NAME
from map_assets.config import Config
from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.nwb.inspect import inspect_nwb
from map_assets.nwb.row import make_nwb_row
from map_assets.nwb.tables import NWB_FILE
from map_assets.nwb.verdicts import nwb_gives_the_tables_back, nwb_is_clean, nwb_validates
from map_assets.nwb.write import write_nwb
from map_assets.vocabulary.errors import NoSubject

_REQUIRED = ("sessions", "trials")
_OPTIONAL = (
    "trial_events", "licks", "photostim_sites", "skipped_trials", "tracking", "recordings", "probe_sites", "probes", "clock_maps",
    "sortings", "units", "spikes", "trial_spikes", "electrodes", "unit_stats",
)  # fmt: skip


def _laboratory(config: Config) -> object:
    return [config.lab.name, config.lab.institution]


@stage(
    writes=[NWB_FILE],
    reads=_REQUIRED,
    may_read=_OPTIONAL,
    needs=("subject", "insertions"),
    group="nwb",
    kinds={"nwb"},
    parameters=_laboratory,
    checks=(
        Check(nwb_validates, "nwb_file", ("nwb_file",), is_blocking=True),
        Check(nwb_is_clean, "nwb_file", ("nwb_file",), is_blocking=True),
        Check(nwb_gives_the_tables_back, "nwb_file", ("nwb_file",), is_blocking=True),
    ),
)
def nwb_file(work: Work) -> Made:
    """Everything that the tables hold, as one NWB file that passed its gates."""
    subject = work.subject()
    if subject is None:
        raise NoSubject(
            f"The registry has no animal named as in {work.session}: import its row with `map-assets registry import SHEET`."
        )
    services = work.services
    insertions = services.registry.insertions_of(work.session)
    tables = {name: work.tables[name] for name in (*_REQUIRED, *_OPTIONAL) if name in work.tables and name in BY_NAME}
    version = services.store.write_file(
        "nwb",
        work.session,
        ".nwb",
        lambda path: write_nwb(path, work.session, tables, subject, services.laboratory, insertions),
    )
    inspection = inspect_nwb(version.path, tables)
    relpath = version.path.relative_to(services.store.root).as_posix()
    return Made({"nwb_file": make_nwb_row(work.session, version.path, relpath, inspection)})
