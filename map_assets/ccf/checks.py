"""What the CCF room claims of electrodes, each claim a function that returns a verdict. Those of fitted tracks are in `track_checks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.vocabulary.frame import CCF_MIDLINE_ML_UM
from map_assets.vocabulary.subject import Insertion
from map_assets.vocabulary.table import Verdict

Floats = NDArray[np.float64]

MIRRORED_WITHIN_UM = 1000.0
"""A probe that mirroring brings so near to its planned distance from the midline was mirrored."""


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


def hemisphere_agrees_with_the_surgery(
    electrodes: pa.Table, insertions: pa.Table | Sequence[Insertion], probe_track_fits: pa.Table | None = None
) -> Verdict:
    """Claim that each probe is traced on the side at which the registry says it was aimed.

    Histology that was mirrored left to right fails, and is said to be mirrored where the other side fits better: where the
    track enters the brain (else the mean contact) lies nearer to the planned distance from bregma after mirroring. Of a probe
    with several shanks, some of them alone on the other side, further from the midline than the probe is wide, fail too.

    Parameters
    ----------
    electrodes : pyarrow.Table
        ``electrodes``.
    insertions : pyarrow.Table or sequence of Insertion
        Where the probes were aimed; those without a side, and probes that are not traced, are passed over.
    probe_track_fits : pyarrow.Table, optional
        Probes of which a track alone is traced are judged by it.
    """
    rows = insertions.to_pylist() if isinstance(insertions, pa.Table) else [vars(one) for one in insertions]
    n_compared, wrong, mirrored = 0, [], []
    for row in rows:
        probe, side = row["probe"], _aimed_side(row)
        ml_um = _traced_ml_um(electrodes, probe_track_fits, probe)
        if side not in {"left", "right"} or not ml_um.size:
            continue
        n_compared += 1
        odd = _shanks_beyond(electrodes, probe, is_right_aimed=side == "right")
        if odd:
            other = "left" if side == "right" else "right"
            named = " and ".join(str(shank + 1) for shank in odd)
            wrong.append(
                f"probe {probe} was aimed at the {side}, its shank {named} alone is traced to the {other}: if the file is "
                "mirrored, correct it with a flip of that shank"
            )
            continue
        is_right = np.count_nonzero(ml_um >= CCF_MIDLINE_ML_UM) * 2 > ml_um.size
        if is_right == (side == "right"):
            continue
        found = "right" if is_right else "left"
        wrong.append(f"probe {probe} was aimed at the {side}, most of its contacts are traced to the {found}")
        if _is_mirrored(row, probe_track_fits, float(np.median(ml_um))):
            mirrored.append(probe)
            wrong[-1] += (
                " as far from the midline as planned: its histology is mirrored left to right, correct it with a flip"
            )
    fine = f"{n_compared} probes lie on the side they were aimed at" if n_compared else "there is no side to compare"
    said = "; ".join(wrong) or fine
    figures = {"n_compared": n_compared, "n_wrong": len(wrong), "n_mirrored": len(mirrored)}
    return Verdict(not wrong, said, figures)


def _aimed_side(row: Mapping[str, Any]) -> Any:
    """Side that a probe was aimed at: by its ML, else as the registry says."""
    ml_um = row["ml_um"]
    if ml_um is None or not np.isfinite(ml_um) or ml_um == 0:
        return row["hemisphere"]
    return "right" if ml_um > 0 else "left"


def _shanks_beyond(electrodes: pa.Table, probe: int, *, is_right_aimed: bool) -> list[int]:
    """Shanks of a probe that lie on the side it was not aimed at, though others of its shanks do not.

    A probe aimed near the midline may straddle it, so that a shank counts only further beyond than the probe is wide.
    """
    placed = electrodes.filter((pc.field("probe") == probe) & pc.field("ccf_ml_um").is_valid())
    if not placed.num_rows:
        return []
    shank, x_um, ml_um = (placed[name].to_numpy() for name in ("shank", "x_um", "ccf_ml_um"))
    beyond_um = (ml_um - CCF_MIDLINE_ML_UM) * (-1 if is_right_aimed else 1)
    median = {int(one): float(np.median(beyond_um[shank == one])) for one in np.unique(shank)}
    odd = [one for one, beyond in median.items() if beyond > np.ptp(x_um)]
    return odd if any(beyond <= 0 for beyond in median.values()) else []


def _traced_ml_um(electrodes: pa.Table, fits: pa.Table | None, probe: int) -> Floats:
    """ML of a probe's placed contacts; of its tracks' deepest points where none is placed."""
    is_its = pc.field("probe") == probe
    placed = electrodes.filter(is_its & pc.field("ccf_ml_um").is_valid())["ccf_ml_um"].to_numpy()
    if placed.size or fits is None:
        return np.asarray(placed, np.float64)
    return np.asarray(fits.filter(is_its)["deepest_ml_um"].to_numpy(), np.float64)


def _is_mirrored(row: Mapping[str, Any], fits: pa.Table | None, ml_um: float) -> bool:
    """Whether a probe on the wrong side would be about where it was planned, were it mirrored."""
    planned = row["ml_um"]
    if not planned or not np.isfinite(planned):
        return False
    entry = ml_um
    if fits is not None:
        found = fits.filter((pc.field("probe") == row["probe"]) & pc.field("surface_ml_um").is_valid())["surface_ml_um"]
        entry = float(np.mean(found.to_numpy())) if len(found) else ml_um
    from_midline = entry - CCF_MIDLINE_ML_UM
    return bool(abs(-from_midline - planned) < MIRRORED_WITHIN_UM)


def contacts_are_spaced_as_on_the_probe(electrodes: pa.Table, slack_um: float = 60.0, limit: float = 0.25) -> Verdict:
    """Claim that a shank's traced contacts reach as far in the brain as on the probe.

    A registration warps, so the whole length may differ by `limit` of it, and by `slack_um` for positions on a grid of
    voxels. `electrodes_follow_the_shank` looks at short stretches, with wider limits.
    """
    wrong, ratios = [], []
    for name, shank in _by_shank(electrodes.filter(pc.field("position_source") == "traced")):
        y, place = _rows(shank)
        reach = float(y[-1] - y[0])
        if reach <= 2 * slack_um:
            continue
        found = float(np.linalg.norm(place[-1] - place[0]))
        ratios.append(found / reach)
        if abs(found - reach) > limit * reach + slack_um:
            wrong.append(f"{name} reaches {found:.0f} um in the brain and {reach:.0f} um on the probe")
    said = "; ".join(wrong) or f"{len(ratios)} shanks reach as far in the brain as on the probe"
    return Verdict(not wrong, said, _span("ratio", ratios) | {"n_shanks": len(ratios), "n_wrong": len(wrong)})


def tracings_have_no_gaps(electrodes: pa.Table, gap_um: float = 200.0) -> Verdict:
    """Claim that no stretch of a shank longer than `gap_um` is left untraced between traced contacts.

    What lies in such a gap is interpolated. Where the recorded contacts themselves leave a gap, there is none in the tracing.
    """
    wrong, gaps = [], []
    sources = electrodes["position_source"]
    for name, shank in _by_shank(
        electrodes.append_column("is_traced", pc.fill_null(pc.equal(sources, "traced"), False))
    ):
        y_um, is_traced = shank["y_um"].to_numpy(), shank["is_traced"].to_numpy(zero_copy_only=False)
        known = np.unique(y_um[is_traced])
        other = np.setdiff1d(np.unique(y_um), known)
        if known.size < 2:
            continue
        below = np.searchsorted(known, other)
        inner = below[(below > 0) & (below < known.size)]
        found = [float(known[at] - known[at - 1]) for at in np.unique(inner)]
        gaps += found
        for at in np.unique(inner):
            if known[at] - known[at - 1] > gap_um:
                wrong.append(
                    f"{name} is untraced from {known[at - 1]:.0f} to {known[at]:.0f} um above its tip-most row"
                )
    said = "; ".join(wrong) or f"no gap between traced contacts is longer than {max(gaps, default=0.0):.0f} um"
    return Verdict(not wrong, said, {"n_gaps": len(wrong), "longest_gap_um": max(gaps, default=0.0)})


def _by_shank(electrodes: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    pairs = (
        electrodes.group_by(["probe", "shank"]).aggregate([]).sort_by([("probe", "ascending"), ("shank", "ascending")])
    )
    for pair in pairs.to_pylist():
        is_here = (pc.field("probe") == pair["probe"]) & (pc.field("shank") == pair["shank"])
        yield f"probe {pair['probe']} shank {pair['shank'] + 1}", electrodes.filter(is_here)


def _span(name: str, values: Sequence[float]) -> dict[str, float | int | str | bool]:
    return {f"{name}_min": float(min(values)), f"{name}_max": float(max(values))} if values else {}
