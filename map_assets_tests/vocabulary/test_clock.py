"""Clocks are crossed once, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from map_assets.vocabulary.clock import ClockMap, fit_clock_map
from map_assets.vocabulary.errors import ClockDoesNotFit


@given(offset=st.floats(-1e4, 1e4), drift=st.floats(-200, 200), start=st.floats(0, 1e3))
def test_anchors_on_a_line_give_the_line_back_within_a_microsecond(offset: float, drift: float, start: float) -> None:
    truth = ClockMap(offset, drift)
    probe = start + np.linspace(0.0, 5400.0, 550)
    found = fit_clock_map(probe, truth.session_s(probe))
    assert np.abs(found.session_s(probe) - truth.session_s(probe)).max() < 1e-6
    assert found.drift_ppm == pytest.approx(drift, abs=1e-3)


@given(offset=st.floats(-1e4, 1e4), drift=st.floats(-500, 500), session=st.floats(-1e4, 1e4))
def test_there_and_back_is_the_same_instant(offset: float, drift: float, session: float) -> None:
    clock = ClockMap(offset, drift)
    assert float(clock.session_s(clock.probe_s(session))) == pytest.approx(session, abs=1e-9 * max(1.0, abs(session)))


def test_one_anchor_gives_an_offset_without_drift() -> None:
    assert fit_clock_map([10.0], [3.0]) == ClockMap(-7.0, 0.0)


@pytest.mark.parametrize(
    "anchors", [([], []), ([1.0, 1.0], [2.0, 3.0]), ([1.0, np.nan], [2.0, 3.0]), ([1.0], [1.0, 2.0])]
)
def test_anchors_that_tell_nothing_are_refused(anchors: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ClockDoesNotFit):
        fit_clock_map(*anchors)
