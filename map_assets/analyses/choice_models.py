"""Models of free choices, fitted by maximum likelihood. What a session makes of them is in `foraging`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.analyses.trains import Floats, Whole

_BOUNDS: dict[str, tuple[float, float]] = {
    "learning_rate": (0.001, 1.0),
    "learning_rate_none": (0.001, 1.0),
    "forgetting_rate": (0.0, 1.0),
    "inverse_temperature": (0.0, 30.0),
    "choice_rate": (0.01, 1.0),
    "choice_weight": (-10.0, 10.0),
    "bias_right": (-6.0, 6.0),
    "bias_middle": (-6.0, 6.0),
}
VALUE_MODELS: dict[str, tuple[str, ...]] = {
    "q_learning": ("learning_rate", "inverse_temperature"),
    "q_learning_forgetting": ("learning_rate", "forgetting_rate", "inverse_temperature"),
    "q_learning_two_rates_forgetting": (
        *("learning_rate", "learning_rate_none", "forgetting_rate", "inverse_temperature"),
    ),
    "q_learning_forgetting_choice_kernel": (
        *("learning_rate", "forgetting_rate", "inverse_temperature", "choice_rate", "choice_weight"),
    ),
}
"""Their parameters beside the biases, which every one has."""
_N_SCATTERED = 256
_STEP = 1e-5
_SEED = 20190228


@dataclass(frozen=True)
class Choices:
    """A session's choices in order; arrays of n choices.

    Parameters
    ----------
    port : numpy.ndarray of int
        0 left, 1 right, 2 middle.
    reward : numpy.ndarray of float
        0 or 1.
    is_free : numpy.ndarray of bool
        The others teach a learner, but tell nothing of how it chooses.
    n_ports : int
        2 or 3.
    """

    port: Whole
    reward: Floats
    is_free: NDArray[np.bool_]
    n_ports: int

    @property
    def biases(self) -> tuple[str, ...]:
        """Names of the biases: one less than ports."""
        return ("bias_right", "bias_middle")[: self.n_ports - 1]


@dataclass(frozen=True)
class Fitted:
    """A model at its likeliest parameters."""

    model: str
    parameters: dict[str, float]
    log_likelihood: float
    n_choices: int

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return 2 * len(self.parameters) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return len(self.parameters) * float(np.log(self.n_choices)) - 2 * self.log_likelihood

    @property
    def has_values(self) -> bool:
        """Whether it gives ports values."""
        return self.model in VALUE_MODELS


def fit_models(choices: Choices, n_starts: int) -> tuple[Fitted, ...]:
    """Fit every model to a session's free choices, of which there are some.

    Parameters
    ----------
    choices : Choices
    n_starts : int
        How many of the likeliest of a scatter of parameters the search begins from; the same choices give the same fit.

    Returns
    -------
    tuple of Fitted
        Those without values first, which are fitted in closed form.
    """
    return (
        _fit_bias(choices),
        _fit_win_stay(choices),
        *(_fit_values(choices, name, n_starts) for name in VALUE_MODELS),
    )


def follow(choices: Choices, parameters: dict[str, float]) -> tuple[Floats, Floats]:
    """Follow a learner through the choices.

    Returns
    -------
    values : numpy.ndarray of float, shape (n, n_ports)
        Before each choice; zero before the first.
    probability : numpy.ndarray of float, shape (n, n_ports)
        Of choosing each port.
    """
    one = {name: np.array([value]) for name, value in parameters.items()}
    values, logs = _walk(choices, one)
    return values[:, :, 0], np.exp(logs[:, :, 0])


def _walk(choices: Choices, theta: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Follow m learners at once: values before each choice and log probabilities, each of shape (n, n_ports, m)."""
    m, ports = len(next(iter(theta.values()))), choices.n_ports
    nothing = np.zeros(m)
    rate = theta["learning_rate"]
    bias = np.zeros((ports, m))
    for at, name in enumerate(choices.biases, 1):
        bias[at] = theta[name]
    # what a choice does to values is linear, and of as many kinds as there are ports and rewards
    shrink = np.empty((2, ports, ports, m))
    shrink[:] = 1 - theta.get("forgetting_rate", nothing)
    gain = np.zeros_like(shrink)
    habit_gain = np.zeros((ports, ports, m))
    for port in range(ports):
        shrink[0, port, port], shrink[1, port, port] = 1 - theta.get("learning_rate_none", rate), 1 - rate
        gain[1, port, port] = rate
        habit_gain[port, port] = theta.get("choice_rate", nothing)
    habit_shrink = 1 - theta.get("choice_rate", nothing)
    values, habits = np.zeros((2, len(choices.port) + 1, ports, m))
    has_habit = "choice_rate" in theta
    for at, (port, reward) in enumerate(zip(choices.port.tolist(), choices.reward.astype(int).tolist(), strict=True)):
        np.multiply(values[at], shrink[reward, port], out=values[at + 1])
        values[at + 1] += gain[reward, port]
        if has_habit:
            np.multiply(habits[at], habit_shrink, out=habits[at + 1])
            habits[at + 1] += habit_gain[port]
    logits = theta["inverse_temperature"] * values[:-1] + theta.get("choice_weight", nothing) * habits[:-1] + bias
    logits -= logits.max(axis=1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return values[:-1], logs


def _loss(choices: Choices, names: tuple[str, ...], theta: Floats) -> Floats:
    """Negative log likelihood of the free choices for each row of parameters, shape (m,)."""
    _, logs = _walk(choices, dict(zip(names, theta.T, strict=True)))
    free = np.flatnonzero(choices.is_free)
    return np.asarray(-logs[free, choices.port[free]].sum(axis=0))


def _fit_values(choices: Choices, model: str, n_starts: int) -> Fitted:
    from scipy.optimize import minimize

    names = (*VALUE_MODELS[model], *choices.biases)
    low, high = np.array([_BOUNDS[name] for name in names]).T
    rng = np.random.default_rng(_SEED)
    scattered = low + (high - low) * rng.random((_N_SCATTERED, len(names)))
    for at, name in enumerate(names):
        if name in {"inverse_temperature", "choice_weight"} or name.startswith("bias"):
            scattered[:, at] *= rng.random(_N_SCATTERED)  # most animals' are small
    starts = scattered[np.argsort(_loss(choices, names, scattered))[:n_starts]]
    step = np.eye(len(names)) * _STEP

    def loss_and_slope(theta: Floats) -> tuple[float, Floats]:
        around = np.clip(np.concatenate([theta[None], theta + step, theta - step]), low, high)
        loss = _loss(choices, names, around)
        width = (around[1 : len(names) + 1] - around[len(names) + 1 :]).diagonal()
        return float(loss[0]), (loss[1 : len(names) + 1] - loss[len(names) + 1 :]) / width

    found = [
        minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", bounds=list(zip(low, high, strict=True)))
        for start in starts
    ]
    best = min(found, key=lambda one: float(one.fun))
    return Fitted(model, dict(zip(names, best.x.tolist(), strict=True)), -float(best.fun), int(choices.is_free.sum()))


def _fit_bias(choices: Choices) -> Fitted:
    n = np.bincount(choices.port[choices.is_free], minlength=choices.n_ports).astype(float)
    share = n / n.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = float(np.where(n > 0, n * np.log(share), 0.0).sum())
        # a port never chosen has no log odds: they are told as if it had been chosen half a time
        odds = np.log(np.maximum(n, 0.5) / max(n[0], 0.5))
    parameters = {name: float(odds[at]) for at, name in enumerate(choices.biases, 1)}
    return Fitted("bias", parameters, log_likelihood, int(n.sum()))


def _fit_win_stay(choices: Choices) -> Fitted:
    """Fit the probability of staying after reward and after none; who shifts takes any other port alike."""
    stays = np.diff(choices.port) == 0
    is_free, was_rewarded = choices.is_free[1:], choices.reward[:-1] > 0
    n_others = choices.n_ports - 1
    # the first free choice has none before it
    log_likelihood = -float(np.log(choices.n_ports)) if choices.is_free[0] else 0.0
    parameters = {}
    for name, here in (("stay_after_reward", is_free & was_rewarded), ("stay_after_none", is_free & ~was_rewarded)):
        n, n_stay = int(here.sum()), int((here & stays).sum())
        share = n_stay / n if n else 0.5
        parameters[name] = share
        log_likelihood += n_stay * np.log(share) if n_stay else 0.0
        log_likelihood += (n - n_stay) * np.log((1 - share) / n_others) if n > n_stay else 0.0
    return Fitted("win_stay_lose_shift", parameters, float(log_likelihood), int(choices.is_free.sum()))
