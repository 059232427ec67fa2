"""What the CCF room claims of a probe's shanks against each other and against the recording. Claims of electrodes are in `checks`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.ccf.placing import first_row
from map_assets.vocabulary.table import Verdict

Floats = NDArray[np.float64]


def shanks_stand_as_on_the_probe(electrodes: pa.Table, slack_um: float = 150.0, limit: float = 0.5) -> Verdict:
    """Claim that a probe's shanks lie in the brain in the order, and about as far apart, as on the probe.

    Shanks are compared at one height. A probe that was put in the other way round has its shanks in the other order, all
    of them; that is not held against it.

    Parameters
    ----------
    electrodes : pyarrow.Table
        ``electrodes``; shanks with fewer than two placed rows are passed over.
    slack_um, limit : float
        Two shanks may be nearer or further apart than on the probe by `limit` of that and `slack_um`.
    """
    wrong: list[str] = []
    n_compared = 0
    placed = electrodes.filter(pc.field("ccf_ap_um").is_valid())
    for probe, of_probe in _by(placed, "probe"):
        height = float(np.mean(of_probe["y_um"].to_numpy()))
        found = [(shank, *at) for shank, one in _by(of_probe, "shank") if (at := _at_height(one, height)) is not None]
        if len(found) < 2:
            continue
        n_compared += 1
        shanks, x_um = np.array([one[0] for one in found]), np.array([one[1] for one in found])
        places = np.array([one[2] for one in found])
        on_probe = np.abs(x_um[:, None] - x_um)
        in_brain = np.linalg.norm(places[:, None] - places, axis=2)
        is_off = np.abs(in_brain - on_probe) > limit * on_probe + slack_um
        alone = np.flatnonzero(is_off.sum(axis=1) * 2 > len(found)) if len(found) > 2 else np.array([], int)
        others = np.setdiff1d(np.arange(len(found)), alone)
        for k in alone if others.size else []:
            near, expected = in_brain[k, others].min(), on_probe[k, others].min()
            wrong.append(
                f"probe {probe} shank {shanks[k] + 1} lies {near:.0f} um from the nearest other shank, "
                f"{expected:.0f} um on the probe"
            )
        rest = others if others.size else np.arange(len(found))
        pairs = [(a, b) for a, b in pairwise(rest) if is_off[a, b]]
        wrong += [
            f"probe {probe} shanks {shanks[a] + 1} and {shanks[b] + 1} lie {in_brain[a, b]:.0f} um apart, "
            f"{on_probe[a, b]:.0f} um on the probe"
            for a, b in pairs
        ]
        if not alone.size and not pairs and _are_exchanged(x_um, places):
            wrong.append(f"probe {probe} has its shanks in another order than on the probe: their files are exchanged")
    said = "; ".join(wrong) or (
        f"the shanks of {n_compared} probes stand as on the probe" if n_compared else "no probe has two placed shanks"
    )
    return Verdict(not wrong, said, {"n_compared": n_compared, "n_wrong": len(wrong)})


def traced_probes_are_traced_whole(electrodes: pa.Table, limit: float = 0.25) -> Verdict:
    """Claim that of a probe that is traced at all every recorded shank is placed, and by positions nearly all of its contacts.

    A shank that is placed along its track may reach out of the brain, where nothing is traced: it is not counted.

    Parameters
    ----------
    electrodes : pyarrow.Table
    limit : float
        Share of a shank's contacts that may be without a place.
    """
    wrong: list[str] = []
    shares = [0.0]
    for probe, of_probe in _by(electrodes, "probe"):
        if of_probe["ccf_ap_um"].null_count == of_probe.num_rows:
            continue
        for shank, one in _by(of_probe, "shank"):
            n, n_missing = one.num_rows, one["ccf_ap_um"].null_count
            is_along = pc.any(pc.equal(one["position_source"], "along the track")).as_py()
            if n_missing == n:
                wrong.append(f"probe {probe} shank {shank + 1} is not traced, others of the probe are")
            elif not is_along and n_missing > limit * n:
                wrong.append(f"probe {probe} shank {shank + 1} has no place for {n_missing} of its {n} contacts")
            shares.append(0.0 if is_along and n_missing < n else n_missing / n)
    said = "; ".join(wrong) or "every recorded shank of a traced probe is placed"
    return Verdict(not wrong, said, {"n_wrong": len(wrong), "largest_share_missing": max(shares)})


def rows_are_told_apart(electrodes: pa.Table, electrode_positions: pa.Table) -> Verdict:
    """Claim that it is plain which row each position by x and y is of: the IBL counts rows from 20 um, others from 0.

    A file that lacks rows can fit both ways, one row apart; its contacts are then placed as if it counted from 0.
    """
    unsure: list[str] = []
    n_compared = 0
    for probe, given_here in _by(electrode_positions.filter(pc.field("y_um").is_valid()), "probe"):
        for shank, given in _by(given_here, "shank"):
            here = electrodes.filter((pc.field("probe") == probe) & (pc.field("shank") == shank))
            if not here.num_rows:
                continue
            n_compared += 1
            if not first_row(here["y_um"].to_numpy(), given["y_um"].to_numpy())[1]:
                unsure.append(f"probe {probe} shank {shank + 1}")
    named = ", ".join(unsure)
    said = (
        f"the rows of {named} fit the probe from 0 um and from 20 um alike: its contacts may be one row off"
        if unsure
        else f"the rows of {n_compared} shanks fit the probe in one way"
    )
    return Verdict(not unsure, said, {"n_compared": n_compared, "n_unsure": len(unsure)})


def labels_have_names(electrodes: pa.Table) -> Verdict:
    """Claim that every region that a contact lies in, or nearest to, is one of the ontology's."""
    ids: set[int] = set()
    for id_name, name in (("region_id", "region"), ("nearest_region_id", "nearest_region")):
        nameless = electrodes.filter(pc.field(id_name).is_valid() & pc.field(name).is_null())
        ids |= set(nameless[id_name].to_pylist())
    named = ", ".join(map(str, sorted(ids)[:10]))
    said = (
        f"no region has the id {named}: volume and ontology are of different releases, or there is no ontology"
        if ids
        else "every label has its name"
    )
    return Verdict(not ids, said, {"n_nameless": len(ids)})


def _at_height(shank: pa.Table, height_um: float) -> tuple[float, Floats] | None:
    """Where a shank stands on the probe (x of its leftmost column, um), and its place in the brain at a height."""
    y_um = shank["y_um"].to_numpy()
    if len(np.unique(y_um)) < 2:
        return None
    places = np.stack([shank[f"ccf_{axis}_um"].to_numpy() for axis in ("ap", "dv", "ml")], axis=1)
    away = y_um - y_um.mean()
    slope = away @ (places - places.mean(axis=0)) / (away @ away)
    return float(np.min(shank["x_um"].to_numpy())), places.mean(axis=0) + (height_um - y_um.mean()) * slope


def _are_exchanged(x_um: Floats, places: Floats) -> bool:
    """Whether shanks do not follow each other along a line as on the probe, from either end."""
    away = places - places.mean(axis=0)
    along = away @ np.linalg.svd(away, full_matrices=False)[2][0]
    steps = np.diff(along[np.argsort(x_um)])
    return not ((steps > 0).all() or (steps < 0).all())


def _by(table: pa.Table, column: str) -> Iterator[tuple[int, pa.Table]]:
    for one in sorted(pc.unique(table[column]).to_pylist()):
        yield one, table.filter(pc.field(column) == one)
