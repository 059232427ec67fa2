"""Stages of the report's figures: what the analyses found, probe by probe. The others are in `figures`."""

from __future__ import annotations

import pyarrow as pa

from map_assets.defs.hanging import hang
from map_assets.defs.stage import Made, Work, stage
from map_assets.figures import clustering_quality as quality
from map_assets.figures import coding_direction as direction
from map_assets.figures import driftmap as drift
from map_assets.figures import group_photostim as light
from map_assets.figures import group_psth as groups
from map_assets.figures import tables_report as report
from map_assets.figures import unit_characteristic as characteristic


def _taken(work: Work, names: tuple[str, ...]) -> list[pa.Table | None]:
    return [work.maybe(name) for name in names]


_DIRECTION = ("coding_direction", "coding_direction_traces")


@stage(
    writes=[report.CODING_DIRECTION_FIGURE],
    reads=_DIRECTION,
    may_read=("insertions",),
    group="figures",
    kinds={"matplotlib"},
)
def coding_direction_figure(work: Work) -> Made:
    """Each probe's trials on its coding direction, and those of every two probes against each other."""
    tables = [work.table(name) for name in _DIRECTION]
    drawn = direction.draw(work.session, *tables, *_taken(work, ("insertions",)))
    return hang(work, report.CODING_DIRECTION_FIGURE, drawn, (*_DIRECTION, "insertions"))


_GROUPS = ("psth", "unit_selectivity", "selectivity", "units", "trials")


@stage(writes=[report.GROUP_PSTH], reads=_GROUPS, may_read=("insertions",), group="figures", kinds={"matplotlib"})
def group_psth(work: Work) -> Made:
    """What contra- and ipsi-selective units do in contra and in ipsi trials."""
    drawn = groups.draw(work.session, *(work.table(name) for name in _GROUPS), *_taken(work, ("insertions",)))
    return hang(work, report.GROUP_PSTH, drawn, (*_GROUPS, "insertions"))


_LIGHT = ("population_psth", "photostim_effect")
_LIGHT_MAYBE = ("selectivity", "photostim_sites", "insertions")


@stage(writes=[report.GROUP_PHOTOSTIM], reads=_LIGHT, may_read=_LIGHT_MAYBE, group="figures", kinds={"matplotlib"})
def group_photostim(work: Work) -> Made:
    """What light does to each probe's mean firing, and to single units."""
    drawn = light.draw(work.session, *(work.table(name) for name in _LIGHT), *_taken(work, _LIGHT_MAYBE))
    return hang(work, report.GROUP_PHOTOSTIM, drawn, (*_LIGHT, *_LIGHT_MAYBE))


_DRIFT = ("units", "spikes", "probes", "clock_maps", "probe_sites")
_DRIFT_MAYBE = ("spike_features", "electrodes", "probe_track_fits")


@stage(
    writes=[report.DRIFTMAP],
    reads=_DRIFT,
    may_read=(*_DRIFT_MAYBE, "insertions"),
    lab_reads=("ccf_ontology",),
    group="figures",
    kinds={"matplotlib"},
)
def driftmap(work: Work) -> Made:
    """Spikes by time and depth on each shank."""
    tables = [work.table(name) for name in _DRIFT]
    drawn = drift.draw(work.session, *tables, *_taken(work, (*_DRIFT_MAYBE, "ccf_ontology", "insertions")))
    return hang(work, report.DRIFTMAP, drawn, (*_DRIFT, *_DRIFT_MAYBE, "insertions"))


_CHARACTERISTIC = ("units", "selectivity")
_CHARACTERISTIC_MAYBE = ("photostim_effect", "photostim_sites", "electrodes")


@stage(
    writes=[report.UNIT_CHARACTERISTIC],
    reads=_CHARACTERISTIC,
    may_read=(*_CHARACTERISTIC_MAYBE, "insertions"),
    lab_reads=("ccf_ontology",),
    group="figures",
    kinds={"matplotlib", "plotly"},
)
def unit_characteristic(work: Work) -> Made:
    """Where on each probe selective units sit, and those that light changes."""
    tables = [work.table(name) for name in _CHARACTERISTIC]
    drawn = characteristic.draw(
        work.session, *tables, *_taken(work, (*_CHARACTERISTIC_MAYBE, "ccf_ontology", "insertions"))
    )
    return hang(work, report.UNIT_CHARACTERISTIC, drawn, (*_CHARACTERISTIC, *_CHARACTERISTIC_MAYBE, "insertions"))


_QUALITY_MAYBE = ("unit_stats", "electrodes", "insertions")


@stage(
    writes=[report.CLUSTERING_QUALITY],
    reads=("units",),
    may_read=_QUALITY_MAYBE,
    group="figures",
    kinds={"matplotlib", "plotly"},
)
def clustering_quality(work: Work) -> Made:
    """How well the session's units were sorted."""
    drawn = quality.draw(work.session, work.table("units"), *_taken(work, _QUALITY_MAYBE))
    return hang(work, report.CLUSTERING_QUALITY, drawn, ("units", *_QUALITY_MAYBE))
