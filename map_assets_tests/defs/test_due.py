"""What a session is due for, decided from sets alone."""

from __future__ import annotations

import dataclasses

import pytest

from map_assets.defs.due import Decision, Done, SessionState, decide, signature
from map_assets.defs.stages import BY_NAME, SESSION_STAGES

KEY = "SC022_20190228_151010"
MAT = ("rig1", "SC022/a.mat", 100, 1, 1)
META = ("ephys", "SC022/a.ap.meta", 10, 1, 1)
CODES = ("ephys", "SC022/a_bitcode.mat", 10, 1, 1)
SORTED = ("ephys", "SC022/ks2/spike_times.npy", 10, 1, 1)
KNOWN = {"subject": "s1", "any subject": "s1", "insertions": "s1", "transferred": ""}
UNKNOWN = {"subject": None, "any subject": "s0", "insertions": "s0", "transferred": ""}


def after(state: SessionState, decision: Decision) -> SessionState:
    """The state once every stage of a decision was done and made all its tables anew."""
    tables = dict(state.tables)
    for name in decision.stages:
        for table in BY_NAME[name].writes:
            tables[table.name] = tables.get(table.name, "v") + "+"
    state = dataclasses.replace(state, tables=tables)
    done = dict(state.done)
    for name in decision.stages:
        stage = BY_NAME[name]
        done[name] = Done(signature(stage, state), tuple(table.name for table in stage.writes))
    return dataclasses.replace(state, done=done)


def behavior_only(**changes: object) -> SessionState:
    return dataclasses.replace(SessionState(KEY, files={"behavior": [MAT]}, registry=KNOWN), **changes)


def test_a_new_behavior_file_makes_behavior_nwb_and_receipt_and_nothing_of_ephys() -> None:
    decision = decide(SESSION_STAGES, behavior_only())
    assert decision.stages == (
        "behavior", "sessions", "insertions", "coverage", "lick_rhythm", "performance", "foraging",
        "behavior_performance", "licking_psth", "foraging_summary",
        "nwb_file", "archive_manifest", "archive_transfer", "archive_verification", "archive_receipt", "removal_plan",
    )  # fmt: skip
    assert decision.waits == {}


def test_a_session_that_is_done_is_due_for_nothing() -> None:
    state = behavior_only()
    state = after(state, decide(SESSION_STAGES, state))
    assert decide(SESSION_STAGES, state).stages == ()


def test_an_unknown_animal_is_processed_and_only_its_nwb_waits_by_name() -> None:
    decision = decide(SESSION_STAGES, behavior_only(registry=UNKNOWN))
    assert "behavior" in decision.stages
    assert "archive_receipt" in decision.stages
    assert "nwb_file" not in decision.stages
    assert "animal SC022" in decision.waits["nwb_file"]


def test_importing_the_animal_makes_sessions_and_nwb_and_nothing_else() -> None:
    state = behavior_only(registry=UNKNOWN)
    state = after(state, decide(SESSION_STAGES, state))
    decision = decide(SESSION_STAGES, dataclasses.replace(state, registry=KNOWN))
    assert decision.stages == ("sessions", "insertions", "nwb_file")


def test_sorting_that_comes_late_makes_what_rests_on_it_and_nothing_else() -> None:
    files = {"behavior": [MAT], "spikeglx_meta": [META], "bitcode": [CODES]}
    state = behavior_only(files=files)
    first = decide(SESSION_STAGES, state)
    assert {"recordings", "clock_maps", "probes", "electrodes"} <= set(first.stages)
    assert "sortings" not in first.stages
    state = dataclasses.replace(after(state, first), files={**files, "sorting": [SORTED]})
    decision = decide(SESSION_STAGES, state)
    assert decision.stages == (
        "sortings", "probes", "unit_waveforms", "coverage", "trial_spikes",
        "unit_stats", "cell_type", "drift", "unit_criteria", "psth",
        "selectivity", "coding_direction", "photostim_effect", "noise_correlations", "population_psth",
        "direction_tuning", "foraging_period_fits",
        "unit_raster_psth", "coding_direction_figure", "group_psth", "group_photostim", "driftmap",
        "unit_characteristic",
        "clustering_quality",
        "nwb_file", "archive_manifest", "archive_transfer", "archive_verification", "archive_receipt", "removal_plan",
    )  # fmt: skip


def test_a_resort_makes_again_what_rests_on_units_and_leaves_clocks_and_behavior_alone() -> None:
    files = {"behavior": [MAT], "spikeglx_meta": [META], "bitcode": [CODES], "sorting": [SORTED]}
    state = behavior_only(files=files)
    state = after(state, decide(SESSION_STAGES, state))
    again = (*SORTED[:3], 2, 2)
    decision = decide(SESSION_STAGES, dataclasses.replace(state, files={**files, "sorting": [again]}))
    assert not {"behavior", "sessions", "recordings", "clock_maps", "electrodes", "behavior_performance"} & set(
        decision.stages
    )
    assert {"sortings", "units", "trial_spikes", "psth", "nwb_file"} - {"units"} <= set(decision.stages)


def test_files_that_still_change_are_waited_for() -> None:
    files = {"behavior": [MAT], "spikeglx_meta": [META], "bitcode": [CODES], "sorting": [SORTED]}
    decision = decide(SESSION_STAGES, behavior_only(files=files, moving=frozenset({"sorting"})))
    assert "sortings" not in decision.stages
    assert "sorting" in decision.waits["sortings"]
    assert "clock_maps" in decision.stages


def test_a_stage_that_failed_waits_until_something_changes() -> None:
    state = behavior_only()
    failed = {"behavior": Done(signature(BY_NAME["behavior"], state), has_failed=True)}
    state = dataclasses.replace(state, done=failed)
    assert "behavior" not in decide(SESSION_STAGES, state).stages
    changed = dataclasses.replace(state, files={"behavior": [(*MAT[:3], 2, 2)]})
    assert "behavior" in decide(SESSION_STAGES, changed).stages


EPHYS = {"behavior": [MAT], "spikeglx_meta": [META], "bitcode": [CODES], "sorting": [SORTED]}


def done_with_ephys() -> SessionState:
    state = behavior_only(files=EPHYS)
    return after(state, decide(SESSION_STAGES, state))


def with_record(state: SessionState, stage: str, **changes: object) -> SessionState:
    return dataclasses.replace(state, done={**state.done, stage: dataclasses.replace(state.done[stage], **changes)})


def test_nothing_is_made_from_the_older_tables_of_a_stage_that_failed() -> None:
    state = done_with_ephys()
    newer = dataclasses.replace(state, files={**EPHYS, "sorting": [(*SORTED[:3], 2, 2)]})
    newer = with_record(newer, "clock_maps", has_failed=True)
    decision = decide(SESSION_STAGES, newer)
    assert {"sortings", "probes", "archive_receipt"} <= set(decision.stages)
    assert not {"trial_spikes", "unit_stats", "psth", "unit_raster_psth", "nwb_file"} & set(decision.stages)
    assert "clock_maps, which failed" in decision.waits["trial_spikes"]
    assert "clock_maps, which failed" in decision.waits["nwb_file"]


def test_nothing_is_made_from_tables_that_a_blocking_check_refused() -> None:
    state = with_record(done_with_ephys(), "behavior", blocked="trials_are_in_order")
    newer = dataclasses.replace(state, registry={**KNOWN, "subject": "s2", "any subject": "s2", "insertions": "s2"})
    decision = decide(SESSION_STAGES, newer)
    assert decision.stages == ()
    assert "trials_are_in_order" in decision.waits["nwb_file"]


def test_what_was_never_made_holds_up_nobody_who_can_do_without_it() -> None:
    state = with_record(done_with_ephys(), "clock_maps", blocked="clock_residuals_are_within_limits")
    never = {"frame_times", "rig_events", "tracking", "tracking_quality"}
    state = dataclasses.replace(
        state,
        files={**EPHYS, "tracking": [("tracking", "a.csv", 1, 1, 1)]},
        tables={name: version for name, version in state.tables.items() if name not in never},
        done={name: done for name, done in state.done.items() if name not in never},
    )
    decision = decide(SESSION_STAGES, state)
    assert "tracking" in decision.stages
    assert "frame_times" in decision.waits


BIN = ("ephys", "SC022/a.ap.bin", 1000, 1, 1)


def test_a_raw_file_that_is_being_copied_or_was_archived_holds_up_no_table() -> None:
    moving = behavior_only(files=EPHYS, moving=frozenset({"spikeglx_bin"}))
    assert {"recordings", "clock_maps", "sortings", "unit_waveforms", "psth"} <= set(
        decide(SESSION_STAGES, moving).stages
    )
    state = behavior_only(files={**EPHYS, "spikeglx_bin": [BIN]})
    state = after(state, decide(SESSION_STAGES, state))
    archived = dataclasses.replace(state, absent={"spikeglx_bin": ["a.ap.bin"]}, torn={"spikeglx_bin": ["a.ap.bin"]})
    assert decide(SESSION_STAGES, archived).stages == ()
    mended = {**state.files, "bitcode": [(*CODES[:3], 2, 2)], "sorting": [(*SORTED[:3], 2, 2)]}
    decision = decide(SESSION_STAGES, dataclasses.replace(archived, files=mended))
    assert {"recordings", "clock_maps", "sortings", "unit_waveforms", "cell_type"} <= set(decision.stages)
    assert decision.waits == {}


def test_nothing_is_made_from_tables_that_rest_on_older_ones_and_cannot_be_made_now() -> None:
    files = {**EPHYS, "tracking": [("tracking", "a.csv", 1, 1, 1)]}
    state = behavior_only(files=files)
    state = after(state, decide(SESSION_STAGES, state))
    noted = {
        name: dataclasses.replace(done, inputs={one: state.tables.get(one) for one in BY_NAME[name].inputs})
        for name, done in state.done.items()
    }
    newer = dataclasses.replace(
        state,
        done=noted,
        files={**files, "behavior": [(*MAT[:3], 2, 2)]},
        absent={"tracking": ["a.csv"]},
    )
    decision = decide(SESSION_STAGES, newer)
    assert {"behavior", "clock_maps", "trial_spikes"} <= set(decision.stages)
    assert "a.csv" in decision.waits["tracking"]
    assert "nwb_file" not in decision.stages
    assert "tracking" in decision.waits["nwb_file"] or "a.csv" in decision.waits["nwb_file"]


def test_a_page_that_shows_what_is_wrong_is_made_of_what_a_check_refused() -> None:
    state = with_record(done_with_ephys(), "clock_maps", blocked="clock_residuals_are_within_limits")
    never_drawn = {name: done for name, done in state.done.items() if name != "clock_residuals"}
    decision = decide(SESSION_STAGES, dataclasses.replace(state, done=never_drawn))
    assert decision.stages == ("clock_residuals",)


def test_a_verdict_stands_while_the_mended_file_is_still_settling() -> None:
    state = with_record(done_with_ephys(), "behavior", blocked="trials_are_in_order", signature="")
    settling = dataclasses.replace(
        state,
        files={role: marks for role, marks in EPHYS.items() if role != "behavior"},
        moving=frozenset({"behavior"}),
    )
    assert decide(SESSION_STAGES, settling).stages == ()


def test_a_manifest_waits_for_a_file_that_is_being_written_again() -> None:
    state = done_with_ephys()
    files = {role: marks for role, marks in EPHYS.items() if role != "behavior"}
    decision = decide(SESSION_STAGES, dataclasses.replace(state, files=files, moving=frozenset({"behavior"})))
    assert decision.stages == ()
    assert "still changing" in decision.waits["archive_manifest"]


def test_files_that_leave_the_share_undo_nothing() -> None:
    left = {"sorting": ["spike_times.npy"]}
    gone = dataclasses.replace(done_with_ephys(), absent=left, torn=left)
    assert decide(SESSION_STAGES, gone).stages == ()
    newer = dataclasses.replace(gone, files={**EPHYS, "sorting": [SORTED, ("ephys", "another.npy", 1, 1, 1)]})
    decision = decide(SESSION_STAGES, newer)
    assert "sortings" not in decision.stages
    assert "spike_times.npy" in decision.waits["sortings"]
    assert "archive_receipt" in decision.stages


def test_a_sorting_folder_that_left_the_share_as_a_whole_does_not_hold_up_the_next_one() -> None:
    gone = dataclasses.replace(done_with_ephys(), absent={"sorting": ["spike_times.npy"]})
    assert decide(SESSION_STAGES, gone).stages == ()
    newer = dataclasses.replace(gone, files={**EPHYS, "sorting": [SORTED, ("ephys", "another.npy", 1, 1, 1)]})
    assert "sortings" in decide(SESSION_STAGES, newer).stages


def test_a_choice_of_a_sorting_makes_the_sortings_again_and_what_rests_on_them_with_or_without_files() -> None:
    chosen = {**KNOWN, "sorting choices": "c1"}
    for files in (EPHYS, {role: marks for role, marks in EPHYS.items() if role != "sorting"}):
        state = dataclasses.replace(done_with_ephys(), files=files)
        state = with_record(state, "sortings", signature=signature(BY_NAME["sortings"], state))
        assert "sortings" not in decide(SESSION_STAGES, state).stages
        decision = decide(SESSION_STAGES, dataclasses.replace(state, registry=chosen))
        assert {"sortings", "probes", "trial_spikes", "nwb_file"} <= set(decision.stages)
        assert not {"behavior", "recordings", "clock_maps", "electrodes"} & set(decision.stages)


def test_other_bytes_of_the_same_size_and_time_are_noticed_by_the_change_time() -> None:
    newer = dataclasses.replace(done_with_ephys(), files={**EPHYS, "behavior": [(*MAT[:4], 2)]})
    assert {"behavior", "archive_manifest", "archive_receipt"} <= set(decide(SESSION_STAGES, newer).stages)


def test_a_table_that_was_made_and_is_gone_is_made_again() -> None:
    state = behavior_only()
    state = after(state, decide(SESSION_STAGES, state))
    tables = {name: version for name, version in state.tables.items() if name != "licks"}
    assert "behavior" in decide(SESSION_STAGES, dataclasses.replace(state, tables=tables)).stages


def test_new_code_makes_its_stage_and_all_that_rests_on_it_again() -> None:
    state = behavior_only()
    state = after(state, decide(SESSION_STAGES, state))
    stages = [
        dataclasses.replace(stage, version="next") if stage.name == "sessions" else stage for stage in SESSION_STAGES
    ]
    assert decide(stages, state).stages == ("sessions", "nwb_file")


@pytest.mark.parametrize("stage", SESSION_STAGES, ids=lambda stage: stage.name)
def test_stages_stand_in_the_order_of_the_work(stage: object) -> None:
    made: set[str] = set()
    for earlier in SESSION_STAGES:
        if earlier is stage:
            break
        made |= {table.name for table in earlier.writes}
    assert set(stage.inputs) <= made
