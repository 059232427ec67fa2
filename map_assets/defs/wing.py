"""The whole wing, merged for one laboratory's configuration."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import dagster as dg

from map_assets.config import load_config
from map_assets.defs.archive_watch import archive_fixity, fixity_schedule, transfer_sensor
from map_assets.defs.assets import asset_of
from map_assets.defs.graft_assets import graft_assets, graft_sensors
from map_assets.defs.resources import LabResource
from map_assets.defs.sensors import due_sensor, share_sensors
from map_assets.defs.stages import LAB_STAGES, MANUAL_STAGES, SESSION_STAGES
from map_assets.graft.installed import grafts


@lru_cache(maxsize=8)
def definitions_for(config_file: Path | None) -> dg.Definitions:
    """Merge assets, checks, sensors and resources for a configuration file (None: as `map_assets.config` finds it)."""
    config = load_config(config_file)
    assets = [asset_of(stage) for stage in (*LAB_STAGES, *SESSION_STAGES)]
    by_hand = [asset_of(stage) for stage in MANUAL_STAGES]
    grafted = grafts()
    own = graft_assets(grafted, config)
    return dg.Definitions(
        assets=[*assets, *by_hand, *own],
        jobs=[archive_fixity],
        schedules=[fixity_schedule()],
        sensors=[
            *share_sensors(config),
            due_sensor(assets, config),
            transfer_sensor(config),
            *graft_sensors(grafted, own, config),
        ],
        resources={"laboratory": LabResource(config_file=None if config_file is None else str(config_file))},
        # a session's run is many small steps: a process for each would cost more than the work
        executor=dg.in_process_executor,
    )
