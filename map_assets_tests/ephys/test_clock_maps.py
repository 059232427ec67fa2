"""Clock maps: what is fitted, what is left out, and when it is said that nothing fits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.checks import clock_residuals_are_within_limits
from map_assets.ephys.clock_maps import make_clock_maps, robust_clock_map
from map_assets.ephys.tables import RECORDINGS
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.errors import ClockDoesNotFit, TrialsAreAmbiguous

TRUE = ClockMap(offset_s=-12.5, drift_ppm=20.0)
N = 12
START_S = 7.0 * np.arange(N)
CODES = [f"{index * 40503 % 65536:016b}" for index in range(1, N + 1)]


def behavior_rows(**changes: Any) -> list[dict[str, Any]]:
    """Trials of 7 s each, the go cue 2.5 s after the start; a change is a list with one value a trial."""
    rows = [
        {"trial": k + 1, "start_s": t, "go_s": t + 2.5, "bitcode": CODES[k], "bitcode_start_s": t + 0.01}
        for k, t in enumerate(START_S)
    ]
    for name, values in changes.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return rows


def ephys_rows(behavior: list[dict[str, Any]], clock: ClockMap = TRUE, probe: int = 1) -> list[dict[str, Any]]:
    """The same trials as a probe with that clock sees them."""

    def seen(at: float | None) -> float | None:
        return None if at is None else float(clock.probe_s(at))

    return [
        {
            "probe": probe,
            "bitcode": row["bitcode"],
            "start_probe_s": seen(row["bitcode_start_s"]),
            "go_probe_s": seen(row["go_s"]),
        }
        for row in behavior
    ]


def long_session(n: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Trials of uneven length with codes of their own, and the same as a probe sees them to a tenth of a millisecond."""
    rng = np.random.default_rng(n)
    start_s = np.cumsum(rng.uniform(4, 12, n))
    behavior = [
        {
            "trial": k + 1,
            "start_s": float(t),
            "go_s": float(t) + 2.5,
            "bitcode": f"{k * 40503 % 65536:016b}",
            "bitcode_start_s": float(t) + 0.01,
        }
        for k, t in enumerate(start_s)
    ]
    seen = ephys_rows(behavior)
    for row in seen:
        row["start_probe_s"] += rng.uniform(-1e-4, 1e-4)
        row["go_probe_s"] += rng.uniform(-1e-4, 1e-4)
    return behavior, seen


def recording(probe: int, duration_s: float | None) -> dict[str, Any]:
    texts = dict.fromkeys(("probe_type", "sample_rate_text", "folder", "meta_file"), "x")
    numbers = {"n_shanks": 1, "n_saved_channels": 385, "sample_rate_hz": 3e4, "microvolt_per_bit": 2.34375}
    return {"session": "s", "probe": probe, "duration_s": duration_s, **texts, **numbers}


def one_map(make: SimpleNamespace, behavior: Any, ephys: Any, recordings: pa.Table | None = None) -> dict[str, Any]:
    table = make_clock_maps(make.session, make.trials_table(behavior), make.ephys_trials_table(ephys), recordings)
    assert table.num_rows == 1
    return table.to_pylist()[0]


def test_the_true_clock_is_found_to_the_microsecond(make: SimpleNamespace) -> None:
    row = one_map(make, behavior_rows(), ephys_rows(behavior_rows()))
    assert row["n_anchors"] == N
    assert row["anchor_kind"] == "go cue"
    assert row["drift_ppm"] == pytest.approx(20.0, abs=1e-3)
    assert row["offset_s"] == pytest.approx(-12.5, abs=1e-6)
    assert row["residual_max_s"] < 1e-9
    assert row["matched_trials"] == row["matched_ephys_trials"] == row["anchor_trials"] == list(range(1, N + 1))
    assert row["observed_from_s"] == row["offset_s"]
    assert row["observed_to_s"] is None


def test_the_order_of_the_rows_does_not_matter(make: SimpleNamespace) -> None:
    trials, seen = make.trials_table(behavior_rows()), make.ephys_trials_table(ephys_rows(behavior_rows()))
    shuffled = np.random.default_rng(1).permutation(N)
    assert make_clock_maps(make.session, trials.take(shuffled), seen.take(shuffled[::-1])).equals(
        make_clock_maps(make.session, trials, seen)
    )


def test_ephys_that_starts_late_and_misses_a_trial_still_finds_the_clock(make: SimpleNamespace) -> None:
    behavior = behavior_rows()
    seen = [row for k, row in enumerate(ephys_rows(behavior)) if k >= 3 and k != 7]
    row = one_map(make, behavior, seen)
    assert row["unmatched_behavior_trials"] == [1, 2, 3, 8]
    assert row["matched_trials"][:5] == [4, 5, 6, 7, 9]
    assert row["matched_ephys_trials"][:5] == [1, 2, 3, 4, 5]
    assert row["drift_ppm"] == pytest.approx(20.0, abs=1e-3)


def test_of_repeated_go_cues_only_trials_with_one_are_anchors(make: SimpleNamespace) -> None:
    behavior = behavior_rows(n_go_cues=[4] * 9 + [1] * (N - 9))
    seen = ephys_rows(behavior)
    for row in seen[:9]:
        row["go_probe_s"] -= 1.5
    row = one_map(make, behavior, seen)
    assert row["anchor_trials"] == [10, 11, 12]
    assert row["residual_max_s"] < 1e-9


def test_where_all_go_cues_are_repeated_the_last_ones_are_taken(make: SimpleNamespace) -> None:
    behavior = behavior_rows(n_go_cues=[2] * N)
    assert one_map(make, behavior, ephys_rows(behavior))["n_anchors"] == N


def test_free_water_trials_without_a_go_cue_are_matched_and_are_no_anchors(make: SimpleNamespace) -> None:
    go_s = [None if k in {0, 5} else t + 2.5 for k, t in enumerate(START_S)]
    behavior = behavior_rows(go_s=go_s, n_go_cues=[0 if at is None else 1 for at in go_s])
    row = one_map(make, behavior, ephys_rows(behavior))
    assert row["matched_trials"] == list(range(1, N + 1))
    assert row["anchor_trials"] == [2, 3, 4, 5, *range(7, N + 1)]


@pytest.mark.parametrize(
    ("code_start", "kind", "offset_s"),
    [
        ([t + 0.01 for t in START_S], "start of the code", -12.5),
        ([None] * N, "start of the trial in place of its code's", -12.51),
    ],
)
def test_without_go_cues_the_starts_are_anchors_and_the_row_says_which(
    make: SimpleNamespace, code_start: list[float | None], kind: str, offset_s: float
) -> None:
    seen = ephys_rows(behavior_rows())
    for row in seen:
        row["go_probe_s"] = None
    row = one_map(make, behavior_rows(bitcode_start_s=code_start), seen)
    assert row["anchor_kind"] == kind
    assert row["n_anchors"] == N
    assert row["offset_s"] == pytest.approx(offset_s, abs=1e-6)


@pytest.mark.parametrize("code_late_s", [0.05, 0.51])
def test_a_line_that_marks_the_trials_start_is_no_start_of_a_code(make: SimpleNamespace, code_late_s: float) -> None:
    """Bpod's first state takes half a second, and the states of the code come after it; the line goes up before both."""
    behavior = [
        {**row, "bitcode_start_s": row["start_s"] + code_late_s}
        for row in behavior_rows(go_s=[None] * N, n_go_cues=[0] * N)
    ]
    edges = [
        {
            "bitcode": row["bitcode"],
            "start_probe_s": float(TRUE.probe_s(row["start_s"])),
            "start_kind": "start of the trial",
        }
        for row in behavior
    ]
    row = one_map(make, behavior, edges)
    assert (row["anchor_kind"], row["offset_bound_s"], row["n_anchors"]) == ("start of the trial", 0.0, N)
    assert row["offset_s"] == pytest.approx(-12.5, abs=1e-9)
    # the same edges taken for starts of codes put every spike late by as much
    for edge in edges:
        edge["start_kind"] = "start of the code"
    assert one_map(make, behavior, edges)["offset_s"] == pytest.approx(-12.5 + code_late_s, abs=1e-6)


def test_a_trial_start_in_place_of_a_codes_says_by_how_much_the_clock_may_be_early(make: SimpleNamespace) -> None:
    behavior = behavior_rows(bitcode_start_s=[None] * N, go_s=[None] + [t + 1.5 for t in START_S[1:]])
    seen = ephys_rows(behavior_rows())
    for row in seen:
        row["go_probe_s"] = None
    trials, ephys_trials = make.trials_table(behavior), make.ephys_trials_table(seen)
    table = make_clock_maps(make.session, trials, ephys_trials)
    assert table["offset_bound_s"].to_pylist() == [1.5]
    verdict = clock_residuals_are_within_limits(table, ephys_trials)
    assert verdict.passed
    assert "trial starts stand in for code starts, so session times may be too early: probe 1 up to 1.500 s" in (
        verdict.description
    )
    assert verdict.figures is not None
    assert verdict.figures["offset_bound_s"] == 1.5
    nothing = pa.nulls(N, pa.float64())
    trials = trials.set_column(trials.column_names.index("go_s"), "go_s", nothing)
    assert make_clock_maps(make.session, trials, ephys_trials)["offset_bound_s"].to_pylist() == [4.0]
    trials = trials.drop_columns(["stop_s"])
    unbounded = make_clock_maps(make.session, trials, ephys_trials)
    verdict = clock_residuals_are_within_limits(unbounded, ephys_trials)
    assert not verdict.passed
    assert "nothing tells how much later codes start" in verdict.description


@pytest.mark.parametrize("n_codes", [4, 8, 65536])
@pytest.mark.parametrize("jumps", [{80: 1.0}, {60: 1.0, 140: -0.4}, {120: 30.0}])
def test_a_clock_that_jumps_fails_the_check_also_where_codes_repeat(
    make: SimpleNamespace, n_codes: int, jumps: dict[int, float]
) -> None:
    rng = np.random.default_rng(0)
    n = 200
    start_s = np.cumsum(rng.uniform(3, 9, n))
    codes = [f"{code:016b}" for code in rng.integers(0, n_codes, n)]
    seen_s = start_s + 5
    for first, by_s in jumps.items():
        seen_s[first:] += by_s
    behavior = [
        {"trial": k + 1, "start_s": t, "go_s": t + 1, "bitcode": code, "bitcode_start_s": t}
        for k, (t, code) in enumerate(zip(start_s.tolist(), codes, strict=True))
    ]
    seen = make.ephys_trials_table(
        [
            {"bitcode": code, "start_probe_s": t, "go_probe_s": t + 1}
            for t, code in zip(seen_s.tolist(), codes, strict=True)
        ]
    )
    table = make_clock_maps(make.session, make.trials_table(behavior), seen)
    (row,) = table.to_pylist()
    parts = np.split(np.arange(1, n + 1), sorted(jumps))
    largest = max(parts, key=len).tolist()
    assert row["anchor_trials"] == largest
    assert sorted({*row["contradicted_trials"], *row["outlier_trials"]}) == sorted({*range(1, n + 1)} - {*largest})
    verdict = clock_residuals_are_within_limits(table, seen)
    assert not verdict.passed
    assert f"{n - len(largest)} trials off its clock" in verdict.description


def test_wrong_anchors_are_dropped_and_counted(make: SimpleNamespace) -> None:
    seen = ephys_rows(behavior_rows())
    seen[3]["go_probe_s"] += 0.4
    seen[9]["go_probe_s"] -= 90.0
    row = one_map(make, behavior_rows(), seen)
    assert row["anchor_trials"] == [n for n in range(1, N + 1) if n not in {4, 10}]
    assert len(row["matched_trials"]) == N
    assert row["residual_max_s"] < 1e-9
    assert (row["n_outliers"], row["outlier_trials"]) == (2, [4, 10])
    assert row["outlier_session_s"] == [START_S[3] + 2.5, START_S[9] + 2.5]
    assert row["outlier_residual_s"] == pytest.approx([-0.4, 90.0], abs=1e-2)


@settings(max_examples=60, deadline=None)
@given(st.floats(-200, 200), st.floats(-100, 100), st.integers(5, 200), st.integers(0, 2**32 - 1), st.floats(0.02, 100))
def test_a_fifth_of_wrong_anchors_does_not_move_the_clock(
    offset_s: float, drift_ppm: float, n: int, seed: int, error_s: float
) -> None:
    rng = np.random.default_rng(seed)
    true = ClockMap(offset_s, drift_ppm)
    session_s = np.cumsum(rng.uniform(4, 12, n))
    probe_s = true.probe_s(session_s) + rng.uniform(-1, 1, n) * 2e-5
    wrong = rng.choice(n, n // 5, replace=False)
    probe_s[wrong] += error_s
    clock, is_anchor = robust_clock_map(probe_s, session_s)
    assert not is_anchor[wrong].any()
    assert is_anchor.sum() == n - len(wrong)
    np.testing.assert_allclose(clock.session_s(true.probe_s(session_s)), session_s, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.floats(-500, 500), st.integers(10, 200), st.integers(0, 2**32 - 1), st.booleans())
def test_three_tenths_of_wrong_anchors_do_not_move_the_clock(
    drift_ppm: float, n: int, seed: int, is_one_stretch: bool
) -> None:
    """Each wrong by its own error, or all of one stretch by the same: a second cluster."""
    rng = np.random.default_rng(seed)
    true = ClockMap(30.0, drift_ppm)
    session_s = np.cumsum(rng.uniform(4, 12, n))
    probe_s = true.probe_s(session_s) + rng.uniform(-1, 1, n) * 2e-5
    n_wrong = int(0.3 * n)
    first = int(rng.integers(0, n - n_wrong + 1))
    wrong = np.arange(first, first + n_wrong) if is_one_stretch else rng.choice(n, n_wrong, replace=False)
    probe_s[wrong] += rng.uniform(0.1, 5) if is_one_stretch else rng.uniform(0.1, 5, n_wrong) * rng.choice([-1, 1])
    clock, is_anchor = robust_clock_map(probe_s, session_s)
    assert np.flatnonzero(~is_anchor).tolist() == sorted(wrong.tolist())
    np.testing.assert_allclose(clock.session_s(true.probe_s(session_s)), session_s, atol=1e-4)


@pytest.mark.parametrize("first_after", [2, 20, 30, 40, 57])
@pytest.mark.parametrize("jump_s", [0.012, 0.3, 40.0])
def test_a_clock_that_jumps_fails_the_check_and_hides_nothing(
    make: SimpleNamespace, first_after: int, jump_s: float
) -> None:
    behavior, seen = long_session(60)
    for row in seen[first_after:]:
        row["start_probe_s"] += jump_s
        row["go_probe_s"] += jump_s
    table = make_clock_maps(make.session, make.trials_table(behavior), make.ephys_trials_table(seen))
    row = table.to_pylist()[0]
    verdict = clock_residuals_are_within_limits(table, make.ephys_trials_table(seen))
    off = set(row["outlier_trials"]) | set(row["contradicted_trials"])
    assert verdict.passed is not (6 <= first_after <= 54)
    if first_after != 30:
        assert off == set(range(1, first_after + 1) if first_after < 30 else range(first_after + 1, 61))
        assert row["drift_ppm"] == pytest.approx(20.0, abs=1)
    assert set(row["matched_trials"]) | set(row["unmatched_behavior_trials"]) == set(range(1, 61))


def test_a_trial_whose_start_contradicts_the_clock_is_not_matched(make: SimpleNamespace) -> None:
    seen = ephys_rows(behavior_rows())
    seen[5]["start_probe_s"] += 2.0
    seen[5]["go_probe_s"] += 2.0
    row = one_map(make, behavior_rows(), seen)
    assert row["contradicted_trials"] == row["unmatched_behavior_trials"] == [6]
    assert row["unmatched_ephys_trials"] == [6]
    assert row["n_outliers"] == 0


def test_starts_tell_trials_of_one_code_apart(make: SimpleNamespace) -> None:
    behavior, seen = long_session(60)
    for row in [*behavior, *seen]:
        row["bitcode"] = "0" * 16
    row = one_map(make, behavior, seen[12:])
    assert row["matched_trials"] == list(range(13, 61))
    for behavior_row in behavior:
        behavior_row["bitcode_start_s"] = None
    assert one_map(make, behavior, seen[12:])["matched_trials"] == list(range(13, 61))
    for ephys_row in seen:
        ephys_row["start_probe_s"] = None
    assert one_map(make, behavior, seen[12:])["matched_trials"] == list(range(13, 61))


def test_a_probe_whose_trials_are_ambiguous_says_so_and_does_not_stop_the_other(make: SimpleNamespace) -> None:
    behavior = behavior_rows(bitcode=[CODES[0]] * 3 + CODES[3:])
    first = [{"probe": 1, "bitcode": CODES[0], "ephys_trial": 1}]
    second = [{**row, "ephys_trial": k} for k, row in enumerate(ephys_rows(behavior, probe=2), 1)]
    table = make_clock_maps(make.session, make.trials_table(behavior), make.ephys_trials_table(first + second))
    open_, clear = table.to_pylist()
    assert open_["problem"].startswith("SC022_bitcode.mat: ephys trial 1 can be behaviour trial 1 or 2 or 3: ")
    assert open_["matched_trials"] == []
    assert (clear["problem"], clear["matched_trials"]) == (None, list(range(1, N + 1)))
    verdict = clock_residuals_are_within_limits(table)
    assert not verdict.passed
    assert open_["problem"] in verdict.description
    with pytest.raises(TrialsAreAmbiguous):
        make_clock_maps(make.session, make.trials_table(behavior), make.ephys_trials_table(first))


@given(st.floats(-500, 500), st.floats(0, 2e4), st.integers(0, 2**32 - 1))
def test_a_clock_of_exact_anchors_is_exact_to_a_hundredth_of_a_sample(
    drift_ppm: float, offset_s: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    true = ClockMap(offset_s, drift_ppm)
    probe_s = np.sort(rng.uniform(1e4, 2e4, 300))
    clock, is_anchor = robust_clock_map(probe_s, true.session_s(probe_s))
    assert is_anchor.all()
    samples = rng.integers(0, 6e8, 1000)
    back = clock.probe_s(true.session_s(samples / 3e4)) * 3e4
    np.testing.assert_allclose(back, samples, atol=0.01)


def test_a_single_trial_gives_a_clock_without_drift(make: SimpleNamespace) -> None:
    behavior = behavior_rows()[:1]
    row = one_map(make, behavior, ephys_rows(behavior))
    assert (row["n_anchors"], row["drift_ppm"]) == (1, 0.0)


@pytest.mark.parametrize(
    ("duration_s", "is_known"), [(1000.0, True), (None, False), (5.0, False)], ids=["whole", "unknown", "stub"]
)
def test_the_recordings_end_is_known_only_if_it_holds_its_own_trials(
    make: SimpleNamespace, duration_s: float | None, is_known: bool
) -> None:
    recordings = RECORDINGS.from_rows([recording(1, duration_s)])
    row = one_map(make, behavior_rows(), ephys_rows(behavior_rows()), recordings)
    assert row["observed_from_s"] == pytest.approx(-12.5, abs=1e-6)
    expected = float(TRUE.session_s(1000.0)) if is_known else None
    assert row["observed_to_s"] == (pytest.approx(expected, abs=1e-4) if is_known else None)


def test_a_recording_of_another_probe_says_nothing(make: SimpleNamespace) -> None:
    row = one_map(make, behavior_rows(), ephys_rows(behavior_rows()), RECORDINGS.from_rows([recording(2, 1000.0)]))
    assert row["observed_to_s"] is None


def test_codes_without_times_match_and_give_no_clock(make: SimpleNamespace) -> None:
    seen = [{"bitcode": code} for code in CODES[:-1]]
    row = one_map(make, behavior_rows(), seen)
    assert row["matched_trials"] == list(range(1, N))
    assert row["unmatched_behavior_trials"] == [N]
    assert row["n_anchors"] == 0
    assert [row[name] for name in ("anchor_kind", "drift_ppm", "offset_s", "residual_rms_s", "observed_from_s")] == [
        None
    ] * 5


def test_a_probe_that_does_not_fit_does_not_stop_the_other(make: SimpleNamespace) -> None:
    behavior = behavior_rows()
    strange = [{"probe": 1, "bitcode": "0" * 16, "go_probe_s": 3.0, "ephys_trial": 1}]
    good = [{**row, "ephys_trial": k} for k, row in enumerate(ephys_rows(behavior, probe=2), 1)]
    table = make_clock_maps(make.session, make.trials_table(behavior), make.ephys_trials_table(strange + good))
    first, second = table.to_pylist()
    assert (first["probe"], first["n_anchors"], first["matched_trials"]) == (1, 0, [])
    assert first["unmatched_behavior_trials"] == list(range(1, N + 1))
    assert first["unmatched_ephys_trials"] == [1]
    assert second["n_anchors"] == N


def test_two_probes_have_clocks_of_their_own(make: SimpleNamespace) -> None:
    behavior = behavior_rows()
    other = ClockMap(3.0, -40.0)
    seen = [
        {**row, "ephys_trial": k}
        for probe, clock in ((2, other), (1, TRUE))
        for k, row in enumerate(ephys_rows(behavior, clock, probe), 1)
    ]
    table = make_clock_maps(make.session, make.trials_table(behavior), make.ephys_trials_table(seen))
    assert table["probe"].to_pylist() == [1, 2]
    np.testing.assert_allclose(table["drift_ppm"].to_pylist(), [20.0, -40.0], atol=1e-3)


def test_if_no_probe_fits_it_is_an_error(make: SimpleNamespace) -> None:
    seen = make.ephys_trials_table([{"bitcode": "0" * 16}])
    with pytest.raises(ClockDoesNotFit, match="Check that the bitcode file belongs to this session"):
        make_clock_maps(make.session, make.trials_table(behavior_rows()), seen)
