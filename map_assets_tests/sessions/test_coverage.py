"""Coverage: what was not observed is never mistaken for silence."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from map_assets.sessions.coverage import make_coverage
from map_assets.sessions.tables import COVERAGE

SESSION = "SC022_20190303_151010"


def trials(numbers: list[int], start_s: list[float], until_s: list[float]) -> pa.Table:
    return pa.table({"trial": pa.array(numbers, pa.int64()), "start_s": start_s, "until_s": until_s})


KEPT = trials([1, 2, 4, 5], [0.0, 7.0, 21.0, 28.0], [7.0, 14.0, 28.0, 33.0])
SKIPPED = pa.table({"trial": [3], "reason": ["no go cue"]})


def clocks(**changes: Any) -> pa.Table:
    row = {"probe": 1, "matched_trials": [1, 2, 4, 5], "contradicted_trials": [], "offset_s": -5.0}
    row |= {"observed_from_s": -5.0, "observed_to_s": 40.0, **changes}
    lists = {"matched_trials": pa.list_(pa.int64()), "contradicted_trials": pa.list_(pa.int64())}
    return pa.table({name: pa.array([value], lists.get(name)) for name, value in row.items()})


def reasons(coverage: pa.Table, source: str) -> dict[int, str | None]:
    """Reason by trial of one source; it is null exactly where the trial is observed."""
    rows = [row for row in coverage.to_pylist() if row["source"] == source]
    assert all(row["is_observed"] == (row["reason"] is None) for row in rows)
    return {row["trial"]: row["reason"] for row in rows}


def of_probe(**changes: Any) -> dict[int, str | None]:
    return reasons(make_coverage(SESSION, KEPT, SKIPPED, clocks(**changes)), "1")


def test_every_trial_of_the_file_has_a_row_for_every_source() -> None:
    tracking = pa.table({"trial": [1, 1, 2, 5], "camera": ["side", "side", "side", "bottom"]})
    found = make_coverage(SESSION, KEPT, SKIPPED, clocks(), pa.table({"probe": [1, 2]}), tracking)
    assert found.schema.equals(COVERAGE.schema)
    assert [(row["source_kind"], row["source"], row["probe"]) for row in found.to_pylist()][::5] == [
        ("behavior", "behavior", None),
        ("probe", "1", 1),
        ("probe", "2", 2),
        ("camera", "bottom", None),
        ("camera", "side", None),
    ]
    assert found["trial"].to_pylist() == [1, 2, 3, 4, 5] * 5
    assert reasons(found, "behavior") == {1: None, 2: None, 3: "skipped: no go cue", 4: None, 5: None}
    video = "no video of this trial"
    assert reasons(found, "side") == {1: None, 2: None, 3: "skipped: no go cue", 4: video, 5: video}
    assert reasons(found, "bottom")[5] is None


def test_a_probe_observed_a_trial_only_if_it_recorded_all_of_it() -> None:
    skipped = "skipped: no go cue"
    assert of_probe() == {1: None, 2: None, 3: skipped, 4: None, 5: None}
    late = "the recording had not begun"
    assert of_probe(observed_from_s=0.1) == {1: late, 2: None, 3: skipped, 4: None, 5: None}
    assert of_probe(observed_from_s=0.0)[1] is None
    ended = "the recording had ended"
    assert of_probe(observed_to_s=27.9) == {1: None, 2: None, 3: skipped, 4: ended, 5: ended}
    assert of_probe(observed_to_s=28.0)[4] is None
    assert of_probe(observed_to_s=None)[5] is None


def test_a_trial_of_which_the_time_after_a_skipped_one_is_missing_ends_where_that_begins() -> None:
    """Trial 2 ends at 14 s where the skipped trial 3 begins, not at 21 s."""
    assert of_probe(observed_to_s=14.0)[2] is None
    assert of_probe(observed_to_s=13.9)[2] == "the recording had ended"


def test_an_unmatched_trial_says_why() -> None:
    found = of_probe(matched_trials=[2, 4, 5], contradicted_trials=[1])
    assert found[1] == "its code is in the ephys stream at a time that contradicts the clock"
    assert of_probe(matched_trials=[2, 4, 5], contradicted_trials=None)[1] == "no code in the ephys stream"
    late = of_probe(matched_trials=[4, 5], observed_from_s=10.0)
    assert late[1] == late[2] == "the recording had not begun"
    none = of_probe(matched_trials=[], offset_s=None, observed_from_s=None, observed_to_s=None)
    assert {none[trial] for trial in (1, 2, 4, 5)} == {"no trial of the probe could be matched"}


def test_a_probe_whose_clock_is_not_known_observed_nothing() -> None:
    unknown = "the probe's clock is not tied to the session's"
    found = of_probe(offset_s=None, observed_from_s=None, observed_to_s=None, matched_trials=[1, 2])
    assert [found[trial] for trial in (1, 2, 4)] == [unknown, unknown, "no code in the ephys stream"]
    other = reasons(make_coverage(SESSION, KEPT, SKIPPED, None, pa.table({"probe": [2]})), "2")
    assert {other[trial] for trial in (1, 2, 4, 5)} == {unknown}


@pytest.mark.parametrize("skipped", [None, SKIPPED.slice(0, 0)])
def test_a_session_of_behaviour_alone_is_all_observed(skipped: pa.Table | None) -> None:
    found = make_coverage(SESSION, KEPT, skipped)
    assert found.num_rows == 4
    assert all(found["is_observed"].to_pylist())


def test_a_session_of_which_all_trials_were_skipped_has_their_reasons() -> None:
    found = make_coverage(SESSION, trials([], [], []).cast(KEPT.schema), SKIPPED, clocks(matched_trials=[]))
    assert found["reason"].to_pylist() == ["skipped: no go cue"] * 2


def test_silence_is_counted_and_what_was_not_observed_is_not() -> None:
    import duckdb

    spikes = pa.table({"probe": [1, 1], "trial": [2, 4], "n_spikes": [3, 0]})
    with duckdb.connect() as lab:
        lab.register("coverage", make_coverage(SESSION, KEPT, SKIPPED, clocks(observed_from_s=5.0)))
        lab.register("trial_spikes", spikes)
        rows = lab.sql(
            "select trial, is_observed, case when is_observed then coalesce(n_spikes, 0) end "
            "from coverage left join trial_spikes using (probe, trial) where source_kind = 'probe' order by trial"
        ).fetchall()
    assert rows == [(1, False, None), (2, True, 3), (3, False, None), (4, True, 0), (5, True, 0)]
