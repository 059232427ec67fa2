"""Figure behavior_performance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.tables import PHOTOSTIM_SITES
from map_assets.figures.behavior_performance import _sides, draw, running_share, wilson_interval
from map_assets.figures.drawing import MAX_PNG_BYTES, Drawing, NotApplicable

SESSION = "SC022_20190228_151010"
Trials = Callable[..., pa.Table]


def _sites() -> pa.Table:
    row = {"device": "laser", "wavelength_nm": 473.0, "ap_um": 2500.0, "ml_um": 1500.0, "dv_um": 0.0, "theta_deg": 0.0}
    row |= {"session": SESSION, "phi_deg": 0.0, "brain_area": "ALM", "skull_reference": "Bregma", "source": "a"}
    return PHOTOSTIM_SITES.from_rows(
        row | {"photostim_site": f"{side}_alm", "hemisphere": side} for side in ("left", "both")
    )


@pytest.mark.parametrize("window", [1, 2, 5, 9, 40])
def test_the_running_share_is_cut_at_the_ends_and_not_padded(window: int) -> None:
    is_hit = np.random.default_rng(0).random(40) < 0.7
    expected = []
    for at in range(40):
        begin = at - window // 2
        expected.append(np.mean(is_hit[max(begin, 0) : min(begin + window, 40)]))
    assert running_share(is_hit, window) == pytest.approx(expected)
    assert running_share(np.ones(40, bool), window).tolist() == [1.0] * 40


def test_the_interval_is_wilsons() -> None:
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    low, high = wilson_interval(0, 20)
    assert (low, high) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert wilson_interval(20, 20)[1] == 1.0


def test_a_session_without_photostimulation_gets_its_picture(trials_of: Trials) -> None:
    drawing = draw(SESSION, trials_of(), None)
    assert isinstance(drawing, Drawing)
    assert drawing.png.startswith(b"\x89PNG")
    assert len(drawing.png) <= MAX_PNG_BYTES
    assert b"no photostimulation" in drawing.svg
    assert b"Wilson" not in drawing.svg
    assert drawing == draw(SESSION, trials_of(), None)


def test_misses_ignored_trials_early_licks_and_given_water_are_counted_in_sight(trials_of: Trials) -> None:
    trials = trials_of(
        6,
        outcome=["hit", "hit", "miss", "ignore", "ignore", "hit"],
        early_lick=[False, True, True, False, False, False],
        is_auto_water=[True, False, False, False, False, False],
        is_free_water=[False, False, False, False, False, True],
    )
    drawing = draw(SESSION, trials)
    for said in (b"hit (3)", b"miss (1)", b"ignore (2)", b"early lick (2)", b"water given (2)", b"6 trials, 50 % hits"):
        assert said in drawing.svg
    assert b"early lick (" not in draw(SESSION, trials_of(6)).svg


def test_each_photostimulated_site_gets_a_panel_of_usual_trials(trials_of: Trials) -> None:
    site = [None, "left_alm", "both_alm", None, "other", None] * 10
    lit = [0.5 if name else None for name in site]
    lit[0] = 0.5
    early = [False] * 60
    early[1] = True
    trials = trials_of(60, photostim_site=site, photostim_onset_s=lit, early_lick=early)
    svg = draw(SESSION, trials, _sites()).svg
    assert b"31 with photostimulation" in svg
    for said in (b"left ALM (n = 9)", b"both ALM (n = 10)", b"other (n = 10)", b"site unknown (n = 1)"):
        assert said in svg


def test_sites_that_nobody_described_go_by_their_own_names(trials_of: Trials) -> None:
    trials = trials_of(10, photostim_site=["left_alm"] * 10, photostim_onset_s=[0.5] * 10)
    assert b"left_alm (n = 10)" in draw(SESSION, trials, None).svg


def test_no_trials_are_not_applicable(trials_of: Trials) -> None:
    assert draw(SESSION, trials_of().slice(0, 0)) == NotApplicable("the session has no trials")
    assert isinstance(draw(SESSION, trials_of(1)), Drawing)


def test_a_task_without_outcomes_has_no_performance(trials_of: Trials) -> None:
    trials = trials_of(4, outcome=["N/A"] * 4, instruction=["none"] * 4, early_lick=[None] * 4)
    assert draw(SESSION, trials) == NotApplicable("no trial of the session has an outcome: hit, miss or ignore")


def test_free_choices_are_coloured_by_the_side_that_was_chosen(trials_of: Trials) -> None:
    choice = ["left", "right", "middle", None, "left", "right"]
    outcome = ["hit", "hit", "miss", "ignore", "miss", "hit"]
    trials = trials_of(6, instruction=["none"] * 6, choice=choice, outcome=outcome, early_lick=[None] * 6)
    assert _sides(trials).tolist() == ["left", "right", "middle", "none", "left", "right"]
    drawing = draw(SESSION, trials)
    for said in (b"chose left", b"chose right", b"chose middle", b"no choice", b"ignore (1)"):
        assert said in drawing.svg
    assert b"instructed" not in drawing.svg
    assert b"early lick (" not in drawing.svg


def test_where_it_is_unknown_whether_the_animal_licked_early_a_trial_is_not_usual(trials_of: Trials) -> None:
    lit = {"photostim_onset_s": [None, 1.0] * 20, "photostim_site": [None, "left_alm"] * 20}
    known = draw(SESSION, trials_of(**lit))
    unknown = draw(SESSION, trials_of(**lit, early_lick=[None] * 40))
    assert b"left_alm (n = 20)" in known.svg
    assert b"left_alm (n = 0)" in unknown.svg
