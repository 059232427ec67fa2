"""What the CCF room claims of its tables, each claim a function that returns a verdict. When they run is decided outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.vocabulary.subject import Insertion
from map_assets.vocabulary.table import Verdict


def electrodes_follow_the_shank(electrodes: pa.Table, window_um: float = 200.0, stretch: float = 0.5) -> Verdict:
    """Claim that traced contacts lie along their shank in order, tip deepest, about as far apart as on the probe.

    Parameters
    ----------
    electrodes : pyarrow.Table
        ``electrodes``; contacts that are not traced are passed over.
    window_um : float
        Distances are taken between rows at least this far apart on the shank: positions are often whole voxels.
    stretch : float
        Distance in the brain over distance on the shank may be ``1 - stretch`` to ``1 + stretch``: a warped brain is
        not of the probe's size.
    """
    traced = electrodes.filter(pc.field("ccf_ap_um").is_valid())
    wrong: list[str] = []
    ratios: list[np.ndarray] = []
    pairs = traced.group_by(["probe", "shank"]).aggregate([]).sort_by([("probe", "ascending"), ("shank", "ascending")])
    for pair in pairs.to_pylist():
        shank = traced.filter((pc.field("probe") == pair["probe"]) & (pc.field("shank") == pair["shank"]))
        name = f"probe {pair['probe']} shank {pair['shank'] + 1}"
        y, place = _rows(shank)
        later = np.searchsorted(y, y + window_um)
        first = np.flatnonzero(later < len(y))
        if not first.size:
            continue
        step = place[later[first]] - place[first]
        whole = place[-1] - place[0]
        ratio = np.linalg.norm(step, axis=1) / (y[later[first]] - y[first])
        ratios.append(ratio)
        if whole[1] > 0:
            wrong.append(f"{name} has its tip above its other end")
        if np.any(step @ whole <= 0):
            wrong.append(f"{name} turns back")
        if np.any(np.abs(ratio - 1) > stretch):
            wrong.append(f"{name} is {ratio.min():.2f} to {ratio.max():.2f} times as long in the brain as on the probe")
    figures: dict[str, float | int | str | bool] = {"n_traced": traced.num_rows, "n_shanks": len(ratios)}
    if ratios:
        figures |= {"ratio_min": float(np.concatenate(ratios).min()), "ratio_max": float(np.concatenate(ratios).max())}
    said = "; ".join(wrong) or f"{traced.num_rows} traced contacts on {pairs.num_rows} shanks lie in order"
    return Verdict(not wrong, said, figures)


def _rows(shank: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Heights of a shank's rows, rising, and the mean place of each row's contacts (n, 3)."""
    y, row = np.unique(shank["y_um"].to_numpy(), return_inverse=True)
    place = [np.bincount(row, shank[f"ccf_{axis}_um"].to_numpy()) / np.bincount(row) for axis in ("ap", "dv", "ml")]
    return y, np.stack(place, axis=1)


def positions_find_their_contacts(electrodes: pa.Table, electrode_positions: pa.Table) -> Verdict:
    """Claim that every shank that the histology placed has contacts traced by it."""
    keys = ["probe", "shank"]
    given = electrode_positions.group_by(keys).aggregate([])
    traced = electrodes.filter(pc.field("position_source") == "traced").group_by(keys).aggregate([])
    lost = sorted(
        {tuple(row.values()) for row in given.to_pylist()} - {tuple(row.values()) for row in traced.to_pylist()}
    )
    named = ", ".join(f"probe {probe} shank {shank + 1}" for probe, shank in lost)
    said = (
        f"no recorded contact matches the positions of {named}" if lost else f"all {given.num_rows} placed shanks match"
    )
    return Verdict(not lost, said, {"n_placed_shanks": given.num_rows, "n_without_contacts": len(lost)})


def hemisphere_agrees_with_the_surgery(electrodes: pa.Table, insertions: Sequence[Insertion]) -> Verdict:
    """Claim that most of each probe's traced contacts lie on the side at which the registry says the probe was aimed.

    Histology that was mirrored left to right would fail. Insertions without a side, and probes without traced
    contacts, are passed over.
    """
    compared = 0
    wrong: list[str] = []
    for insertion in insertions:
        side = insertion.hemisphere
        if side not in {"left", "right"} and insertion.ml_um:
            side = "right" if insertion.ml_um > 0 else "left"
        is_there = (pc.field("probe") == insertion.probe) & pc.field("hemisphere").is_valid()
        found = electrodes.filter(is_there)["hemisphere"].to_pylist()
        if side not in {"left", "right"} or not found:
            continue
        compared += 1
        n_right = found.count("right")
        majority = "right" if 2 * n_right > len(found) else "left"
        if majority != side:
            wrong.append(
                f"probe {insertion.probe} was aimed at the {side}, most of its contacts are traced to the {majority}"
            )
    said = "; ".join(wrong) or f"{compared} probes lie on the side they were aimed at"
    return Verdict(not wrong, said, {"n_compared": compared, "n_wrong": len(wrong)})
