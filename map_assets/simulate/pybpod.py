"""Writes a foraging session's log as PyBpod does. What the animal did lives in `foraging`."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.chance import generator
from map_assets.simulate.foraging import (
    CHANNELS,
    LETTERS,
    OPEN_S,
    PORTS,
    ForagingTrial,
    chances,
    first_trial_at,
    make_foraging_trials,
)
from map_assets.simulate.foraging_truth import truth_of
from map_assets.simulate.task_truth import TaskTruth
from map_assets.simulate.trial import TICKS_PER_S
from map_assets.simulate.writing import write_text

_EVENT_IDS = {"Tup": 88, "Port1In": 67, "Port1Out": 68, "Port2In": 69, "Port2Out": 70, "Port3In": 71, "Port3Out": 72}
_BPOD_AFTER_S = 14.2
"""From the zero of the Bpod clock to the start of trial 1."""
_HEAD = ("__CREATED-ON__", "__SOFTWARE__", "__DEF-URL__", "__DEF-TEXT__", "__UUID4__", "")
"""Names of the six lines before the header."""


def write_foraging(share: Path, plan: SessionPlan) -> tuple[list[Path], TaskTruth]:
    """Write the session's log under ``{animal}/sessions/{session}``; return it and the session's truth."""
    trials = make_foraging_trials(plan)
    log = _Log(plan)
    log.opening(plan)
    for trial in trials:
        log.trial(trial)
    log.info("SESSION-ENDED", str(log.at))
    path = share / plan.animal / "sessions" / plan.behavior_name.removesuffix(".csv") / plan.behavior_name
    return [write_text(path, log.text())], truth_of(plan, trials)


class _Log:
    """A log while it is written; `at` is the wall clock."""

    def __init__(self, plan: SessionPlan) -> None:
        self.at = plan.named_at
        self.zero = first_trial_at(plan)
        self._rng = generator(plan.seed, plan.key, "wall clock")
        self._stream = io.StringIO()
        lines = [f"{name};made up" if name else "" for name in _HEAD]
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._writer = csv.writer(self._stream, delimiter=";", lineterminator="\n")
        self._writer.writerow(["TYPE", "PC-TIME", "BPOD-INITIAL-TIME", "BPOD-FINAL-TIME", "MSG", "+INFO"])

    def text(self) -> str:
        """The whole log."""
        return self._stream.getvalue()

    def row(self, kind: str, text: Any, more: Any = None, initial: float | None = None, final: Any = None) -> None:
        """Write a row at the present wall-clock time."""
        self._writer.writerow([kind, str(self.at), _written(initial), _written(final), text, _written(more)])

    def info(self, name: str, value: Any, initial: float | None = None, final: float | None = None) -> None:
        """Write an INFO row."""
        self.row("INFO", name, value, initial, final)

    def print(self, *texts: Any) -> None:
        """Print, as the protocol does: a row for each text, blank and line end."""
        for number, text in enumerate(texts):
            if number:
                self.row("stdout", " ")
            self.row("stdout", str(text))
        self.row("stdout", "\n")

    def opening(self, plan: SessionPlan) -> None:
        """Write what comes before the first trial."""
        self.info("BPOD-API-VERSION", "1.8.2")
        self.info("PROTOCOL-NAME", "Bari_Cohen_made_up")
        self.info("CREATOR-NAME", '["rivera", "5f0e"]')
        self.info("PROJECT-NAME", "Foraging")
        self.info("EXPERIMENT-NAME", "Foraging_made_up")
        self.info("SETUP-NAME", "Tower-2")
        self.info("SUBJECT-NAME", f"['{plan.animal}', '57b50a6a']")
        settings: dict[str, Any] = {"lickport_number": plan.n_ports, "accumulate_reward": True, "iti": 3.0}
        for port in PORTS:
            letter = LETTERS[port]
            settings |= {
                f"WaterPort_{letter}_ch_in": CHANNELS[port],
                f"ValveOpenTime_{letter}": OPEN_S[port] / 2,
                f"reward_probabilities_{letter}": chances(plan)[port],
            }
        settings["retract_motor_signal"] = ("SoftCode", 1)
        self.print("Variables:", settings)
        self.print("Random seed:", plan.seed)
        self.print("-" * 29)
        self.print("Variables updated:", settings | {f"ValveOpenTime_{LETTERS[port]}": OPEN_S[port] for port in PORTS})

    def trial(self, trial: ForagingTrial) -> None:
        """Write a trial: what is printed before it, what happens in it, its states, what is printed after it."""
        self.at = self.zero + timedelta(milliseconds=trial.start_ms) - timedelta(milliseconds=9)
        self.print("Blocknumber:", trial.block)
        self.print("Trialnumber:", trial.trial)
        self.print("TrialBitCode: ", trial.bitcode)
        late_ms = 0 if trial.trial == 1 else int(self._rng.integers(-3, 4))
        self.at = self.zero + timedelta(milliseconds=trial.start_ms + late_ms)
        self.row("TRIAL", "New trial")
        for ticks, kind, text, more in sorted(_happened(trial), key=lambda one: one[0]):
            self.row(kind, text, more, ticks / TICKS_PER_S)
        if trial.was_broken_off:
            return
        self.row("END-TRIAL", "The trial ended")
        start_s = _BPOD_AFTER_S + trial.start_ms / 1000
        length_s = trial.now / TICKS_PER_S
        self.info("TRIAL-BPOD-TIME", length_s, round(start_s, 4), round(start_s + length_s, 4))
        for state, visits in _listed(trial):
            for entry, leave in visits or [(float("nan"), float("nan"))]:
                self.row("STATE", state, leave - entry, entry, leave)
        self.print("Trialtype:", "free choice")
        for port in PORTS:
            self.print(f"reward_{LETTERS[port]}_accumulated:", trial.left_over.get(port, False))
        motors = {f"LickPort_{axis}_pos": value for axis, value in trial.motors.items()}
        self.print("LickportMotors:", motors)


def _happened(trial: ForagingTrial) -> list[tuple[int, str, Any, str | None]]:
    """Events and transitions in the order of time."""
    found: list[tuple[int, str, Any, str | None]] = []
    for state, entry, _ in trial.visits[1:]:
        found += [(entry, "EVENT", _EVENT_IDS["Tup"], "Tup"), (entry, "TRANSITION", state, None)]
    for ticks, port in trial.licks:
        name = CHANNELS[port]
        found += [(ticks, "EVENT", _EVENT_IDS[name], name)]
    return found


def _listed(trial: ForagingTrial) -> list[tuple[str, list[tuple[float, float]]]]:
    """Visited states in the order of their first visit, then those without."""
    visits: dict[str, list[tuple[float, float]]] = {}
    for state, entry, leave in trial.visits:
        visits.setdefault(state, []).append((entry / TICKS_PER_S, leave / TICKS_PER_S))
    return [*visits.items(), *((state, []) for state in trial.states if state not in visits)]


def _written(value: Any) -> Any:
    return "" if value is None else repr(round(value, 10)) if isinstance(value, float) else value
