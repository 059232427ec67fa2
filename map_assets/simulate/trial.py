"""What a trial of the delayed-response task is: its states, licks and events. How one comes about lives in `task`.

Times run in ticks of 0.1 ms, the rig's own grain, and trials start on whole milliseconds, so what the file holds is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TICKS_PER_S = 10_000
BIT_STATES = (*(f"{side}State{n}" for n in range(1, 17) for side in ("Off", "On")), "OffState17")
STATES = (
    "TrigTrialStart",
    "PreSamplePeriod",
    *BIT_STATES,
    *("SamplePeriod", "EarlyLickSample", "DelayPeriod", "EarlyLickDelay", "ResponseCue"),
    *("GiveLeftDrop", "GiveRightDrop", "GiveLeftDropShort", "GiveRightDropShort"),
    *("AnswerPeriod", "Reward", "RewardConsumption", "NoResponse", "TimeOut"),
    *("StopLicking", "StopLickingReturn", "TrialEnd"),
)
"""The rig's 52 states in their number order, from 1."""

Side = Literal["left", "right"]
STIM_SITES = {4: "left_alm", 5: "right_alm", 6: "both_alm"}
STIM_DURATION_S, STIM_POWER_MW = 0.5, 5.5


@dataclass(frozen=True)
class Visit:
    """One visit of a state; ticks from the trial's start."""

    state: str
    entry: int
    exit: int


@dataclass(frozen=True)
class Lick:
    """One contact with a port; ticks from the trial's start."""

    start: int
    stop: int
    side: Side


@dataclass(frozen=True)
class Trial:
    """One trial.

    Parameters
    ----------
    trial : int
        From 1.
    start_ms : int
        Start on the session clock, ms.
    visits : tuple of Visit
        In time order.
    licks : tuple of Lick
        In time order.
    events : tuple of (int, str)
        The rig's events, ticks from the trial's start, in time order.
    gave_free_reward : tuple of int
        Free drops on the right and the left port.
    """

    trial: int
    start_ms: int
    trial_type: int
    instruction: Side
    visits: tuple[Visit, ...]
    licks: tuple[Lick, ...]
    events: tuple[tuple[int, str], ...]
    bitcode: str
    stim_code: int
    autowater: int
    gave_free_reward: tuple[int, int]
    is_free_water: bool

    @property
    def start_s(self) -> float:
        """Start on the session clock, s."""
        return self.start_ms / 1000

    @property
    def length(self) -> int:
        """Ticks from the trial's start to the end of its last state."""
        return self.visits[-1].exit

    def of(self, *states: str) -> list[Visit]:
        """Visits of some states, in time order."""
        return [visit for visit in self.visits if visit.state in states]

    def at_s(self, ticks: int) -> float:
        """Carry ticks of this trial onto the session clock, s."""
        return self.start_s + ticks / TICKS_PER_S

    def last_s(self, state: str) -> float | None:
        """Session time of the last entry of a state, or None."""
        visits = self.of(state)
        return self.at_s(visits[-1].entry) if visits else None

    @property
    def outcome(self) -> str:
        """Hit, miss or ignore."""
        return "hit" if self.of("Reward") else "miss" if self.of("TimeOut") else "ignore"
