"""Versions of a sorting are looked at, chosen, taken back and compared from the terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from small_laboratory import GOOD, Terminal

from map_assets.ephys.tables import SORTING_CHANGES, SORTINGS

Check = Callable[[str], str]
OLD, NEW = "kilosort2-0123456789", "kilosort2.5-abcdefabcd"
DAY = datetime(2026, 3, 1, tzinfo=UTC)


def write_sortings(lab: Terminal, current: str, because: str) -> None:
    row = {"session": GOOD, "probe": 1, "sorter": "kilosort2", "curation": "raw", "n_units": 2, "n_spikes": 9}
    row |= {"has_metrics": False, "folder": "a/b", "first_seen": DAY, "is_on_share": True}
    rows = [
        {**row, "sorting": name, "is_current": name == current, "current_because": because if name == current else None}
        for name in (OLD, NEW)
    ]
    lab.services.store.write(SORTINGS, GOOD, SORTINGS.from_rows(rows))


@pytest.fixture
def sorted_lab(own_lab: Terminal) -> Terminal:
    """A laboratory with one session whose probe has two sortings."""
    write_sortings(own_lab, NEW, "the youngest")
    key = {"session": GOOD, "probe": 1, "sorting": OLD, "current_sorting": NEW}
    kinds = [(4, 4, "same", 10), (5, 7, "merged", 5), (6, 7, "merged", 6), (8, None, "lost", 0)]
    rows = [
        {**key, "change_id": number, "unit_id": unit, "current_unit_id": current, "change": kind, "n_shared": n}
        for number, (unit, current, kind, n) in enumerate(kinds)
    ]
    own_lab.services.store.write(SORTING_CHANGES, GOOD, SORTING_CHANGES.from_rows(rows))
    return own_lab


def test_versions_are_listed_with_the_reason(sorted_lab: Terminal) -> None:
    rows = sorted_lab("sorting", "list", GOOD, "--json").rows
    assert [(row["sorting"], row["is_current"], row["current_because"]) for row in rows] == [
        (OLD, False, None),
        (NEW, True, "the youngest"),
    ]
    assert "the youngest" in sorted_lab("sorting", "list", GOOD).out


def test_a_choice_is_written_down_and_what_it_awaits_is_told(sorted_lab: Terminal) -> None:
    done = sorted_lab(
        "sorting", "choose", GOOD, "1", "kilosort2-", "--because", "no merges", "--who", "rivera", "--json"
    )
    (answer,) = done.rows
    assert (answer["sorting"], answer["who"], answer["why"]) == (OLD, "rivera", "no merges")
    assert sorted_lab.services.sorting_choices.standing(GOOD)[1].sorting == OLD
    assert "rivera" in sorted_lab("sorting", "list", GOOD).err
    write_sortings(sorted_lab, OLD, "chosen by rivera")
    assert sorted_lab("sorting", "list", GOOD).err == ""
    assert "automatic rule" in sorted_lab("sorting", "undo", GOOD, "1", "--who", "okafor").out


def test_the_log_tells_decisions_and_what_became_current(sorted_lab: Terminal) -> None:
    sorted_lab("sorting", "choose", GOOD, "1", OLD, "--because", "no merges", "--who", "rivera")
    write_sortings(sorted_lab, OLD, "chosen by rivera")
    sorted_lab("sorting", "undo", GOOD, "1", "--who", "okafor", "--because", "curated by now")
    rows = sorted_lab("sorting", "log", GOOD, "--json").rows
    assert [(row["what"], row["sorting"], row["who"], row["why"]) for row in rows] == [
        ("became current", NEW, None, "the youngest"),
        ("chosen", OLD, "rivera", "no merges"),
        ("became current", OLD, None, "chosen by rivera"),
        ("undone", OLD, "okafor", "curated by now"),
    ]
    assert sorted_lab("sorting", "log", "MK041_20240306_110000", "--json").rows == []


def test_changes_come_with_a_count_of_each_kind(sorted_lab: Terminal) -> None:
    rows = sorted_lab("sorting", "changes", GOOD, "--json").rows
    assert [row["change"] for row in rows] == ["merged", "merged", "lost", "same"]
    assert rows[0]["current_unit_id"] == 7
    assert f"{OLD} against {NEW}: 2 merged, 1 lost, 1 same" in sorted_lab("sorting", "changes", GOOD, "1").err
    assert sorted_lab("sorting", "changes", GOOD, "2", "--json").rows == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("choose", GOOD, "1", "kilosort4", "--because", "x"), "no sorting kilosort4; it has kilosort2-"),
        (("choose", GOOD, "1", "kilosort2", "--because", "x"), "2 sortings that begin with kilosort2"),
        (("choose", GOOD, "3", OLD, "--because", "x"), "Probe 3"),
        (("choose", GOOD, "1", OLD, "--because", " "), "reason"),
        (("undo", GOOD, "1"), "Nobody's choice stands"),
        (("list", "XX1_20200101_000000"), "No sorting of XX1_20200101_000000"),
        (("changes", "XX1_20200101_000000"), "No sorting of XX1_20200101_000000"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    sorted_lab: Terminal, one_sentence: Check, words: tuple[str, ...], said: str
) -> None:
    assert said in one_sentence(sorted_lab("sorting", *words, code=1).err)
    assert sorted_lab.services.sorting_choices.log(GOOD) == []


def test_looking_makes_no_database(new_lab: Terminal, one_sentence: Check) -> None:
    one_sentence(new_lab("sorting", "list", GOOD, code=1).err)
    assert new_lab("sorting", "log", GOOD, "--json").rows == []
    assert not (new_lab.root / "data").exists()
