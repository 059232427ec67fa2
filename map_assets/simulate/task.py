"""The animal and the rig: lets a delayed-response session happen, trial by trial. What a trial is stands in `trial`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.defects import Defect
from map_assets.simulate.trial import BIT_STATES, TICKS_PER_S, Lick, Side, Trial, Visit

_PORT: dict[Side, str] = {"left": "Port1", "right": "Port2"}


@dataclass
class _Run:
    """A trial while it goes on."""

    rng: np.random.Generator
    now: int = 0
    visits: list[Visit] = field(default_factory=list)
    licks: list[Lick] = field(default_factory=list)
    events: list[tuple[int, str]] = field(default_factory=list)

    def stay(self, state: str, ticks: int, *, until_lick: bool = False) -> None:
        """Visit a state; its end is the timer's unless a lick ends it."""
        self.visits.append(Visit(state, self.now, self.now + ticks))
        self.now += ticks
        if not until_lick:
            self.events.append((self.now, "Tup"))

    def sound(self, after: int, length: int | None) -> None:
        """The sound card answers 0.2 ms after a state's entry, and again when the sound ends, if it does."""
        self.events.append((after + 2, "WavePlayer1_3"))
        if length is not None:
            self.events.append((after + length + 2, "WavePlayer1_3"))

    def lick(self, start: int, side: Side) -> int:
        """Touch a port at `start`, or as soon as the tongue has left the other one; return the contact's start."""
        if self.licks:
            start = max(start, self.licks[-1].stop + 150)
        stop = start + int(self.rng.integers(300, 700))
        self.licks.append(Lick(start, stop, side))
        self.events += [(start, f"{_PORT[side]}In"), (stop, f"{_PORT[side]}Out")]
        return start

    def bout(self, start: int, end: int, side: Side, most: int) -> None:
        """Lick rhythmically (about 7 Hz) from `start`, all over before `end`."""
        for _ in range(int(self.rng.integers(1, most + 1))):
            start += int(self.rng.integers(1100, 1800))
            if start > end - 900:
                return
            start = self.lick(start, side)


def make_trials(plan: SessionPlan) -> tuple[Trial, ...]:
    """Make a session's trials, all that the animal did; what a file holds of them is the defects' business."""
    rng = generator(plan.seed, plan.key, "trials")
    codes = [f"{code:016b}" for code in rng.choice(2**16, plan.n_trials, replace=False)]
    if Defect.REPEATED_BITCODE in plan.defects and plan.n_trials > 2:
        codes[2] = codes[0]
    is_free = np.zeros(plan.n_trials, bool)
    if Defect.FREE_WATER in plan.defects:
        is_free[rng.choice(plan.n_trials, max(1, plan.n_trials // 12), replace=False)] = True
    trials: list[Trial] = []
    start_ms = 0
    for index, code in enumerate(codes):
        made = _make_trial(plan, generator(plan.seed, plan.key, "trial", index), bool(is_free[index]))
        trials.append(replace(made, trial=index + 1, start_ms=start_ms, bitcode=code))
        pause_s = 0.083 + rng.exponential(plan.extra_iti_s)
        start_ms += -(-made.length // 10) + round(pause_s * 1000)
    return tuple(trials)


def _make_trial(plan: SessionPlan, rng: np.random.Generator, is_free_water: bool) -> Trial:
    trial_type = int(rng.integers(2))
    side: Side = "left" if (trial_type == 1) != plan.is_reversed else "right"
    is_stim, is_auto, is_helped = rng.random(3) < (
        plan.photostim_share,
        plan.auto_water_share,
        plan.auto_water_share / 2,
    )
    stim_code = int(rng.choice([4, 5, 6])) if is_stim and not is_free_water else 0
    if stim_code and not (plan.protocol_type == 5 and plan.autolearn == 4):
        stim_code = 2
    run = _Run(rng)
    _begin(run)
    if is_free_water:
        run.stay(f"Give{side.title()}Drop", 300)
        run.bout(run.now, run.now + 15_000, side, 6)
        run.stay("RewardConsumption", 15_000)
    else:
        _epochs(plan, run, side)
        _answer(plan, run, side, is_auto=bool(is_auto), is_stim=bool(stim_code))
    run.stay("TrialEnd", 2_500)
    helped = (int(is_helped and side == "right"), int(is_helped and side == "left"))
    order = sorted(range(len(run.events)), key=lambda i: (run.events[i][0], i))
    return Trial(
        trial=0,
        start_ms=0,
        trial_type=trial_type,
        instruction=side,
        visits=tuple(run.visits),
        licks=tuple(run.licks),
        events=tuple(run.events[i] for i in order if run.events[i][0] <= run.now),
        bitcode="",
        stim_code=stim_code,
        autowater=1 if is_auto else 2,
        gave_free_reward=(0, 0) if is_free_water else helped,
        is_free_water=is_free_water,
    )


def _begin(run: _Run) -> None:
    """From the trial's start to the end of the bitcode, 0.93 s."""
    if run.rng.random() < 0.1:
        run.bout(800, 5_000, "left" if run.rng.random() < 0.5 else "right", 2)
    run.stay("TrigTrialStart", 5_000)
    run.stay("PreSamplePeriod", 100)
    for state in BIT_STATES:
        run.stay(state, 1_000 if state == "OffState17" else 100)


def _epochs(plan: SessionPlan, run: _Run, side: Side) -> None:
    """Sample and delay; an early lick starts the epoch over."""
    share = 0.8 if Defect.EARLY_LICKS in plan.defects else plan.early_share
    is_early = run.rng.random() < share
    in_sample = bool(run.rng.random() < 0.4)
    for state, early_state, length_s, is_here in (
        ("SamplePeriod", "EarlyLickSample", plan.sample_s, is_early and in_sample),
        ("DelayPeriod", "EarlyLickDelay", plan.delay_s, is_early and not in_sample),
    ):
        length = round(length_s * TICKS_PER_S)
        for _ in range(int(run.rng.integers(1, 4)) if is_here else 0):
            lick_side: Side = side if run.rng.random() < 0.7 else ("left" if side == "right" else "right")
            start = run.lick(run.now + int(run.rng.integers(1_000, length - 500)), lick_side)
            if state == "SamplePeriod":
                run.sound(run.now, None)
            run.stay(state, start - run.now, until_lick=True)
            run.stay(early_state, 100)
        if state == "SamplePeriod":
            run.sound(run.now, length - 500)
        run.stay(state, length)


def _answer(plan: SessionPlan, run: _Run, side: Side, *, is_auto: bool, is_stim: bool) -> None:
    """Go cue, answer and what follows from it."""
    n_loops = 0
    if run.rng.random() < (0.7 if Defect.REPEATED_GO_CUES in plan.defects else plan.no_answer_share):
        n_loops = int(run.rng.integers(1, 4))
    for _ in range(n_loops):
        _go(run)
        run.stay("AnswerPeriod", 15_000)
        run.stay("NoResponse", 10_000)
    _go(run)
    if is_auto:
        run.stay(f"Give{side.title()}Drop", 300)
    choice = run.rng.choice(["hit", "miss", "ignore"], p=[0.5, 0.38, 0.12] if is_stim else [0.74, 0.16, 0.10])
    if choice == "ignore":
        run.stay("AnswerPeriod", 15_000)
        run.stay("NoResponse", 10_000)
        run.stay("StopLicking", 15_000)
        return
    licked: Side = side if choice == "hit" else ("left" if side == "right" else "right")
    reaction = int(np.clip(run.rng.lognormal(np.log(0.25), 0.5), 0.06, 1.2) * TICKS_PER_S)
    start = run.lick(run.now + reaction, licked)
    run.stay("AnswerPeriod", start - run.now, until_lick=True)
    if choice == "hit":
        run.stay("Reward", 300)
        run.bout(run.now, run.now + 15_000, licked, 8)
        run.stay("RewardConsumption", 15_000)
    else:
        run.bout(run.now, run.now + 10_000, licked, 4)
        run.stay("TimeOut", 10_000)
    _stop_licking(run, licked)


def _go(run: _Run) -> None:
    run.sound(run.now, 1_500)
    run.stay("ResponseCue", 500)


def _stop_licking(run: _Run, side: Side) -> None:
    """The trial ends once there was no lick for 1.5 s."""
    for _ in range(int(run.rng.integers(1, 4)) if run.rng.random() < 0.25 else 0):
        start = run.lick(run.now + int(run.rng.integers(900, 13_000)), side)
        run.stay("StopLicking", start - run.now, until_lick=True)
        run.stay("StopLickingReturn", 100)
    run.stay("StopLicking", 15_000)
