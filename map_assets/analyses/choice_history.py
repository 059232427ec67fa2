"""What past choices and rewards do to the next choice, by logistic regression. Models that learn are in `choice_models`."""

from __future__ import annotations

from typing import Any

import numpy as np

from map_assets.analyses.choice_models import Choices
from map_assets.analyses.trains import Floats

_MAX_STEPS = 100
_RIDGE = 1e-3
"""Keeps weights finite where a choice can be told without error; too small to be seen elsewhere."""


def history_weights(choices: Choices, n_lags: int) -> list[dict[str, Any]] | None:
    """Regress each free choice of two ports on the choices before it, rewarded and unrewarded ones apart.

    Parameters
    ----------
    choices : Choices
        Of left and right.
    n_lags : int
        Choices back.

    Returns
    -------
    list of dict, or None
        By lag: lag, rewarded, rewarded_std_err, unrewarded, unrewarded_std_err, bias, n_choices. None with fewer choices
        than weights.

    Notes
    -----
    As in Hattori et al. 2019, without their term of choice alone: with both kinds of choices it would be one too many.
    """
    side = np.where(choices.port == 1, 1.0, -1.0)
    got, none = side * (choices.reward > 0), side * (choices.reward <= 0)
    n = len(side)
    at = np.arange(n_lags, n)
    at = at[choices.is_free[at]]
    if len(at) <= 2 * n_lags + 1:
        return None
    lags = np.arange(1, n_lags + 1)
    design = np.concatenate([got[at[:, None] - lags], none[at[:, None] - lags], np.ones((len(at), 1))], axis=1)
    weight, std_err = logistic(design, (side[at] > 0).astype(np.float64))
    return [
        {
            "lag": int(lag),
            "rewarded": weight[lag - 1],
            "rewarded_std_err": std_err[lag - 1],
            "unrewarded": weight[n_lags + lag - 1],
            "unrewarded_std_err": std_err[n_lags + lag - 1],
            "bias": weight[-1],
            "n_choices": len(at),
        }
        for lag in lags
    ]


def logistic(design: Floats, is_true: Floats) -> tuple[Floats, Floats]:
    """Fit a logistic regression by Newton's steps; give weights and their standard errors, shape (n_columns,)."""
    weight = np.zeros(design.shape[1])
    for _ in range(_MAX_STEPS):
        share = 1 / (1 + np.exp(-np.clip(design @ weight, -30, 30)))
        curve = (design * (share * (1 - share))[:, None]).T @ design + _RIDGE * np.eye(len(weight))
        step = np.linalg.solve(curve, design.T @ (is_true - share) - _RIDGE * weight)
        weight += step
        if np.abs(step).max() < 1e-9:
            break
    return weight, np.sqrt(np.linalg.inv(curve).diagonal())
