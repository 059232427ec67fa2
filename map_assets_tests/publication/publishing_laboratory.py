"""A made-up laboratory with two sessions whose NWB files passed their gates, and what is said of its releases."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from map_assets.config import load_config
from map_assets.defs.services import Services
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform
from map_assets.nwb.write import OPTIONAL, REQUIRED
from map_assets.shares.scan import scan_all
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import AnimalPlan, LabPlan, Part, ProbePlan, SessionPlan

WITH_PROBE = "MK041_20240305_102508"
BEHAVIOR_ONLY = "MK042_20240306_110000"
SESSIONS = [WITH_PROBE, BEHAVIOR_ONLY]
INPUTS = (*REQUIRED, *OPTIONAL)
PLAN = LabPlan(
    (AnimalPlan("MK041", 990041), AnimalPlan("MK042", 990042)),
    (
        SessionPlan(
            *("MK041", 990041, datetime(2024, 3, 5, 10, 25, 8), 8),
            (ProbePlan("left ALM", n_units=4, rate_scale=0.3),),
        ),
        SessionPlan("MK042", 990042, datetime(2024, 3, 6, 11, 0, 0), 6, (), parts=frozenset({Part.BEHAVIOR})),
    ),
    voxel_um=200.0,
)
STAGES = {
    WITH_PROBE: ("behavior", "sessions", "recordings", "clock_maps", "sortings", "probes", "nwb_file"),
    BEHAVIOR_ONLY: ("behavior", "sessions", "nwb_file"),
}
ABOUT = """
title = "Made-up sessions"
description = "Two sessions that nobody recorded."
publisher = "Made-up institute"
date = 2026-05-01
version = "1.0"
keywords = ["behavior", "neuropixels"]
dandiset = "000001"
url = "https://example.org/made-up"
cites = ["10.1101/2023.03.01.530520"]

[[author]]
family = "Rivera"
given = "Ana"
orcid = "0000-0002-1825-0097"
affiliation = "Made-up institute"
email = "ana@example.org"

[[author]]
family = "Okafor"
given = "Chidi"
"""


def make_laboratory(root: Path) -> Path:
    """Write the laboratory and bring both sessions as far as their NWB files; about 5 s."""
    write_laboratory(root, PLAN)
    services = Services(load_config(root / "map_assets.toml"))
    for sheet in ("animals.csv", "insertions.csv"):
        services.registry.import_sheet(root / "registry" / sheet, None, who="rivera", update=False)
    scan_all(services.shares, services.ledger)
    for session, stages in STAGES.items():
        for stage in stages:
            perform(BY_NAME[stage], session, services)
    services.ledger.close()
    services.registry.close()
    (root / "about.toml").write_text(ABOUT)
    return root
