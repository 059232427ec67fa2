"""Stage of the NWB room."""

from __future__ import annotations

from map_assets.config import Config
from map_assets.defs.stage import Check, Made, Work, stage
from map_assets.nwb.header import Publication
from map_assets.nwb.inspect import inspect_nwb
from map_assets.nwb.row import make_nwb_row
from map_assets.nwb.tables import NWB_FILE
from map_assets.nwb.verdicts import nwb_gives_the_tables_back, nwb_is_clean, nwb_validates
from map_assets.nwb.write import OPTIONAL, REQUIRED, write_nwb
from map_assets.vocabulary.errors import NoSubject


def _laboratory(config: Config) -> object:
    return [config.lab.name, config.lab.institution, config.lab.keywords, config.lab.related_publications]


@stage(
    writes=[NWB_FILE],
    reads=REQUIRED,
    may_read=OPTIONAL,
    needs=("subject",),
    group="nwb",
    kinds={"nwb"},
    version="3",
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
    services, lab = work.services, work.services.config.lab
    roots = {name: share.path for name, share in services.config.shares.items()}
    version = services.store.write_file(
        "nwb",
        work.session,
        ".nwb",
        lambda path: write_nwb(
            path,
            work.session,
            work.tables,
            subject,
            services.laboratory,
            publication=Publication(lab.keywords, lab.related_publications),
            roots=roots,
        ),
    )
    inspection = inspect_nwb(version.path, work.tables, subject)
    relpath = version.path.relative_to(services.store.root).as_posix()
    return Made({"nwb_file": make_nwb_row(work.session, version.path, relpath, inspection)})
