"""Claims about the ephys tables, each a plain function of tables. When they are asked is decided by the wing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ephys.clock_maps import STAND_IN
from map_assets.vocabulary.table import Verdict

_ENOUGH_ANCHORS = 5


def clock_residuals_are_within_limits(
    clock_maps: pa.Table,
    ephys_trials: pa.Table | None = None,
    *,
    rms_s: float = 1e-3,
    max_s: float = 5e-3,
    drift_ppm: float = 500.0,
    outlier_share: float = 0.1,
) -> Verdict:
    """Every probe's clock map rests on anchors that it meets within the limits.

    A probe whose bitcode file has no times at all has no anchors and passes; the description says so. A probe of which
    no trial matched, or which has times and yet no anchors, fails. So does a drift that no two crystals have (a line
    meets two wrong anchors without any residual), a lone anchor for several trials (it tells no drift), and a map that
    too many trials do not meet: a clock that jumped is not two clocks with some outliers.

    Where trial starts stand in for the starts of codes, the map is early by a constant that the anchors do not show. Such
    a probe passes as long as the behaviour bounds it (`clock_maps.offset_bound_s`), and the description and the figure
    ``offset_bound_s`` say by how much it may be; it fails where nothing bounds it.

    Parameters
    ----------
    clock_maps : pyarrow.Table
    ephys_trials : pyarrow.Table, optional
        Tells which probes have times.
    rms_s, max_s : float
        Limits of the anchors' root mean square and largest residual, s.
    drift_ppm : float
        Limit of the drift's size, parts per million.
    outlier_share : float
        Limit of the share of trials, among those that could be anchors, that do not meet the map: outliers, and trials
        whose code was found at a time that contradicts the clock. A single one is borne beside five anchors.
    """
    with_times = set() if ephys_trials is None else _probes_with_times(ephys_trials)
    wrong, without_times, early = [], [], []
    for row in clock_maps.to_pylist():
        name = f"probe {row['probe']}"
        if not row["matched_trials"]:
            wrong.append(f"{name} has no matched trial" + (f" ({row['problem']})" if row["problem"] else ""))
        elif not row["n_anchors"] and row["probe"] in with_times:
            wrong.append(f"{name} has times and no anchor")
        elif not row["n_anchors"]:
            without_times.append(name)
        elif row["residual_rms_s"] > rms_s or row["residual_max_s"] > max_s:
            rms_ms, max_ms = row["residual_rms_s"] * 1e3, row["residual_max_s"] * 1e3
            wrong.append(f"{name} has residuals of {rms_ms:.3f} ms (rms) and {max_ms:.3f} ms (largest)")
        elif abs(row["drift_ppm"]) > drift_ppm:
            wrong.append(f"{name} has a drift of {row['drift_ppm']:.0f} ppm")
        elif row["n_anchors"] == 1 < len(row["matched_trials"]):
            wrong.append(f"{name} has one anchor for {len(row['matched_trials'])} matched trials")
        elif _n_off(row) > max(outlier_share * (row["n_anchors"] + _n_off(row)), row["n_anchors"] >= _ENOUGH_ANCHORS):
            wrong.append(f"{name} has {_n_off(row)} trials off its clock beside {row['n_anchors']} anchors")
        elif row["anchor_kind"] == STAND_IN and row["offset_bound_s"] is None:
            wrong.append(
                f"{name} has trial starts in place of code starts, and nothing tells how much later codes start"
            )
        if row["anchor_kind"] == STAND_IN and row["offset_bound_s"] is not None:
            early.append(f"{name} up to {row['offset_bound_s']:.3f} s")
    said = "; ".join(wrong) or f"all anchors within {rms_s * 1e3:g} ms (rms) and {max_s * 1e3:g} ms (largest)"
    if without_times:
        said += f"; no times in the bitcode file of {', '.join(without_times)}, so no clock map"
    if early:
        said += f"; trial starts stand in for code starts, so session times may be too early: {', '.join(early)}"
    largest, bound = (pc.max(clock_maps[name]).as_py() for name in ("residual_max_s", "offset_bound_s"))
    figures = {
        "probes": clock_maps.num_rows,
        "anchors": int(pc.sum(clock_maps["n_anchors"]).as_py() or 0),
        "matched_trials": sum(len(trials) for trials in clock_maps["matched_trials"].to_pylist()),
        "off_the_clock": sum(map(_n_off, clock_maps.to_pylist())),
        **({} if largest is None else {"residual_max_s": float(largest)}),
        **({"offset_bound_s": float(bound)} if bound else {}),
    }
    return Verdict(not wrong, said, figures)


def every_unit_has_an_electrode(units: pa.Table, probe_sites: pa.Table | None = None) -> Verdict:
    """Every unit's peak channel is a contact of its probe."""
    sites = set() if probe_sites is None else set(_pairs(probe_sites, "electrode"))
    electrodes = _pairs(units, "electrode")
    n_without = sum(electrode is None for _, electrode in electrodes)
    n_unknown = sum(pair[1] is not None and pair not in sites for pair in electrodes)
    said = f"{len(electrodes)} units: {n_without} without an electrode, {n_unknown} on one that their probe has not"
    figures = {"units": len(electrodes), "without_electrode": n_without, "on_unknown_electrode": n_unknown}
    return Verdict(not n_without and not n_unknown, said, figures)


def spike_trains_rise(spikes: pa.Table) -> Verdict:
    """No spike train ever falls, and none begins before the recording. Two spikes on one sample are counted, not refused."""
    n_falls = n_repeated = n_negative = 0
    for chunk in spikes["samples"].chunks:
        values, offsets = chunk.values.to_numpy(), chunk.offsets.to_numpy()
        within = np.ones(max(len(values) - 1, 0), np.bool_)
        borders = offsets[1:-1]
        within[borders[(borders > 0) & (borders < len(values))] - 1] = False
        within[: offsets[0]] = False
        within[max(offsets[-1] - 1, 0) :] = False
        steps = np.diff(values)
        n_falls += int(np.count_nonzero((steps < 0) & within))
        n_repeated += int(np.count_nonzero((steps == 0) & within))
        n_negative += int(np.count_nonzero(values[offsets[0] : offsets[-1]] < 0))
    said = f"{n_falls} steps back, {n_negative} spikes before the recording, {n_repeated} spikes on their neighbour's sample"
    figures = {"steps_back": n_falls, "before_recording": n_negative, "repeated": n_repeated}
    return Verdict(not n_falls and not n_negative, said, figures)


def units_and_spikes_agree(units: pa.Table, spikes: pa.Table) -> Verdict:
    """Units and spike trains have the same ids, and each train as many spikes as its unit says."""
    said_counts = dict(zip(_pairs(units, "unit_id"), units["n_spikes"].to_pylist(), strict=True))
    found_counts = dict(
        zip(_pairs(spikes, "unit_id"), pc.list_value_length(spikes["samples"]).to_pylist(), strict=True)
    )
    n_lonely = len(said_counts.keys() ^ found_counts.keys())
    n_different = sum(said_counts[unit] != found_counts[unit] for unit in said_counts.keys() & found_counts.keys())
    said = (
        f"{len(said_counts)} units and {len(found_counts)} trains: {n_lonely} without the other, "
        f"{n_different} with another number of spikes"
    )
    figures = {
        "units": len(said_counts),
        "trains": len(found_counts),
        "spikes": sum(found_counts.values()),
        "without_the_other": n_lonely,
        "different_counts": n_different,
    }
    return Verdict(not n_lonely and not n_different, said, figures)


def classes_are_younger_than_their_sorting(unit_classes: pa.Table, probes: pa.Table) -> Verdict:
    """No probe's sorting was written after the classifier's file, which counts through the units of the one it was made from.

    Files keep no other trace of each other; a copy that lost its time can pass or fail in error.
    """
    written = pc.max(unit_classes["file_modified_at"]).as_py()
    later = [
        row["probe"]
        for row in probes.select(["probe", "sorted_at"]).to_pylist()
        if written is not None and row["sorted_at"] is not None and row["sorted_at"] > written
    ]
    n_good = pc.sum(pc.equal(unit_classes["class"], "good")).as_py() or 0
    said = f"{n_good} of {unit_classes.num_rows} units are good"
    if later:
        said += f"; probe {', '.join(map(str, later))} was sorted after the file was made, so its places may mean other units"
    figures = {"units": unit_classes.num_rows, "good": int(n_good), "later_sortings": len(later)}
    return Verdict(not later, said, figures)


def _n_off(clock: Mapping[str, Any]) -> int:
    """Trials of a probe that do not meet its clock map."""
    return (clock["n_outliers"] or 0) + len(clock["contradicted_trials"] or [])


def _probes_with_times(ephys_trials: pa.Table) -> set[int]:
    has_time = pc.or_(pc.is_valid(ephys_trials["start_probe_s"]), pc.is_valid(ephys_trials["go_probe_s"]))
    return set(ephys_trials.filter(has_time)["probe"].to_pylist())


def _pairs(table: pa.Table, column: str) -> list[tuple[int, int | None]]:
    return list(zip(table["probe"].to_pylist(), table[column].to_pylist(), strict=True))
