"""The claims made of behaviour tables hold for a good session and fail for each way in which they can be broken."""

from __future__ import annotations

import pyarrow as pa
import pytest

from map_assets.behavior import checks


@pytest.fixture
def tables(rig):
    return rig.read([rig.trial(left=[0.1, 4.0]), rig.trial(ProtocolType=1), rig.trial(), rig.trial()])


def changed(table: pa.Table, column: str, values) -> pa.Table:
    place = table.column_names.index(column)
    return table.set_column(place, table.schema.field(column), pa.array(values, table.schema.field(column).type))


def test_a_good_session_passes_all(tables) -> None:
    verdicts = [
        checks.trials_are_in_order(tables["trials"]),
        checks.events_lie_in_their_trials(tables["trials"], tables["trial_events"]),
        checks.licks_lie_in_their_trials(tables["trials"], tables["licks"]),
        checks.every_trial_is_accounted_for(tables["behavior_file"], tables["trials"], tables["skipped_trials"]),
    ]
    assert all(verdict.passed for verdict in verdicts)
    assert verdicts[3].figures == {"n_in_file": 4, "n_kept": 3, "n_skipped": 1, "n_in_both": 0}


@pytest.mark.parametrize(
    ("column", "values", "figure"),
    [
        ("trial", [1, 4, 3], "n_numbers_not_rising"),
        ("start_s", [0.0, 20.0, 20.0], "n_starts_not_rising"),
        ("stop_s", [6.0, 19.0, 36.0], "n_stops_before_start"),
        ("stop_s", [21.0, 26.0, 36.0], "n_overlaps"),
    ],
)
def test_trials_out_of_order_fail(tables, column, values, figure) -> None:
    verdict = checks.trials_are_in_order(changed(tables["trials"], column, values))
    assert not verdict.passed
    assert verdict.figures[figure] == 1


@pytest.mark.parametrize(("shift_s", "figure"), [(-1.0, "n_before_trial"), (25.0, "n_after_trial")])
def test_an_event_outside_its_trial_fails(tables, shift_s, figure) -> None:
    starts = tables["trial_events"]["start_s"].to_pylist()
    events = changed(tables["trial_events"], "start_s", [starts[0] + shift_s, *starts[1:]])
    verdict = checks.events_lie_in_their_trials(tables["trials"], events)
    assert not verdict.passed
    assert verdict.figures[figure] == 1


def test_an_event_that_reaches_into_the_next_trial_fails(tables) -> None:
    durations = tables["trial_events"]["duration_s"].to_pylist()
    events = changed(tables["trial_events"], "duration_s", [30.0, *durations[1:]])
    assert checks.events_lie_in_their_trials(tables["trials"], events).figures["n_after_trial"] == 1


def test_a_lick_may_come_after_the_stop_but_not_after_the_next_start(tables) -> None:
    times = tables["licks"]["time_s"].to_pylist()
    before_next = changed(tables["licks"], "time_s", [9.9, *times[1:]])
    assert checks.licks_lie_in_their_trials(tables["trials"], before_next).passed
    after_next = changed(tables["licks"], "time_s", [10.1, *times[1:]])  # of a trial that was skipped
    assert checks.licks_lie_in_their_trials(tables["trials"], after_next).figures["n_after_trial"] == 1
    before_own = changed(tables["licks"], "time_s", [-0.5, *times[1:]])
    assert checks.licks_lie_in_their_trials(tables["trials"], before_own).figures["n_before_trial"] == 1


def test_a_lick_long_after_the_last_trial_fails(tables) -> None:
    times = tables["licks"]["time_s"].to_pylist()
    licks = changed(tables["licks"], "time_s", [*times[:-1], 60.0])
    assert not checks.licks_lie_in_their_trials(tables["trials"], licks).passed


def test_a_lick_of_a_trial_that_is_not_there_fails(tables) -> None:
    verdict = checks.licks_lie_in_their_trials(tables["trials"], changed(tables["licks"], "trial", [2, 1, 3, 4, 4][:5]))
    assert not verdict.passed
    assert verdict.figures["n_without_trial"] == 1


def test_a_trial_that_is_nowhere_or_twice_fails(tables) -> None:
    file, trials, skipped = tables["behavior_file"], tables["trials"], tables["skipped_trials"]
    assert not checks.every_trial_is_accounted_for(file, trials.slice(1), skipped).passed
    both = changed(skipped, "trial", [1])
    verdict = checks.every_trial_is_accounted_for(file, trials, both)
    assert not verdict.passed
    assert verdict.figures["n_in_both"] == 1


def test_tables_without_rows_pass(tables) -> None:
    trials = tables["trials"].slice(0, 0)
    assert checks.trials_are_in_order(trials).passed
    assert checks.licks_lie_in_their_trials(trials, tables["licks"].slice(0, 0)).passed
    assert not checks.licks_lie_in_their_trials(trials, tables["licks"]).passed


@pytest.mark.parametrize(
    ("column", "values"),
    [("block", [1, 3]), ("first_trial", [1, 4]), ("start_s", [0.0, 21.0]), ("n_trials", [1, 1])],
)
def test_a_block_that_does_not_fit_its_trials_fails(tables, column, values) -> None:
    """Trials 1 and 3 are block 1, trial 4 is block 2."""
    from map_assets.behavior.tables import BLOCKS

    trials = changed(tables["trials"], "block", [1, 1, 2])
    rows = {"block": [1, 2], "first_trial": [1, 4], "start_s": [0.0, 30.0], "n_trials": [3, 1]}
    session = tables["trials"]["session"].to_pylist()[:2]
    assert checks.blocks_hold_their_trials(trials, BLOCKS.from_columns({"session": session, **rows})).passed
    if rows[column] == values:
        values = [1, 3]
    wrong = BLOCKS.from_columns({"session": session, **rows, column: values})
    assert not checks.blocks_hold_their_trials(trials, wrong).passed


def test_a_session_without_blocks_passes(tables) -> None:
    assert checks.blocks_hold_their_trials(tables["trials"], tables["blocks"]).passed


@pytest.mark.parametrize(("noted", "passed"), [("11:23:28", True), ("11:25:28", False), ("11:20:00", False)])
def test_infos_start_is_held_against_the_trials(rig, noted, passed) -> None:
    info = {"SessionDate": "25-Feb-2018", "SessionStartTime_UTC": noted}
    verdict = checks.starts_agree(rig.read([rig.trial()], Info=info)["behavior_file"])
    assert verdict.passed is passed
    assert f"{verdict.figures['later_s']:g} s" in verdict.description
    assert checks.starts_agree(rig.read([rig.trial()], Info=None)["behavior_file"]).passed
