"""Tracings are looked at, compared, corrected, reviewed and taken back from the terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from small_laboratory import GOOD, Terminal

from map_assets.ccf.track_tables import TRACED_POSITIONS, TRACED_TRACKS, TRACING_CHANGES, TRACINGS

Check = Callable[[str], str]
OLD, NEW = "ibl_alignment-0123456789", "ibl_alignment-abcdefabcd"


def write_tracings(
    lab: Terminal, current: str = NEW, corrections: str | None = None, left_out: str | None = None
) -> None:
    row = {"session": GOOD, "probe": 1, "first_seen": datetime(2026, 3, 1, tzinfo=UTC), "is_on_share": True}
    row |= {"formats": "ibl_alignment", "n_positions": 384, "n_track_points": 9}
    said = {"is_current": True, "corrections": corrections, "corrections_left_out": left_out}
    rows = [{**row, "tracing": name, "is_current": False, **(said if name == current else {})} for name in (OLD, NEW)]
    lab.services.store.write(TRACINGS, GOOD, TRACINGS.from_rows(rows))


@pytest.fixture
def traced_lab(own_lab: Terminal) -> Terminal:
    """A laboratory with one session whose probe was traced twice."""
    write_tracings(own_lab)
    row = {"session": GOOD, "probe": 1, "tracing": OLD, "current_tracing": NEW, "shank": 0, "kind": "positions"}
    row |= {"change": "moved", "n_older": 384, "n_current": 384, "n_compared": 384, "moved_median_um": 31.5}
    own_lab.services.store.write(TRACING_CHANGES, GOOD, TRACING_CHANGES.from_rows([row]))
    return own_lab


def test_tracings_and_what_moved_are_listed(traced_lab: Terminal) -> None:
    rows = traced_lab("histology", "list", GOOD, "--json").rows
    assert [(row["tracing"], row["is_current"]) for row in rows] == [(OLD, False), (NEW, True)]
    (moved,) = traced_lab("histology", "changes", GOOD, "--json").rows
    assert (moved["change"], moved["moved_median_um"]) == ("moved", 31.5)


def test_a_correction_goes_from_proposed_to_in_force_to_applied_to_taken_back(traced_lab: Terminal) -> None:
    made = traced_lab(
        *("histology", "correct", GOOD, "1", "shift", "--um", "-40", "--because", "LFP", "--who", "rivera", "--json")
    ).rows[0]
    assert (made["tracing"], made["amount_um"], made["state"]) == (NEW, -40.0, "proposed")
    number = str(made["correction_id"])
    assert f"histology review {number}" in traced_lab("histology", "list", GOOD).err
    assert "in force" in traced_lab("histology", "review", number, "--who", "okafor").out
    assert "applies it" in traced_lab("histology", "list", GOOD).err
    write_tracings(traced_lab, corrections=number)
    assert traced_lab("histology", "list", GOOD).err == ""
    assert "goes without it" in traced_lab("histology", "undo", number, "--because", "no", "--who", "rivera").out
    (row,) = traced_lab("histology", "list", GOOD, "--corrections", "--json").rows
    assert (row["state"], row["reviewed_by"], row["undone_why"]) == ("taken back", "okafor", "no")


def test_a_correction_of_an_older_tracing_is_said_not_to_be_applied(traced_lab: Terminal) -> None:
    write_tracings(traced_lab, current=OLD)
    made = traced_lab("histology", "correct", GOOD, "1", "flip", "--because", "x", "--who", "rivera", "--json").rows[0]
    traced_lab("histology", "review", str(made["correction_id"]), "--own", "--who", "rivera")
    write_tracings(traced_lab, current=NEW, left_out="1")
    assert f"was made for tracing {OLD}" in traced_lab("histology", "list", GOOD).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("correct", GOOD, "3", "flip", "--because", "x"), "Probe 3 of"),
        (("correct", GOOD, "1", "shift", "--because", "x"), "needs a length"),
        (("correct", GOOD, "1", "flip", "--because", " "), "needs a person and a reason"),
        (("review", "9"), "no correction 9"),
        (("undo", "9"), "no correction 9"),
        (("list", "XX1_20200101_000000"), "No histology of XX1_20200101_000000"),
        (("changes", "XX1_20200101_000000"), "No histology of XX1_20200101_000000"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    traced_lab: Terminal, one_sentence: Check, words: tuple[str, ...], said: str
) -> None:
    assert said in one_sentence(traced_lab("histology", *words, code=1).err)


def test_a_shank_that_was_not_traced_or_has_no_line_is_named(traced_lab: Terminal, one_sentence: Check) -> None:
    row = {"session": GOOD, "probe": 1, "tracing": NEW, "shank": 1, "ccf_ap_um": 5000.0, "ccf_ml_um": 4000.0}
    points = [{**row, "shank": shank, "point": 0, "ccf_dv_um": 1000.0, "file": "a"} for shank in (1, 2)]
    points.append({**points[-1], "point": 1, "ccf_dv_um": 2000.0})
    store = traced_lab.services.store
    store.write(TRACED_TRACKS, GOOD, TRACED_TRACKS.from_rows(points))
    store.write(TRACED_POSITIONS, GOOD, TRACED_POSITIONS.empty())
    shift = ("histology", "correct", GOOD, "1", "shift", "--um", "50", "--because", "x", "--who", "rivera")
    assert "Shank 2 of probe 1" in one_sentence(traced_lab(*shift, code=1).err)
    assert "shanks 2, 3 were" in one_sentence(traced_lab(*shift, "--shank", "1", code=1).err)
    assert "probe 1 shank 3" in traced_lab(*shift, "--shank", "3").out
    (logged,) = traced_lab("histology", "list", GOOD, "--corrections", "--json").rows
    assert (logged["shank"], logged["amount_um"]) == (2, 50.0)


def test_an_unknown_kind_of_correction_is_wrong_usage(traced_lab: Terminal) -> None:
    answer = traced_lab("histology", "correct", GOOD, "1", "turn", "--because", "x", code=2)
    assert "turn is none of flip, shift, drop" in answer.err


def test_nobody_reviews_their_own_correction_by_accident(traced_lab: Terminal, one_sentence: Check) -> None:
    traced_lab("histology", "correct", GOOD, "1", "flip", "--because", "x", "--who", "rivera")
    refused = traced_lab("histology", "review", "1", "--who", "rivera", code=1)
    assert "another person" in one_sentence(refused.err)


def test_looking_makes_no_database(new_lab: Terminal, one_sentence: Check) -> None:
    one_sentence(new_lab("histology", "list", GOOD, code=1).err)
    assert new_lab("histology", "list", GOOD, "--corrections", "--json").rows == []
    assert not (new_lab.root / "data").exists()
