"""What is printed can be read: by people as a table, by programs as JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.cli import terminal

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.integers(-(2**62), 2**62).map(np.int64)
    | st.floats(width=32).map(np.float32)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_whatever_a_cell_holds_becomes_valid_json(value: Any) -> None:
    json.loads(json.dumps(terminal.plain(value), allow_nan=False))


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_whatever_a_cell_holds_can_be_written_in_words(value: Any) -> None:
    assert isinstance(terminal.in_words(value), str)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (True, "yes"),
        (0.1 + 0.2, "0.3"),
        (float("nan"), ""),
        (datetime(2024, 3, 5, 10, 25, 8, 123, tzinfo=UTC), "2024-03-05 10:25:08+00:00"),
        (date(2024, 3, 5), "2024-03-05"),
        (Path("a/b"), "a/b"),
        (np.array([1, 2]), "1, 2"),
        (list(range(82)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 ... (82 values)"),
    ],
)
def test_a_cell_in_words(value: Any, words: str) -> None:
    assert terminal.in_words(value) == words


def test_a_table_that_is_piped_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "reason " * 60
    terminal.show([{"file": "a", "reason": long.strip()}], as_json=False)
    assert long.strip() in capsys.readouterr().out


def test_text_in_square_brackets_is_shown_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show([{"text": "[bold]set [ccf] annotation[/bold]"}], as_json=False)
    assert "[bold]set [ccf] annotation[/bold]" in capsys.readouterr().out


def test_no_rows_are_an_empty_list_in_json_and_a_sentence_beside_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show([], as_json=True, empty="Nothing.")
    assert json.loads(capsys.readouterr().out) == []
    terminal.show([], as_json=False, empty="Nothing.")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Nothing.\n")


def test_progress_says_nothing_where_it_is_quick_and_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("reading") as bar:
        bar.at(1, 2, "reading")
    assert capsys.readouterr() == ("", "")


def test_progress_that_takes_long_is_told_in_lines_where_nobody_watches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_QUIET_S", 0.0)
    with terminal.progress("reading") as bar:
        bar.at(1, 2, "reading a")
        bar.at(2, 2, "reading b")
    assert capsys.readouterr() == ("", "reading a (1 of 2)\n")
