"""Stages of the figures: one a figure, shown on the asset's page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from map_assets.defs.stage import Made, Work, stage
from map_assets.defs.work import digest_of
from map_assets.figures import behavior_performance as performance
from map_assets.figures import clock_residuals as residuals
from map_assets.figures import unit_raster_psth as raster
from map_assets.figures.drawing import Drawing, NotApplicable
from map_assets.figures.tables import BEHAVIOR_PERFORMANCE, CLOCK_RESIDUALS, UNIT_RASTER_PSTH
from map_assets.vocabulary.table import Table

_RASTER = ("trials", "units", "spikes", "trial_spikes", "psth", "clock_maps", "probes")


@stage(
    writes=[BEHAVIOR_PERFORMANCE],
    reads=("trials",),
    may_read=("photostim_sites",),
    version="2",
    group="figures",
    kinds={"matplotlib"},
)
def behavior_performance(work: Work) -> Made:
    """Performance over the session and under photostimulation."""
    drawn = performance.draw(work.session, work.table("trials"), work.maybe("photostim_sites"))
    return _hang(work, BEHAVIOR_PERFORMANCE, drawn, ("trials", "photostim_sites"))


@stage(writes=[CLOCK_RESIDUALS], reads=("clock_maps",), group="figures", kinds={"matplotlib"}, shows_refused=True)
def clock_residuals(work: Work) -> Made:
    """Residuals of each probe's clock over the session; drawn above all where they are too large."""
    return _hang(work, CLOCK_RESIDUALS, residuals.draw(work.session, work.table("clock_maps")), ("clock_maps",))


@stage(writes=[UNIT_RASTER_PSTH], reads=_RASTER, version="2", group="figures", kinds={"matplotlib"})
def unit_raster_psth(work: Work) -> Made:
    """Raster and PSTH of one unit."""
    drawn = raster.draw(work.session, *(work.table(name) for name in _RASTER))
    return _hang(work, UNIT_RASTER_PSTH, drawn, _RASTER)


def _hang(work: Work, table: Table, drawn: Drawing | NotApplicable, inputs: tuple[str, ...]) -> Made:
    """Put a drawing into the store and say where it hangs, or why there is none."""
    row: dict[str, object] = {
        "session": work.session,
        "data_sha256": digest_of(work.session, work.services, inputs),
    }
    if isinstance(drawn, NotApplicable):
        row |= {"status": "not applicable", "reason": drawn.reason}
        return Made({table.name: table.from_rows([row])}, notes={"not applicable": drawn.reason})
    store = work.services.store
    png = store.write_file(table.name, work.session, ".png", _writer(drawn.png))
    svg = store.write_file(table.name, work.session, ".svg", _writer(drawn.svg))
    row |= {
        "status": "drawn",
        "png_file": png.path.relative_to(store.root).as_posix(),
        "svg_file": svg.path.relative_to(store.root).as_posix(),
        "png_bytes": png.n_bytes,
    }
    return Made({table.name: table.from_rows([row])}, pictures={table.name: drawn.png})


def _writer(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write
