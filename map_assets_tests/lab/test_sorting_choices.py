"""People's decisions about sortings are only ever added to, and the last one that was not taken back stands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.lab.records import CannotUndo
from map_assets.lab.registry import Registry
from map_assets.lab.sorting_choices import NeedsAReason, SortingChoices

KEY, OTHER = "dl25_20180225_102508", "dl25_20180226_102508"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path}/registry.db")


@pytest.fixture
def choices(registry: Registry) -> SortingChoices:
    return SortingChoices(registry)


def test_a_choice_stands_with_who_when_and_why(choices: SortingChoices) -> None:
    made = choices.choose(KEY, 2, "ks2-a", who="rivera", why=" no merges ", now=NOON)
    assert choices.standing(KEY) == {2: made}
    assert (made.sorting, made.who, made.at, made.why) == ("ks2-a", "rivera", NOON, "no merges")
    assert choices.standing(OTHER) == {}


def test_the_younger_choice_stands_and_an_undo_brings_the_one_before_back(choices: SortingChoices) -> None:
    first = choices.choose(KEY, 1, "ks2-a", who="rivera", why="x")
    choices.choose(KEY, 1, "ks2-b", who="okafor", why="y")
    choices.choose(KEY, 2, "ks2-c", who="okafor", why="z")
    assert choices.undo(KEY, 1, who="rivera", why="y was wrong") == first
    assert choices.standing(KEY)[1] == first
    assert choices.undo(KEY, 1, who="rivera") is None
    assert set(choices.standing(KEY)) == {2}
    with pytest.raises(CannotUndo, match="probe 1"):
        choices.undo(KEY, 1, who="rivera")
    log = choices.log(KEY)
    assert [(line.sorting, line.undoes) for line in log] == [
        ("ks2-a", None),
        ("ks2-b", None),
        ("ks2-c", None),
        (None, log[1].choice_id),
        (None, log[0].choice_id),
    ]
    assert (log[3].who, log[3].why, log[4].why) == ("rivera", "y was wrong", None)


def test_a_choice_without_a_reason_is_refused_and_leaves_no_trace(choices: SortingChoices) -> None:
    with pytest.raises(NeedsAReason):
        choices.choose(KEY, 1, "ks2-a", who="rivera", why="  ")
    assert choices.log(KEY) == []


def test_the_fingerprint_changes_with_what_stands_for_the_session_alone(
    choices: SortingChoices, registry: Registry
) -> None:
    assert choices.fingerprint(KEY) is None
    version = registry.version()
    choices.choose(OTHER, 1, "ks2-a", who="rivera", why="x")
    assert choices.fingerprint(KEY) is None
    choices.choose(KEY, 1, "ks2-a", who="rivera", why="x")
    mark = choices.fingerprint(KEY)
    assert mark is not None
    choices.choose(KEY, 1, "ks2-b", who="rivera", why="x")
    assert choices.fingerprint(KEY) != mark
    choices.undo(KEY, 1, who="rivera")
    assert choices.fingerprint(KEY) == mark
    assert registry.version() == version + 4


def test_two_undos_at_once_take_two_choices_back(choices: SortingChoices) -> None:
    for number in range(5):
        choices.choose(KEY, 1, f"ks2-{number}", who="rivera", why="x")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: choices.undo(KEY, 1, who="okafor"), range(4)))
    assert choices.standing(KEY)[1].sorting == "ks2-0"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=8))
def test_what_stands_is_a_stack(choices: SortingChoices, steps: list[str | None]) -> None:
    before = len(choices.log("s_20200101_000000"))
    while choices.standing("s_20200101_000000"):
        choices.undo("s_20200101_000000", 1, who="x")
        before += 1
    stack: list[str] = []
    for number, step in enumerate(steps):
        if step is not None:
            choices.choose("s_20200101_000000", 1, step, who="x", why="y", now=NOON + timedelta(days=number))
            stack.append(step)
        elif stack:
            choices.undo("s_20200101_000000", 1, who="x")
            stack.pop()
        else:
            before -= 1
    standing = choices.standing("s_20200101_000000")
    assert [choice.sorting for choice in standing.values()] == stack[-1:]
    assert len(choices.log("s_20200101_000000")) == before + len(steps)
