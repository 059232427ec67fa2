"""Free choices whose truth is known: a learner is found with its parameters, and units that follow its values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import ndimage, stats

from map_assets.analyses.choice_history import history_weights
from map_assets.analyses.choice_models import Choices, fit_models, follow
from map_assets.analyses.foraging import attainable_rate, make_foraging, next_of
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.period_fits import make_period_fits, regress, shift_p
from map_assets.analyses.trains import Spiking
from map_assets.behavior.tables import BLOCK_PORTS, TRIAL_EVENTS

SESSION = "FOR11_20210315_101010"
RATE_HZ = 30000.0
PARAMETERS = read_parameters().foraging
FEW = PARAMETERS.model_copy(update={"n_starts": 1, "n_shifts": 40})
TRUTH = {"learning_rate": 0.4, "forgetting_rate": 0.2, "inverse_temperature": 5.0, "bias_right": 0.3}


def learner(n: int, seed: int, block: int = 60, chances: tuple[float, float] = (0.6, 0.1), **other: float) -> Choices:
    """A learner with forgetting at two ports whose rewards stay until taken; the richer side changes with each block."""
    of = {**TRUTH, **other}
    rng = np.random.default_rng(seed)
    value, lies_there = np.zeros(2), np.zeros(2, bool)
    ports, rewards = [], []
    for at in range(n):
        chance = np.array(chances if at // block % 2 else chances[::-1])
        lies_there |= rng.random(2) < chance
        right = 1 / (1 + np.exp(-(of["inverse_temperature"] * (value[1] - value[0]) + of["bias_right"])))
        port = int(rng.random() < right)
        reward = float(lies_there[port])
        lies_there[port] = False
        value[1 - port] *= 1 - of["forgetting_rate"]
        value[port] += of["learning_rate"] * (reward - value[port])
        ports.append(port)
        rewards.append(reward)
    return Choices(np.array(ports), np.array(rewards), np.ones(n, bool), 2)


def session_of(
    trials_of: Callable, choices: Choices, ignored: tuple[int, ...] = (), **columns: Any
) -> dict[str, pa.Table]:
    """The tables of a session in which these choices were made; before the trials named in `ignored` stands one more."""
    side, outcome = [], []
    for at, (port, reward) in enumerate(zip(choices.port.tolist(), choices.reward.tolist(), strict=True)):
        if at in ignored:
            side.append(None)
            outcome.append("ignore")
        side.append(("left", "right", "middle")[port])
        outcome.append("hit" if reward else "miss")
    n = len(side)
    start = np.arange(n) * 5.0
    block = (np.arange(n) // 60 + 1).tolist()
    given = {
        "choice": side,
        "outcome": outcome,
        "instruction": ["none"] * n,
        "block": block,
        "bitcode_start_s": start + 0.5,
        "delay_s": start + 1.0,
    }
    events = [
        {
            "session": SESSION,
            "trial": at + 1,
            "event_id": number,
            "event": name,
            "start_s": 5.0 * at + s,
            "duration_s": 0.1,
        }
        for at in range(n)
        for number, (name, s) in enumerate((("go", 2.0), ("choice", 2.25), ("trialend", 3.5)))
        if name != "choice" or side[at]
    ]
    ports = [
        {"session": SESSION, "block": one, "port": port, "reward_probability": chance}
        for one in sorted(set(block))
        for port, chance in zip(("left", "right"), (0.6, 0.1) if one % 2 == 0 else (0.1, 0.6), strict=True)
    ]
    return {
        "trials": trials_of(start, **{**given, **columns}),
        "trial_events": TRIAL_EVENTS.from_rows(events),
        "block_ports": BLOCK_PORTS.from_rows(ports),
    }


def test_a_learner_is_found_with_its_parameters_and_its_model_is_likeliest() -> None:
    fits = {one.model: one for one in fit_models(learner(1500, 1), 2)}
    found = fits["q_learning_forgetting"]
    assert found.parameters["learning_rate"] == pytest.approx(0.4, abs=0.07)
    assert found.parameters["forgetting_rate"] == pytest.approx(0.2, abs=0.07)
    assert found.parameters["inverse_temperature"] == pytest.approx(5.0, abs=0.7)
    assert found.parameters["bias_right"] == pytest.approx(0.3, abs=0.15)
    assert min(fits.values(), key=lambda one: one.bic).model == "q_learning_forgetting"
    assert found.log_likelihood > fits["q_learning"].log_likelihood > fits["bias"].log_likelihood
    assert found.aic == pytest.approx(8 - 2 * found.log_likelihood)


def test_an_animal_that_never_learns_needs_no_values() -> None:
    rng = np.random.default_rng(2)
    choices = Choices((rng.random(400) < 0.7).astype(int), (rng.random(400) < 0.3).astype(float), np.ones(400, bool), 2)
    fits = fit_models(choices, 2)
    assert min(fits, key=lambda one: one.aic).model in {"bias", "win_stay_lose_shift"}
    assert fits[0].parameters["bias_right"] == pytest.approx(np.log(0.7 / 0.3), abs=0.25)
    assert fits[0].log_likelihood == pytest.approx(np.log(stats.bernoulli.pmf(choices.port, choices.port.mean())).sum())


def test_a_learner_that_is_followed_has_the_values_that_it_chose_by() -> None:
    choices = learner(50, 3)
    values, probability = follow(choices, TRUTH)
    value = np.zeros(2)
    for at, (port, reward) in enumerate(zip(choices.port, choices.reward, strict=True)):
        assert values[at] == pytest.approx(value)
        assert probability[at, 1] == pytest.approx(1 / (1 + np.exp(-(5 * (value[1] - value[0]) + 0.3))))
        value[1 - port] *= 0.8
        value[port] += 0.4 * (reward - value[port])


def test_the_session_is_told_in_numbers_and_trials_without_a_choice_teach_nothing(trials_of: Callable) -> None:
    choices = learner(600, 4)
    found = make_foraging(SESSION, **session_of(trials_of, choices, (10, 300)), parameters=FEW, version="1")
    (row,) = found["foraging_sessions"].to_pylist()
    assert (row["n_trials"], row["n_ignored"], row["n_choices"]) == (602, 2, 600)
    assert row["reward_rate"] == pytest.approx(choices.reward.mean())
    assert row["attainable_rate"] == pytest.approx(attainable_rate(0.6, 0.1))
    assert 0.7 < row["efficiency"] < 1
    assert row["stay_after_reward"] > row["stay_after_none"]
    assert row["reaction_time_median_s"] == pytest.approx(0.25)
    assert row["iti_median_s"] == pytest.approx(2.0)
    assert row["n_matching_blocks"] >= 8
    assert 0.3 < row["matching_slope"] < 1.3
    assert row["matching_r2"] > 0.8
    trials = found["foraging_trials"].to_pylist()
    assert [trials[10][name] for name in ("choice", "is_rewarded", "rpe", "is_stay")] == [None] * 4
    assert trials[10]["q_left"] == trials[11]["q_left"]
    best = next(one for one in found["foraging_models"].to_pylist() if one["model"] == trials[0]["model"])
    assert sum(np.log(one["choice_probability"]) for one in trials if one["choice"]) == pytest.approx(
        best["log_likelihood"]
    )
    assert trials[0]["rpe"] == choices.reward[0]  # nothing was expected
    assert sum(one["is_best"] for one in found["foraging_models"].to_pylist()) == 1


def test_choices_with_water_given_teach_but_do_not_count(trials_of: Callable) -> None:
    choices = learner(200, 5)
    given = (np.arange(200) % 10 == 0).tolist()
    found = make_foraging(SESSION, **session_of(trials_of, choices, is_auto_water=given), parameters=FEW, version="1")
    assert found["foraging_sessions"]["n_choices"].to_pylist() == [180]
    assert set(found["foraging_models"]["n_choices"].to_pylist()) == {180}
    trials = found["foraging_trials"].to_pylist()
    assert not trials[0]["is_free"]
    assert trials[0]["rpe"] is not None


def test_a_short_session_has_no_model_and_says_what_it_can(trials_of: Callable) -> None:
    found = make_foraging(SESSION, **session_of(trials_of, learner(20, 6)), parameters=FEW, version="1")
    assert found["foraging_models"].num_rows == found["foraging_history"].num_rows == 0
    assert found["foraging_trials"]["q_left"].null_count == 20
    assert found["foraging_sessions"]["matching_slope"].to_pylist() == [None]
    nothing = session_of(trials_of, Choices(np.array([], int), np.array([]), np.array([], bool), 2), ())
    assert make_foraging(SESSION, **nothing, parameters=FEW, version="1")["foraging_trials"].num_rows == 0


def test_three_ports_have_models_but_no_relative_measures(trials_of: Callable) -> None:
    rng = np.random.default_rng(7)
    choices = Choices(rng.integers(0, 3, 120), (rng.random(120) < 0.4).astype(float), np.ones(120, bool), 3)
    found = make_foraging(SESSION, **session_of(trials_of, choices), parameters=FEW, version="1")
    assert found["foraging_trials"]["q_middle"].null_count == 0
    assert "bias_middle" in found["foraging_models"].column_names
    (row,) = found["foraging_sessions"].to_pylist()
    assert (row["attainable_rate"], row["matching_slope"]) == (None, None)


@pytest.mark.parametrize("pair", [(0.6, 0.1), (0.4, 0.05), (0.3, 0.25), (0.225, 0.2251)])
def test_the_attainable_rate_is_what_the_best_cycle_gets(pair: tuple[float, float]) -> None:
    def rate(n_in_a_row: int) -> float:
        rng = np.random.default_rng(8)
        draws = rng.random((60_000, 2)) < sorted(pair, reverse=True)
        lies_there, n_rewards = np.zeros(2, bool), 0
        for at, drawn in enumerate(draws):
            lies_there |= drawn
            port = int(at % (n_in_a_row + 1) == n_in_a_row)
            n_rewards += bool(lies_there[port])
            lies_there[port] = False
        return n_rewards / len(draws)

    assert max(rate(n) for n in range(1, 11)) == pytest.approx(attainable_rate(*pair), abs=0.01)


def test_history_weights_are_those_that_the_choices_were_made_by() -> None:
    rng = np.random.default_rng(9)
    ports, rewards = [0, 1], [1.0, 0.0]
    for _ in range(6000):
        side = np.where(np.array(ports[-2:]) == 1, 1, -1)
        got = np.array(rewards[-2:]) > 0
        drive = 0.2 + side[1] * (1.5 if got[1] else -0.5) + side[0] * (0.7 if got[0] else 0.0)
        ports.append(int(rng.random() < 1 / (1 + np.exp(-drive))))
        rewards.append(float(rng.random() < 0.4))
    found = history_weights(Choices(np.array(ports), np.array(rewards), np.ones(6002, bool), 2), 3)
    assert found is not None
    assert [row["rewarded"] for row in found] == pytest.approx([1.5, 0.7, 0.0], abs=0.2)
    assert [row["unrewarded"] for row in found] == pytest.approx([-0.5, 0.0, 0.0], abs=0.2)
    assert found[0]["bias"] == pytest.approx(0.2, abs=0.1)
    assert abs(found[0]["rewarded"] - 1.5) < 4 * found[0]["rewarded_std_err"] < 0.6


def test_units_that_follow_a_value_are_found_in_their_period(trials_of: Callable, tables_of: Callable) -> None:
    choices = learner(300, 10)
    tables = session_of(trials_of, choices)
    told = make_foraging(SESSION, **tables, parameters=FEW, version="1")["foraging_trials"]
    values = {name: told[name].to_numpy() for name in ("q_right", "rpe")}
    rng = np.random.default_rng(11)

    def train(rate_of_trial: np.ndarray, begin: float, end: float) -> list[int]:
        at = [rng.uniform(0, 1500, 3000)]
        at += [
            5 * k + begin + rng.uniform(0, end - begin, rng.poisson(max(r, 0) * (end - begin)))
            for k, r in enumerate(rate_of_trial)
        ]
        return np.unique(np.round(np.concatenate(at) * RATE_HZ).astype(int)).tolist()

    trains = {
        (1, 1): train(25 * values["q_right"], 1.0, 2.0),
        (1, 2): train(8 + 8 * values["rpe"], 3.5, 5.5),
        (1, 3): train(np.full(300, 5.0), 0.0, 5.0),
    }
    made = tables_of(tables["trials"], trains)
    insertions = pa.table({"probe": [1], "hemisphere": ["left"], "ml_um": [-1500.0]})
    found = make_period_fits(
        SESSION, Spiking(*made.all), tables["trial_events"], told, insertions, FEW, "1"
    ).to_pylist()
    by = {(row["unit_id"], row["period"], row["variables"], row["variable"]): row for row in found}
    assert len(found) == 3 * 7 * 2 * 3
    value = by[1, "delay", "sides", "q_right"]
    assert value["is_tuned"]
    assert value["beta_hz"] == pytest.approx(25, abs=5)
    assert value["hemisphere"] == "left"
    assert by[1, "delay", "relative", "q_relative"]["t"] > 3
    surprise = by[2, "iti_first_2", "sides", "rpe"]
    assert surprise["is_tuned"]
    assert surprise["beta_hz"] == pytest.approx(8, abs=2)
    assert not by[1, "iti_first_2", "sides", "q_right"]["is_tuned"]
    assert sum(row["is_tuned"] for row in found if row["unit_id"] == 3) <= 1


def test_least_squares_agree_with_a_regression_by_hand() -> None:
    rng = np.random.default_rng(12)
    design = rng.normal(size=(80, 3))
    rate = np.stack([3 + design @ [1.0, 0.0, -2.0] + rng.normal(size=80), np.full(80, 4.0)])
    found = regress(rate, design)
    x = np.column_stack([np.ones(80), design])
    weight, left, *_ = np.linalg.lstsq(x, rate[0])
    assert found.beta[0] == pytest.approx(weight[1:])
    std_err = np.sqrt(left[0] / 76 * np.linalg.inv(x.T @ x).diagonal())[1:]
    assert found.std_err[0] == pytest.approx(std_err)
    assert found.p[0] == pytest.approx(2 * stats.t.sf(np.abs(weight[1:] / std_err), 76))
    assert found.r2[0] == pytest.approx(1 - left[0] / np.sum((rate[0] - rate[0].mean()) ** 2))
    assert found.beta[1].tolist() == [0, 0, 0]
    assert found.p[1].tolist() == [1, 1, 1]
    assert found.p_fit[1] == 1


def test_slow_rates_that_follow_nothing_fool_students_p_but_not_the_shifts() -> None:
    rng = np.random.default_rng(13)

    def wandering(n: int) -> np.ndarray:
        return ndimage.gaussian_filter1d(rng.normal(size=(n, 600)), 8, axis=1)[:, 100:500]

    rate, design = wandering(400), wandering(3).T
    found = regress(rate, design)
    p = shift_p(rate, design, found.t, 100, 20)
    assert (found.p < 0.05).mean() > 0.3
    assert (p < 0.05).mean() < 0.1
    steady = rng.poisson(5, (400, 400)).astype(float)
    low, high = stats.binom.interval(0.9999, 1200, 0.05)
    assert low <= (regress(steady, design).p < 0.05).sum() <= high
    assert np.isnan(shift_p(rate[:, :40], design[:40], found.t, 100, 20)).all()


def test_shifts_are_regressions_on_shifted_variables() -> None:
    rng = np.random.default_rng(14)
    rate, design = rng.normal(size=(6, 90)), rng.normal(size=(90, 3))
    score = regress(rate, design).t
    larger = [np.abs(regress(rate, np.roll(design, lag, axis=0)).t) >= np.abs(score) for lag in range(20, 71)]
    assert shift_p(rate, design, score, 200, 20) == pytest.approx((1 + np.sum(larger, axis=0)) / 52)


def test_the_next_trial_is_the_one_with_the_next_number() -> None:
    found = next_of(np.array([1, 2, 4, 5]), np.array([10.0, 20.0, 40.0, 50.0]))
    assert found[[0, 2]].tolist() == [20.0, 50.0]
    assert np.isnan(found[[1, 3]]).all()
