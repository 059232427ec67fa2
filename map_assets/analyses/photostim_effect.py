"""`photostim_effect`: what stimulation of each site does to each unit's firing. The test lives in `two_groups`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyses.conditions import Condition
from map_assets.analyses.masks import Usable, usable_trials
from map_assets.analyses.parameters import PhotostimEffectParameters
from map_assets.analyses.periods import rates_between
from map_assets.analyses.tables_task import PHOTOSTIM_EFFECT
from map_assets.analyses.trains import Spiking, probe_trains
from map_assets.analyses.two_groups import compare, corrected


def make_photostim_effect(
    session: str,
    spiking: Spiking,
    control: Condition,
    parameters: PhotostimEffectParameters,
    version: str,
    usable: Usable | None = None,
) -> pa.Table:
    """Compare each unit's rate under stimulation of a site with its rate at that time of trials without.

    Stimulated trials are those that would be of the control condition but for the light. Each counts in its own
    window, from its onset for its duration; a control trial counts in the median window, relative to the go cue. Rises
    are told as well as falls.

    Returns
    -------
    pyarrow.Table
        ``photostim_effect``, a row for each unit and site that was used; empty for a session without stimulation.
    """
    trials = spiking.trials
    would = Condition(**{**vars(control), "stim": None}).holds(trials)
    is_control = control.holds(trials) & np.isfinite(trials["go_s"].to_numpy())
    names = trials["photostim_site"].to_numpy(zero_copy_only=False)
    sites = sorted({str(name) for name in names[would] if name is not None})
    tables = []
    for site in sites:
        is_stim = would & (names == site) & np.isfinite(trials["photostim_onset_s"].to_numpy())
        tables.append(_of_site(session, spiking, site, is_stim, is_control, parameters, version, usable))
    return pa.concat_tables(tables) if tables else PHOTOSTIM_EFFECT.empty()


def _of_site(
    session: str,
    spiking: Spiking,
    site: str,
    is_stim: NDArray[np.bool_],
    is_control: NDArray[np.bool_],
    parameters: PhotostimEffectParameters,
    version: str,
    usable: Usable | None,
) -> pa.Table:
    trials, n = spiking.trials, spiking.units.num_rows
    go, onset, lasts = (trials[name].to_numpy() for name in ("go_s", "photostim_onset_s", "photostim_duration_s"))
    has_go = is_stim & np.isfinite(go)
    window = (
        (float(np.median((onset - go)[has_go])), float(np.median(lasts[is_stim]))) if has_go.any() else (np.nan,) * 2
    )
    start = np.where(is_stim, onset, go + window[0])
    stop = np.where(is_stim, onset + lasts, go + window[0] + window[1])
    columns: dict[str, Any] = {name: np.zeros(n, np.int64) for name in ("n_stim", "n_control")}
    columns |= {name: np.full(n, np.nan) for name in ("rate_stim_hz", "rate_control_hz", "effect", "p")}
    for trains in probe_trains(*spiking):
        if trains.clock is None or trains.sample_rate_hz is None:
            continue
        unit_id = spiking.units["unit_id"].to_numpy()[trains.rows]
        rates = rates_between(trains, start, stop)
        rates[~usable_trials(trains, unit_id, trials, usable)] = np.nan
        found = compare(rates[:, is_control], rates[:, is_stim], parameters.min_trials)
        columns["n_control"][trains.rows], columns["n_stim"][trains.rows] = found.n_first, found.n_second
        columns["rate_control_hz"][trains.rows], columns["rate_stim_hz"][trains.rows] = (
            found.mean_first,
            found.mean_second,
        )
        columns["effect"][trains.rows], columns["p"][trains.rows] = found.effect, found.p
    p = corrected(columns["p"], "benjamini-hochberg")
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (columns["rate_stim_hz"] - columns["rate_control_hz"]) / columns["rate_control_hz"]
    is_affected = [None if np.isnan(value) else bool(value < parameters.alpha) for value in p]
    return PHOTOSTIM_EFFECT.from_columns(
        {
            "session": [session] * n,
            "probe": spiking.units["probe"],
            "unit_id": spiking.units["unit_id"],
            "photostim_site": [site] * n,
            "window_from_go_s": np.full(n, window[0]),
            "window_s": np.full(n, window[1]),
            **columns,
            "change": np.where(np.isfinite(change), change, np.nan),
            "p_corrected": p,
            "is_affected": pa.array(is_affected, pa.bool_()),
            "alpha": np.full(n, parameters.alpha),
            "parameters_version": [version] * n,
        }
    )
