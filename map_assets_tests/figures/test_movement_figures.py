"""Figures of the jaw's phase, of a unit beside the face, of licking and of foraging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.analyses.foraging import make_foraging
from map_assets.analyses.jaw_oscillation import make_jaw_oscillation
from map_assets.analyses.jaw_phase import make_jaw_phase
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.trains import Spiking
from map_assets.behavior.tables import BLOCK_PORTS, LICKS, TRIAL_EVENTS
from map_assets.ephys.tables import SPIKES
from map_assets.figures import foraging_summary, jaw_phase_tuning, licking_psth, unit_behavior
from map_assets.figures.drawing import MAX_PNG_BYTES, Drawing, NotApplicable
from map_assets.figures.tables_movement import TABLES
from map_assets.tracking.tables import TRACKING

SESSION = "SC022_20190228_151010"
CAMERA_HZ = 294.0
LICK_HZ = 7.0
PARAMETERS = read_parameters()
_SPIKING = ("units", "spikes", "trial_spikes", "trials", "clock_maps", "probes")


def licking(trials: pa.Table) -> pa.Table:
    """Eight licks at the instructed side from about 0.15 s after each go cue."""
    rng = np.random.default_rng(1)
    rows = []
    for row in trials.to_pylist():
        first = row["go_s"] + 0.15 + rng.exponential(0.05)
        for k in range(8):
            time = first + k / LICK_HZ + rng.normal(0, 0.004)
            rows.append({"trial": row["trial"], "lick_id": k, "time_s": time, "port": row["instruction"]})
    return LICKS.from_rows({"session": SESSION, **row} for row in rows)


def faces(trials: pa.Table, licks: pa.Table) -> pa.Table:
    """Jaw and tongue go down and out with each lick."""
    rng = np.random.default_rng(2)
    rows = []
    for row in trials.to_pylist():
        time = row["start_s"] + np.arange(int(5 * CAMERA_HZ)) / CAMERA_HZ
        lick_s = np.array([one["time_s"] for one in licks.to_pylist() if one["trial"] == row["trial"]])
        out = np.exp(-(((time[:, None] - lick_s) / 0.03) ** 2)).max(axis=1)
        shared = {"session": SESSION, "trial": row["trial"], "camera": "side", "n_frames": len(time)}
        shared |= {"rate_hz": CAMERA_HZ, "frame": np.arange(len(time)), "frame_s": time, "x_px": time * 0, "file": "a"}
        jaw, tongue = 205 + 12 * out + rng.normal(0, 0.3, (2, len(time)))
        rows.append(shared | {"feature": "jaw", "y_px": jaw, "likelihood": time * 0 + 1})
        rows.append(shared | {"feature": "tongue", "y_px": tongue, "likelihood": (out > 0.3) * 0.99})
    return TRACKING.from_rows(rows)


@pytest.fixture(scope="module")
def moving() -> Callable[..., dict[str, pa.Table]]:
    made: dict[str, dict[str, pa.Table]] = {}

    def make(trials: pa.Table, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
        """The tables of a session whose unit 3 follows the jaw; made once, for it takes a second."""
        if made:
            return made["all"]
        licks = licking(trials)
        tracking = faces(trials, licks)
        jaw = make_jaw_oscillation(SESSION, tracking, PARAMETERS.jaw, "1")
        rng = np.random.default_rng(3)
        follows = np.concatenate(
            [one + 0.05 + rng.normal(0, 0.02, rng.poisson(3)) for one in licks["time_s"].to_numpy()]
        )
        trains = [np.sort(follows), *(np.sort(rng.uniform(0, 240, 2500)) for _ in range(2))]
        found = dict(tables)
        found["spikes"] = SPIKES.from_columns(
            {
                "session": [SESSION] * 3,
                "probe": [2] * 3,
                "unit_id": [3, 5, 9],
                "samples": [np.unique(((train + 0.2) * 30_000).astype(int)).tolist() for train in trains],
            }
        )
        found |= {"licks": licks, "tracking": tracking, "jaw_oscillation": jaw}
        spiking = Spiking(*(found[name] for name in _SPIKING))
        found["jaw_phase"] = make_jaw_phase(SESSION, spiking, jaw, PARAMETERS.jaw_phase, "1")
        made["all"] = found
        return found

    return make


def of_unit(tables: dict[str, pa.Table], **changes: Any) -> Drawing | NotApplicable:
    names = (
        "trials",
        "licks",
        "tracking",
        "jaw_oscillation",
        "jaw_phase",
        "spikes",
        "trial_spikes",
        "clock_maps",
        "probes",
    )
    return unit_behavior.draw(SESSION, **{name: {**tables, **changes}[name] for name in names})


def drawing_of(found: Drawing | NotApplicable) -> Drawing:
    assert isinstance(found, Drawing)
    assert found.png.startswith(b"\x89PNG")
    assert len(found.png) <= MAX_PNG_BYTES
    return found


def test_the_jaws_phase_is_drawn_with_the_units_that_follow_it(
    trials_of: Callable, tables_of: Callable, moving: Callable
) -> None:
    trials = trials_of()
    tables = moving(trials, tables_of(trials))
    drawing = drawing_of(jaw_phase_tuning.draw(SESSION, tables["jaw_oscillation"], tables["jaw_phase"]))
    assert b"1 of 3 tested units follow it (3 units)" in drawing.svg
    assert b"probe 2, unit 3: p =" in drawing.svg
    assert b"jaw of the side camera, 3 to 15 Hz" in drawing.svg
    assert drawing == jaw_phase_tuning.draw(SESSION, tables["jaw_oscillation"], tables["jaw_phase"])
    no_units = jaw_phase_tuning.draw(SESSION, tables["jaw_oscillation"], tables["jaw_phase"].slice(0, 0))
    assert b"no unit had enough spikes" in drawing_of(no_units).svg


def test_a_session_whose_jaw_did_not_move_has_no_phase_to_draw(
    trials_of: Callable, tables_of: Callable, moving: Callable
) -> None:
    trials = trials_of()
    tables = moving(trials, tables_of(trials))
    nothing = tables["jaw_oscillation"].slice(0, 0)
    found = jaw_phase_tuning.draw(SESSION, nothing, tables["jaw_phase"])
    assert found == NotApplicable("no movement of the jaw was tracked in the session")


def test_the_unit_that_follows_the_jaw_stands_beside_the_face(
    trials_of: Callable, tables_of: Callable, moving: Callable
) -> None:
    trials = trials_of()
    tables = moving(trials, tables_of(trials))
    drawing = drawing_of(of_unit(tables))
    assert b"probe 2, unit 3: spikes and the jaw" in drawing.svg
    assert b"left: 15 hit trials" in drawing.svg
    assert b"right: 15 hit trials" in drawing.svg


def test_a_side_without_hits_says_so_and_a_session_without_licks_is_not_drawn(
    trials_of: Callable, tables_of: Callable, moving: Callable
) -> None:
    trials = trials_of()
    tables = moving(trials, tables_of(trials))
    sides = np.array(trials["instruction"].to_pylist())
    only_left = trials_of(outcome=np.where(sides == "left", "hit", "miss").tolist())
    drawing = drawing_of(of_unit(tables, trials=only_left))
    assert b"no tracked hit trial to the right" in drawing.svg
    found = of_unit(tables, licks=tables["licks"].slice(0, 0))
    assert found == NotApplicable("no hit trial with tracking has a lick at its side after the go cue")
    found = of_unit(tables, jaw_phase=tables["jaw_phase"].slice(0, 0))
    assert found == NotApplicable("no unit had enough spikes during movements of the jaw")


def test_licks_are_drawn_around_the_go_cue(trials_of: Callable) -> None:
    trials = trials_of()
    drawing = drawing_of(licking_psth.draw(SESSION, trials, licking(trials)))
    assert b"320 licks, 40 trials with a go cue, 40 of them answered" in drawing.svg
    assert b"0 later, 0 none" in drawing.svg
    few = licking(trials.slice(0, 1)).slice(0, 1)
    assert b"0 later, 39 none" in drawing_of(licking_psth.draw(SESSION, trials, few)).svg
    assert isinstance(licking_psth.draw(SESSION, trials, few.slice(0, 0)), NotApplicable)
    assert isinstance(licking_psth.draw(SESSION, trials_of(4, go_s=[None] * 4), few), NotApplicable)


def test_the_rate_of_licks_is_per_trial_and_second(trials_of: Callable) -> None:
    trials = trials_of()
    row, since = licking_psth._around(np.sort(trials["go_s"].to_numpy() + 0.5), trials["go_s"].to_numpy())
    assert sorted(row.tolist()) == list(range(40))
    assert since == pytest.approx(np.full(40, 0.5))
    covering = licking_psth._covering(trials, np.array([-4.0, -3.0, 0.0, 2.0, 3.5]))
    assert covering.tolist() == [39, 40, 40, 39]  # the last trial ends 2 s after its go cue


def foraging(trials_of: Callable, ports: list[str | None], n_blocks: int = 5) -> dict[str, pa.Table]:
    rng = np.random.default_rng(4)
    n = len(ports)
    chance = {block: (0.6, 0.1) if block % 2 else (0.1, 0.6) for block in range(1, n_blocks + 1)}
    block = (np.arange(n) * n_blocks // n + 1).tolist()
    got = [
        one is not None and rng.random() < (*chance[number], 0.2)[("left", "right", "middle").index(one)]
        for one, number in zip(ports, block, strict=True)
    ]
    trials = trials_of(
        n,
        instruction=["none"] * n,
        choice=ports,
        outcome=["hit" if won else "miss" if one else "ignore" for one, won in zip(ports, got, strict=True)],
        block=block,
        bitcode_start_s=6.0 * np.arange(n) + 0.2,
    )
    events = [
        {"session": SESSION, "trial": at + 1, "event_id": k, "event": name, "start_s": 6 * at + s, "duration_s": 0.1}
        for at in range(n)
        for k, (name, s) in enumerate((("choice", 3 + rng.exponential(0.3)), ("trialend", 5 + rng.random())))
    ]
    rows = [
        {"session": SESSION, "block": one, "port": port, "reward_probability": value}
        for one, pair in chance.items()
        for port, value in zip(("left", "right"), pair, strict=True)
    ]
    parameters = PARAMETERS.foraging.model_copy(update={"n_starts": 1})
    return make_foraging(SESSION, trials, TRIAL_EVENTS.from_rows(events), BLOCK_PORTS.from_rows(rows), parameters, "1")


def summary(tables: dict[str, pa.Table]) -> Drawing | NotApplicable:
    return foraging_summary.draw(SESSION, **tables)


def test_a_foraging_session_is_drawn_with_its_blocks_history_and_models(trials_of: Callable) -> None:
    rng = np.random.default_rng(5)
    ports = [str(one) for one in rng.choice(["left", "right"], 250)]
    tables = foraging(trials_of, ports)
    drawing = drawing_of(summary(tables))
    for said in (b"250 free choices", b"efficiency", b"slope", b"log odds to repeat", b"values forgetting: +"):
        assert said in drawing.svg
    assert drawing == summary(tables)


def test_what_a_foraging_session_lacks_is_said_in_its_place(trials_of: Callable) -> None:
    rng = np.random.default_rng(6)
    three = [None, *(str(one) for one in rng.choice(["left", "right", "middle"], 80))]
    svg = drawing_of(summary(foraging(trials_of, three))).svg
    assert b"too few free choices of two ports" in svg
    assert b"matching takes 3" in svg
    svg = drawing_of(summary(foraging(trials_of, ["left"] * 12))).svg
    assert b"too few free choices" in svg
    none = summary(foraging(trials_of, [None] * 5))
    assert none == NotApplicable("the animal made no choice in the session")
    empty = {name: table.slice(0, 0) for name, table in foraging(trials_of, ["left"] * 12).items()}
    assert isinstance(summary(empty), NotApplicable)


def test_every_figure_has_its_table() -> None:
    modules = (jaw_phase_tuning, unit_behavior, licking_psth, foraging_summary)
    assert [table.name for table in TABLES] == [module.__name__.rpartition(".")[2] for module in modules]
