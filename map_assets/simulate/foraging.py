"""A foraging session: lets it happen, trial by trial. The log that tells of it is written in `pybpod`, its truth in `foraging_truth`.

An animal chooses freely between two or three ports; each trial may put a reward at a port, which stays until it is taken.
Times run in ticks of 0.1 ms from a trial's start, and trials start on whole milliseconds of the Bpod clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.trial import TICKS_PER_S

PORTS = ("left", "right", "middle")
LETTERS = {"left": "L", "right": "R", "middle": "M"}
CHANNELS = {"left": "Port1In", "right": "Port2In", "middle": "Port3In"}
OPEN_S = {"left": 0.031, "right": 0.034, "middle": 0.029}


@dataclass
class ForagingTrial:
    """One trial while it goes on, and after it.

    Parameters
    ----------
    trial, block : int
        From 1.
    start_ms : int
        On the Bpod clock, from trial 1.
    states : list of str
        The state machine's, in order.
    visits : list of (str, int, int)
        State, entry and exit, ticks.
    licks : list of (int, str)
        Ticks and port, in order of time.
    left_over : dict of str to bool
        Port -> whether a reward lies there afterwards.
    was_broken_off : bool
        Then the log does not list its states.
    """

    trial: int
    block: int
    start_ms: int
    states: list[str]
    bitcode: str
    is_auto_water: bool
    motors: dict[str, int]
    visits: list[tuple[str, int, int]] = field(default_factory=list)
    licks: list[tuple[int, str]] = field(default_factory=list)
    left_over: dict[str, bool] = field(default_factory=dict)
    was_broken_off: bool = False
    now: int = 0

    def stay(self, state: str, ticks: int) -> None:
        """Visit a state."""
        self.visits.append((state, self.now, self.now + ticks))
        self.now += ticks

    def of(self, *states: str) -> list[tuple[str, int, int]]:
        """Visits of some states, in time order."""
        return [visit for visit in self.visits if visit[0] in states]

    def at_s(self, ticks: int) -> float:
        """Carry ticks onto the session clock, s."""
        return self.start_ms / 1000 + ticks / TICKS_PER_S


def ports_of(plan: SessionPlan) -> tuple[str, ...]:
    """Ports of a plan."""
    return PORTS[: plan.n_ports]


def first_trial_at(plan: SessionPlan) -> datetime:
    """Wall-clock start of trial 1."""
    return plan.named_at + timedelta(seconds=21.437)


def chances(plan: SessionPlan) -> dict[str, list[float]]:
    """Probability that a trial puts a reward at each port, block by block; neighbouring blocks differ."""
    pairs = [(0.4, 0.05, 0.2), (0.05, 0.4, 0.1), (0.225, 0.2251, 0.0), (0.3, 0.15, 0.3)]
    order = generator(plan.seed, plan.key, "blocks").permutation(len(pairs))
    listed = [pairs[place] for place in order] * 20
    return {port: [one[index] for one in listed] for index, port in enumerate(PORTS)}


def make_foraging_trials(plan: SessionPlan) -> list[ForagingTrial]:
    """Make a session's trials."""
    rng = generator(plan.seed, plan.key, plan.task)
    ports, listed = ports_of(plan), chances(plan)
    codes = rng.choice(2**20, plan.n_trials, replace=False)
    trials: list[ForagingTrial] = []
    lies_there = dict.fromkeys(ports, True)
    block, left, start_ms = 1, int(rng.integers(5, 12)), 0
    for index, code in enumerate(codes):
        if left == 0:
            block, left = block + 1, int(rng.integers(5, 12))
        left -= 1
        is_auto = bool(rng.random() < plan.auto_water_share)
        motors = {axis: int(rng.integers(20_000, 90_000)) for axis in ("Lateral", "RostroCaudal", "DorsoVentral")}
        trial = ForagingTrial(
            index + 1, block, start_ms, _states(is_auto), f"{code:020b}", is_auto, motors, left_over={**lies_there}
        )
        for port in ports:
            lies_there[port] |= bool(rng.random() < listed[port][block - 1])
        _happen(plan, trial, rng, lies_there)
        trial.was_broken_off = bool(rng.random() < plan.lost_share) and index > 0
        trial.left_over = dict(lies_there)
        trials.append(trial)
        start_ms += -(-trial.now // 10) + 40 + int(rng.integers(0, 30))
    return trials


def _states(is_auto: bool) -> list[str]:
    auto = [*(f"Auto_Water_{letter}" for letter in "LRM"), "GoCue_real"] if is_auto else []
    return [
        *("ITIBeforeVideoOff", "ITIBeforeVideoOn", "Start", "OffState1", "OnState1", "OffState2", "ProtractLickports"),
        *("DelayStart", "BackToDelayStart", "GoCue", *auto),
        *(f"{name}_{letter}" for name in ("Choice", "Reward", "Consume_reward") for letter in "LRM"),
        *(f"Double_dipped_to_{letter}" for letter in "LRM"),
        *("ITI", "End"),
    ]


def _happen(plan: SessionPlan, trial: ForagingTrial, rng: np.random.Generator, lies_there: dict[str, bool]) -> None:
    """Let a trial happen; rewards that are taken no longer lie there."""
    ports = ports_of(plan)

    def lick(ticks: int, port: str) -> None:
        trial.licks.append((ticks, port))

    def any_port() -> str:
        return str(rng.choice(ports))

    trial.stay("ITIBeforeVideoOff", int(rng.integers(1_000, 9_000)))
    trial.stay("ITIBeforeVideoOn", int(rng.integers(9_000, 30_000)))
    if rng.random() < 0.1:
        lick(trial.now - 500, any_port())
    for state, ticks in (("Start", 150), ("OffState1", 100), ("OnState1", 100), ("OffState2", 100)):
        trial.stay(state, ticks)
    trial.stay("ProtractLickports", 0)
    for _ in range(int(rng.integers(1, 3)) if rng.random() < plan.early_share else 0):
        trial.stay("DelayStart", int(rng.integers(500, 6_000)))
        lick(trial.now, any_port())
        trial.stay("BackToDelayStart", 20_000)
    trial.stay("DelayStart", int(rng.integers(8_000, 20_000)))
    if trial.is_auto_water:
        trial.stay("GoCue", 0)
        for port in PORTS:
            opens = lies_there.get(port, False)
            trial.stay(f"Auto_Water_{LETTERS[port]}", round(OPEN_S[port] * 0.7 * TICKS_PER_S) if opens else 0)
        trial.stay("GoCue_real", int(rng.integers(1_000, 10_000)))
    else:
        trial.stay("GoCue", int(rng.integers(1_000, 10_000)))
    if rng.random() >= plan.no_answer_share:
        port = any_port()
        lick(trial.now, port)
        trial.stay(f"Choice_{LETTERS[port]}", 0)
        if lies_there[port]:
            lies_there[port] = False
            trial.stay(f"Reward_{LETTERS[port]}", round(OPEN_S[port] * TICKS_PER_S))
            lick(trial.now + 900, port)
            trial.stay(f"Consume_reward_{LETTERS[port]}", 4_000)
            if rng.random() < 0.2:
                other = next(one for one in ports if one != port)
                lick(trial.now, other)
                trial.stay(f"Double_dipped_to_{LETTERS[other]}", 0)
    trial.stay("ITI", 100)
    trial.stay("End", 0)
