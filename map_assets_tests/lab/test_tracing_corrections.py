"""Corrections of tracings are proposed, reviewed by somebody else, and taken back; the log only ever grows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from map_assets.lab.records import CannotUndo
from map_assets.lab.registry import Registry
from map_assets.lab.tracing_corrections import TracingCorrections
from map_assets.lab.tracing_rules import BadCorrection, CannotReview
from map_assets.lab.tracing_schema import CORRECTIONS
from map_assets.vocabulary.tracing import TracingCorrection

KEY, OTHER = "dl25_20180225_102508", "dl25_20180226_102508"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path}/registry.db")


@pytest.fixture
def corrections(registry: Registry) -> TracingCorrections:
    return TracingCorrections(registry)


def test_a_correction_is_in_force_only_once_another_person_reviewed_it(corrections: TracingCorrections) -> None:
    made = corrections.correct(KEY, 2, "ibl-a", "shift", -40.0, who="rivera", why=" LFP says so ", now=NOON)
    assert (made.state, made.why, made.at) == ("proposed", "LFP says so", NOON)
    assert corrections.standing(KEY) == ()
    reviewed = corrections.review(made.correction_id, who="okafor", why="seen", now=NOON)
    assert (reviewed.state, reviewed.reviewed_by, reviewed.is_own_review) == ("in force", "okafor", False)
    expected = TracingCorrection(
        made.correction_id, KEY, 2, "ibl-a", "shift", -40.0, "rivera", "okafor", "LFP says so", NOON
    )
    assert corrections.standing(KEY) == (expected,)
    assert corrections.standing(OTHER) == ()


@pytest.mark.parametrize("name", ["rivera", " Rivera", "RIVERA ", "ri\u200bvera", "\uff52ivera"])
def test_nobody_reviews_their_own_correction_without_saying_so(corrections: TracingCorrections, name: str) -> None:
    made = corrections.correct(KEY, 1, "ibl-a", "flip", who="rivera", why="mirrored")
    with pytest.raises(CannotReview, match="another person"):
        corrections.review(made.correction_id, who=name)
    assert corrections.standing(KEY) == ()
    own = corrections.review(made.correction_id, who=name, is_own=True)
    assert (own.state, own.is_own_review) == ("in force", True)
    with pytest.raises(CannotReview, match="is in force"):
        corrections.review(made.correction_id, who="okafor")


def test_saying_own_for_the_correction_of_another_is_not_called_own(corrections: TracingCorrections) -> None:
    made = corrections.correct(KEY, 1, "ibl-a", "flip", who="rivera", why="mirrored")
    assert not corrections.review(made.correction_id, who="okafor", is_own=True).is_own_review


def test_a_correction_is_taken_back_once_and_the_log_keeps_it(
    corrections: TracingCorrections, registry: Registry
) -> None:
    before = registry.version()
    made = corrections.correct(KEY, 1, "ibl-a", "flip", who="rivera", why="mirrored")
    corrections.review(made.correction_id, who="okafor")
    mark = corrections.fingerprint(KEY)
    assert mark is not None
    undone = corrections.undo(made.correction_id, who="okafor", why="it was not")
    assert (undone.state, undone.undone_by, undone.undone_why) == ("taken back", "okafor", "it was not")
    assert undone.reviewed_by == "okafor"
    assert corrections.standing(KEY) == ()
    assert corrections.fingerprint(KEY) is None
    with pytest.raises(CannotUndo, match="before"):
        corrections.undo(made.correction_id, who="rivera")
    with pytest.raises(CannotReview, match="taken back"):
        corrections.review(made.correction_id, who="rivera")
    assert [one.state for one in corrections.log(KEY)] == ["taken back"]
    assert registry.version() == before + 3


def test_a_proposal_changes_no_fingerprint_and_can_be_taken_back(corrections: TracingCorrections) -> None:
    made = corrections.correct(KEY, 1, "ibl-a", "shift", 10.0, who="rivera", why="x")
    assert corrections.fingerprint(KEY) is None
    assert corrections.undo(made.correction_id, who="rivera").state == "taken back"


@pytest.mark.parametrize(
    ("kind", "amount_um", "why", "said"),
    [
        ("flip", 10.0, "x", "has no length"),
        ("shift", None, "x", "needs a length"),
        ("shift", 0.0, "x", "needs a length"),
        ("shift", float("nan"), "x", "needs a length"),
        ("flip", None, "  ", "needs a person and a reason"),
        ("drop", 5.0, "x", "has no length"),
        ("shift", 1e9, "x", "leaves the brain"),
        ("turn", None, "x", "turn is no correction"),
    ],
)
def test_a_correction_that_says_nothing_is_refused_and_leaves_no_trace(
    corrections: TracingCorrections, kind: str, amount_um: float | None, why: str, said: str
) -> None:
    with pytest.raises(BadCorrection, match=said):
        corrections.correct(KEY, 1, "ibl-a", kind, amount_um, who="rivera", why=why)
    assert corrections.log() == []


def test_one_name_spelled_in_two_ways_is_one_person(corrections: TracingCorrections) -> None:
    made = corrections.correct(KEY, 1, "ibl-a", "flip", who="Jos\u00e9", why="mirrored")
    with pytest.raises(CannotReview, match="another person"):
        corrections.review(made.correction_id, who="Jose\u0301")


@pytest.mark.parametrize("nobody", ["", "  ", "\u200b"])
def test_nobody_decides_nothing(corrections: TracingCorrections, nobody: str) -> None:
    with pytest.raises(BadCorrection, match="needs a person"):
        corrections.correct(KEY, 1, "ibl-a", "flip", who=nobody, why="x")
    made = corrections.correct(KEY, 1, "ibl-a", "flip", who="rivera", why="x")
    with pytest.raises(CannotReview, match="needs a person"):
        corrections.review(made.correction_id, who=nobody)
    with pytest.raises(CannotUndo, match="needs a person"):
        corrections.undo(made.correction_id, who=nobody)


@pytest.mark.parametrize(
    ("first", "second"),
    [(None, None), (None, 0), (1, None), (1, 1)],
    ids=["both", "whole, shank", "shank, whole", "shank"],
)
def test_nothing_is_mirrored_twice(corrections: TracingCorrections, first: int | None, second: int | None) -> None:
    made = corrections.correct(KEY, 1, "ibl-a", "flip", shank=first, who="rivera", why="x")
    for state in ("proposed", "in force"):
        with pytest.raises(BadCorrection, match=f"a flip of probe 1.* is {state} already"):
            corrections.correct(KEY, 1, "ibl-a", "flip", shank=second, who="okafor", why="x")
        if state == "proposed":
            corrections.review(made.correction_id, who="okafor")
    corrections.undo(made.correction_id, who="okafor")
    again = corrections.correct(KEY, 1, "ibl-a", "flip", shank=second, who="okafor", why="x")
    assert corrections.review(again.correction_id, who="rivera").shank == second


def test_of_two_flips_that_were_proposed_at_once_one_comes_in_force(
    corrections: TracingCorrections, registry: Registry
) -> None:
    with registry.engine.begin() as connection:
        row = {"action": "correct", "session": KEY, "probe": 1, "tracing": "ibl-a", "kind": "flip", "at_us": 0}
        rows = [{**row, "is_own_review": False, "who": who, "why": "x"} for who in ("rivera", "okafor")]
        connection.execute(CORRECTIONS.insert(), rows)
    one, other = corrections.log(KEY)
    corrections.review(one.correction_id, who="okafor")
    with pytest.raises(CannotReview, match="would do it twice"):
        corrections.review(other.correction_id, who="rivera")
    assert [found.correction_id for found in corrections.standing(KEY)] == [one.correction_id]


def test_other_shanks_tracings_and_lengths_are_other_corrections(corrections: TracingCorrections) -> None:
    for shank in (0, 1):
        corrections.correct(KEY, 1, "ibl-a", "flip", shank=shank, who="rivera", why="x")
    corrections.correct(KEY, 1, "ibl-b", "flip", who="rivera", why="x")
    corrections.correct(KEY, 2, "ibl-a", "flip", who="rivera", why="x")
    for amount_um in (10.0, 20.0):
        corrections.correct(KEY, 1, "ibl-a", "shift", amount_um, who="rivera", why="x")
    with pytest.raises(BadCorrection, match="a shift of 20 um"):
        corrections.correct(KEY, 1, "ibl-a", "shift", 20.0, who="okafor", why="x")


def test_a_shank_is_corrected_and_counted_alone(corrections: TracingCorrections) -> None:
    made = corrections.correct(KEY, 1, "ibl-a", "drop", shank=2, who="rivera", why="x")
    corrections.review(made.correction_id, who="okafor")
    (one,) = corrections.standing(KEY)
    assert (one.kind, one.shank) == ("drop", 2)
    before = corrections.fingerprint(KEY)
    corrections.undo(made.correction_id, who="okafor")
    other = corrections.correct(KEY, 1, "ibl-a", "drop", shank=1, who="rivera", why="x")
    corrections.review(other.correction_id, who="okafor")
    assert corrections.fingerprint(KEY) not in {None, before}


def test_a_log_without_shanks_is_read_on(registry: Registry) -> None:
    TracingCorrections(registry)
    with registry.engine.begin() as connection:
        connection.execute(text("alter table lab_tracing_corrections drop column shank"))
    made = TracingCorrections(registry).correct(KEY, 1, "ibl-a", "flip", shank=1, who="rivera", why="x")
    assert made.shank == 1


def test_what_is_not_there_is_named(corrections: TracingCorrections) -> None:
    with pytest.raises(CannotReview, match="no correction 7"):
        corrections.review(7, who="okafor")
    with pytest.raises(CannotUndo, match="no correction 7"):
        corrections.undo(7, who="okafor")


def test_of_several_reviews_at_once_one_counts(corrections: TracingCorrections, registry: Registry) -> None:
    made = corrections.correct(KEY, 1, "ibl-a", "flip", who="rivera", why="x")

    def review(number: int) -> bool:
        try:
            TracingCorrections(registry).review(made.correction_id, who=f"person {number}")
        except CannotReview:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(review, range(4))) == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["correct", "review", "own", "undo"]), st.integers(0, 5)), max_size=14))
def test_in_force_is_what_was_reviewed_and_not_taken_back_whatever_the_order(
    corrections: TracingCorrections, registry: Registry, steps: list[tuple[str, int]]
) -> None:
    session = f"x_20200101_{len(corrections.log()):06d}"
    made: list[int] = []
    states: dict[int, str] = {}
    with registry.engine.connect() as connection:
        n_before = connection.scalar(select(func.count()).select_from(CORRECTIONS))
    for what, number in steps:
        chosen = made[number % len(made)] if made else None
        if what == "correct" or chosen is None:
            made.append(corrections.correct(session, len(made) + 1, "ibl-a", "flip", who="a", why="x").correction_id)
            states[made[-1]] = "proposed"
        elif what == "undo" and states[chosen] != "taken back":
            corrections.undo(chosen, who="b")
            states[chosen] = "taken back"
        elif what != "undo" and states[chosen] == "proposed":
            corrections.review(chosen, who="a" if what == "own" else "b", is_own=what == "own")
            states[chosen] = "in force"
        else:
            with pytest.raises((CannotUndo, CannotReview)):
                (corrections.undo if what == "undo" else corrections.review)(chosen, who="b")
            n_before -= 1
        n_before += 1
    assert {one.correction_id: one.state for one in corrections.log(session)} == states
    in_force = {one.correction_id for one in corrections.standing(session)}
    assert in_force == {number for number, state in states.items() if state == "in force"}
    with registry.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(CORRECTIONS)) == n_before
