"""Figure unit_raster_psth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from map_assets.figures.drawing import MAX_PNG_BYTES, Drawing, NotApplicable
from map_assets.figures.unit_raster_psth import _side, draw
from map_assets.vocabulary.errors import TableDoesNotFit

SESSION = "SC022_20190228_151010"


def test_the_good_unit_with_most_spikes_is_drawn(trials_of: Callable, tables_of: Callable) -> None:
    tables = tables_of(trials_of())
    drawing = draw(SESSION, **tables)
    assert isinstance(drawing, Drawing)
    assert len(drawing.png) <= MAX_PNG_BYTES
    for said in (b"probe 2, unit 5", b"most spikes (200) of the session's 2 units", b"lick left", b"n = 20", b"sample"):
        assert said in drawing.svg
    assert drawing == draw(SESSION, **tables)


def test_without_a_good_unit_all_are_asked(trials_of: Callable, tables_of: Callable) -> None:
    drawing = draw(SESSION, **tables_of(trials_of(), quality=["mua", "mua", "unsorted"]))
    assert b"unit 9" in drawing.svg
    assert b"none of which is labelled" in drawing.svg


def test_of_equals_the_lower_unit_is_drawn(trials_of: Callable, tables_of: Callable) -> None:
    drawing = draw(SESSION, **tables_of(trials_of(), n_spikes=[7, 7, 300]))
    assert b"unit 3" in drawing.svg


def test_mean_and_error_are_those_of_the_single_trials(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of()
    tables = tables_of(trials)
    train = tables["spikes"]["samples"][2].values.to_numpy()
    time_s = -0.2 + train / 30000 * (1 + 40e-6)
    row = next(
        row
        for row in tables["psth"].to_pylist()
        if (row["unit_id"], row["condition"]) == (9, "good_noearlylick_left_hit")
    )
    left = trials.filter(pc.field("instruction") == "left")
    side = _side(time_s, left, row)
    edges = np.linspace(-3, 3, 151)
    rates = np.array([np.histogram(time_s - go, edges)[0] / 0.04 for go in left["go_s"].to_pylist()])
    assert side.rate_hz == pytest.approx(rates.mean(axis=0))
    assert side.sem_hz == pytest.approx(rates.std(axis=0, ddof=1) / np.sqrt(20))
    assert len(side.spike_s) == rates.sum() * 0.04
    assert (side.spike_s >= -3).all()
    assert (side.spike_s < 3).all()


def test_one_side_alone_and_a_single_trial_are_drawn(trials_of: Callable, tables_of: Callable) -> None:
    drawing = draw(SESSION, **tables_of(trials_of(30, outcome=["hit", *["miss"] * 29])))
    assert b"lick right" in drawing.svg
    assert b"lick left" not in drawing.svg


@pytest.mark.parametrize(
    "spoiled",
    [{"outcome": ["miss"] * 40}, {"early_lick": [True] * 40}, {"photostim_onset_s": [1.0] * 40}, {"go_s": [None] * 40}],
)
def test_without_a_hit_it_is_not_applicable(trials_of: Callable, tables_of: Callable, spoiled: dict) -> None:
    answer = draw(SESSION, **tables_of(trials_of(40, **spoiled)))
    assert answer == NotApplicable("the session has no hit trial without early lick, given water or photostimulation")


def test_hits_of_a_free_choice_have_no_instructed_side(trials_of: Callable, tables_of: Callable) -> None:
    trials = trials_of(instruction=["none"] * 40, choice=["left", "right"] * 20)
    assert draw(SESSION, **tables_of(trials)) == NotApplicable(
        "no hit trial in which the unit was observed has an instructed side"
    )


def test_without_an_observed_unit_it_is_not_applicable(trials_of: Callable, tables_of: Callable) -> None:
    tables = tables_of(trials_of())
    nothing = tables | {name: tables[name].slice(0, 0) for name in ("units", "spikes", "trial_spikes", "psth")}
    assert draw(SESSION, **nothing) == NotApplicable("no unit was observed in a hit trial")


def test_averages_of_other_trials_are_refused(trials_of: Callable, tables_of: Callable) -> None:
    tables = tables_of(trials_of())
    fewer: pa.Table = tables["trial_spikes"].filter(pc.field("trial") != 2)
    with pytest.raises(TableDoesNotFit, match="averages 20 trials, but trials and trial_spikes hold 19"):
        draw(SESSION, **tables | {"trial_spikes": fewer})
