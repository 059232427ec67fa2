"""Matching trials of made-up streams that lost and gained trials: the numbering is right, or the error says that it is open."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys.trial_match import TrialMatch, match_trials
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.errors import ClockDoesNotFit, TrialsAreAmbiguous


def pairs(match: TrialMatch) -> list[tuple[int, int]]:
    return list(zip(match.trials, match.ephys_trials, strict=True))


@dataclass(frozen=True)
class Heard:
    """An ephys stream: for each of its trials the true trial's row (None for one that never was), code and start."""

    row: list[int | None]
    code: list[str]
    start_s: list[float]


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str], list[int], list[float], Heard, bool]:
    """Codes of all trials, rows that the behaviour file has, their starts, what ephys heard, and whether starts are known.

    Trials lost on either side, trials gained (half of them with codes of the session) and a late start, each up to 30 %.
    Trials take 4 to 12 s each; a gained one falls anywhere between its neighbours, but 0.2 s from any true start.
    """
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width = draw(st.sampled_from([1, 2, 3, 5, 20, 400, 65536]))
    codes = [f"{code:016b}" for code in rng.integers(0, width, n)]
    for row in draw(st.lists(st.integers(1, n), max_size=3)):
        codes[row % n] = codes[row - 1]
    start_s = np.cumsum(rng.uniform(4, 12, n))
    most = int(0.3 * n)
    late, n_lost, n_gained = (draw(st.integers(0, most)) for _ in range(3))
    behavior = list(range(n))
    if draw(st.booleans()):
        behavior = sorted(set(behavior) - {int(row) for row in rng.choice(n, most, replace=False)})
    lost = {int(row) for row in rng.choice(n, n_lost, replace=False)}
    heard: list[tuple[float, int | None, str]] = [
        (float(start_s[row]), row, codes[row]) for row in range(late, n) if row not in lost
    ]
    for _ in range(n_gained):
        at_s = float(rng.uniform(start_s[0] - 5, start_s[-1] + 5))
        at_s += 0.4 if np.min(np.abs(start_s - at_s)) < 0.2 else 0.0
        code = codes[rng.integers(n)] if rng.random() < 0.5 else f"{rng.integers(width):016b}"
        heard.append((at_s, None, code))
    heard.sort(key=lambda one: one[0])
    clock = ClockMap(float(rng.uniform(-200, 200)), float(rng.uniform(-300, 300)))
    probe_s = clock.probe_s([one[0] for one in heard]) + rng.uniform(-2e-3, 2e-3, len(heard))
    stream = Heard([one[1] for one in heard], [one[2] for one in heard], probe_s.tolist())
    return codes, behavior, start_s[behavior].tolist(), stream, draw(st.booleans())


@settings(max_examples=200, deadline=None)
@given(streams())
def test_the_numbering_is_right_or_the_error_says_that_it_is_open(
    drawn: tuple[list[str], list[int], list[float], Heard, bool],
) -> None:
    """A trial that the behaviour file lacks may be numbered only without starts, and only in the place of a lost one.

    Nobody can tell such a trial from the lost one by codes alone: it has its code and stands between its neighbours.
    """
    codes, behavior, start_s, heard, has_starts = drawn
    starts: dict[str, Any] = {"start_s": start_s, "ephys_start_probe_s": heard.start_s} if has_starts else {}
    try:
        match = match_trials([row + 1 for row in behavior], [codes[row] for row in behavior], heard.code, **starts)
    except ClockDoesNotFit as error:
        assert isinstance(error, TrialsAreAmbiguous) or "none of" in str(error)
        return
    known = [row if row in behavior else None for row in heard.row]
    for trial, ephys_trial in pairs(match):
        row = known[ephys_trial - 1]
        if row is not None:
            assert trial == row + 1
            continue
        assert not has_starts or len(match.trials) == 1
        assert all(other < trial - 1 for other in known[: ephys_trial - 1] if other is not None)
        assert all(other > trial - 1 for other in known[ephys_trial:] if other is not None)
    assert {row + 1 for row in known if row is not None} <= {*match.trials}


@pytest.mark.parametrize("starts_are_known", [False, True])
@pytest.mark.parametrize("n_codes", [1, 16, 65536])
def test_two_thousand_trials_do_not_take_long(n_codes: int, starts_are_known: bool) -> None:
    rng = np.random.default_rng(0)
    codes = [f"{code:016b}" for code in rng.integers(0, n_codes, 2000)]
    start_s = np.cumsum(rng.uniform(4, 12, 2000))
    starts: dict[str, Any] = {"start_s": start_s, "ephys_start_probe_s": start_s * (1 + 5e-5) - 40.0}
    begun = time.perf_counter()
    try:
        match = match_trials(range(1, 2001), codes, codes, **(starts if starts_are_known else {}))
        assert pairs(match) == [(n, n) for n in range(1, 2001)]
    except TrialsAreAmbiguous:
        assert not starts_are_known
    assert time.perf_counter() - begun < 5
