"""Stage of the registry: what people entered about a session's probes, as a table."""

from __future__ import annotations

from map_assets.defs.stage import Made, Work, stage
from map_assets.lab.tables import INSERTIONS, insertions_table


@stage(writes=[INSERTIONS], reads=("behavior_file",), needs=("insertions",), group="sessions")
def insertions(work: Work) -> Made:
    """Where the session's probes were aimed, as the registry has it."""
    found = work.services.registry.insertions_of(work.session)
    return Made({"insertions": insertions_table(work.session, found)})
