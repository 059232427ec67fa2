"""Units with their place in the brain, their probe and their statistics: one join over the sessions. What a place's name means lives in `regions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from map_assets.analyst.regions import resolve_region

if TYPE_CHECKING:
    from map_assets.analyst.frame import Frame
    from map_assets.analyst.sql import Desk
    from map_assets.analyst.standing import Standing
    from map_assets.vocabulary.table import Table

_PLACE: Final = ("shank", "ccf_ap_um", "ccf_dv_um", "ccf_ml_um", "region_id", "region", "region_status", "hemisphere")
_PROBE: Final = ("serial_number", "part_number", "probe_type", "sorter", "sorter_version", "curation")
_TARGET: Final = ("brain_area",)
_TABLES: Final = ("units", "electrodes", "insertions", "unit_stats", "probes")
_AIMED: Final = """
select distinct session, probe from {insertions}
where lower(brain_area) = lower($place) or lower(hemisphere || ' ' || brain_area) = lower($place)
"""
_JOIN: Final = """
select u.*, {columns}, i.hemisphere as aimed_hemisphere
from {{units}} u
left join {{electrodes}} e using (session, probe, electrode)
left join {{insertions}} i using (session, probe)
left join {{unit_stats}} s using (session, probe, unit_id)
left join {{probes}} p using (session, probe)
"""
_QUERY: Final = """
select * exclude (aimed_hemisphere) from {{units_and_more}} where {chosen} order by session, probe, unit_id
"""


def read_units(
    desk: Desk, standing: Standing, region: str | None, quality: str | None, sessions: Sequence[str] | None
) -> Frame:
    """Join `units` with what is beside it; see `map_assets.analyst.lab.Lab.units`.

    Parameters
    ----------
    desk : Desk
    standing : Standing
    region, quality : str or None
        None is any.
    sessions : sequence of str or None
        None is all that have units.
    """
    from map_assets.analyst.frame import frame_from

    beside = {
        "e": ("electrodes", _PLACE),
        "i": ("insertions", _TARGET),
        "s": ("unit_stats", None),
        "p": ("probes", _PROBE),
    }
    declared = {alias: _part(standing.declared(name), names) for alias, (name, names) in beside.items()}
    columns = [
        f'{alias}."{name}" as "{alias}.{name}"' for alias, part in declared.items() for name in part.schema.names
    ]
    chosen, values = ["true"], {}
    if quality is not None:
        chosen.append("quality = $quality")
        values["quality"] = quality
    if region is not None:
        condition, more = _place(desk, standing, region, sessions)
        chosen.append(condition)
        values |= more
    join = "units_and_more", _JOIN.format(columns=", ".join(columns))
    query = _QUERY.format(chosen=" and ".join(chosen))
    found = desk.over(query, _TABLES, sessions, values or None, join)
    units = standing.declared("units")
    taken = {name for name in found.column_names if "." not in name}
    known = {column.name: column for column in units.columns}
    names = []
    for name in found.column_names:
        alias, _, plain = name.partition(".")
        if plain:
            part = declared[alias]
            told = plain if plain not in taken else f"{plain}_{part.name}"
            (column,) = (one for one in part.columns if one.name == plain)
            taken.add(told)
            known[told] = replace(column, name=told, nullable=True)
            names.append(told)
        else:
            names.append(name)
    whole = replace(units, columns=tuple(column for name, column in known.items() if name in taken))
    return frame_from(found.rename_columns(names), whole)


def _part(table: Table, names: Sequence[str] | None) -> Table:
    """Some columns of a table, or all that are not its key, and no key."""
    wanted = names if names is not None else [c.name for c in table.columns if c.name not in table.key]
    return replace(table, key=(), columns=tuple(column for column in table.columns if column.name in wanted))


def _place(desk: Desk, standing: Standing, place: str, sessions: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    """The condition that a unit is in a place: on a probe that was aimed there, else in the region of that name."""
    aimed = desk.over(_AIMED, ["insertions"], sessions, {"place": place})
    if aimed.num_rows:
        whole = """lower(aimed_hemisphere || ' ' || "i.brain_area") = lower($place)"""
        return f"""(lower("i.brain_area") = lower($place) or {whole})""", {"place": place}
    ontology = standing.read("ccf_ontology")
    present: set[str] = set()
    if ontology.num_rows == 0:
        regions = desk.over(
            "select distinct region from {electrodes} where region is not null", ["electrodes"], sessions
        )
        present = set(regions["region"].to_pylist())
    return '"e.region" in (select unnest($regions))', {"regions": sorted(resolve_region(place, ontology, present))}
