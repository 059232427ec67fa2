"""Trial conditions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from map_assets.analyses.conditions import DELAY_RESPONSE, Condition, read_conditions
from map_assets.vocabulary.errors import BadConfiguration

Trials = Callable[..., pa.Table]


def test_each_condition_chooses_its_own_trials(trials_of: Trials) -> None:
    trials = trials_of(
        range(8),
        outcome=["hit", "hit", "miss", "miss", "ignore", "hit", "hit", "hit"],
        instruction=["left", "right", "left", "right", "left", "left", "left", "left"],
        early_lick=[False] * 5 + [True, False, False],
        is_auto_water=[False] * 6 + [True, False],
        is_free_water=[False] * 7 + [True],
    )
    chosen = {one.name: (one.holds(trials).nonzero()[0] + 1).tolist() for one in DELAY_RESPONSE if one.stim == "none"}
    assert chosen == {
        "good_noearlylick_hit": [1, 2],
        "good_noearlylick_left_hit": [1],
        "good_noearlylick_right_hit": [2],
        "good_noearlylick_left_miss": [3],
        "good_noearlylick_right_miss": [4],
        "all_noearlylick_nostim": [1, 2, 3, 4],
        "all_noearlylick_nostim_left": [1, 3],
        "all_noearlylick_nostim_right": [2, 4],
    }


def test_stimulation_is_read_from_the_trial_itself(trials_of: Trials) -> None:
    trials = trials_of(
        range(4),
        photostim_onset_s=[None, 0.5, 0.5, 0.5],
        photostim_site=[None, "left_alm", "both_alm", None],
    )

    def chosen(stim: str | None) -> list[bool]:
        return Condition("a", stim=stim).holds(trials).tolist()

    assert chosen("none") == [True, False, False, False]
    assert chosen("any") == [False, True, True, True]
    assert chosen("left_alm") == [False, True, False, False]
    assert chosen(None) == [True, True, True, True]


def test_stimulation_of_an_area_takes_every_site_of_that_area_and_side(trials_of: Trials) -> None:
    trials = trials_of(
        range(5),
        photostim_onset_s=[None, 0.5, 0.5, 0.5, 0.5],
        photostim_site=[None, "left_alm", "left alm, low", "both_alm", "left_s1"],
    )
    sites = pa.table(
        {
            "photostim_site": ["left_alm", "left alm, low", "both_alm", "left_s1"],
            "brain_area": ["ALM", "ALM", "ALM", "S1"],
            "hemisphere": ["left", "left", "both", "left"],
        }
    )
    by_name = {one.name: one for one in DELAY_RESPONSE}
    left, both = (by_name[f"all_noearlylick_{side}_alm_stim"] for side in ("left", "both"))
    assert left.holds(trials, sites).tolist() == [False, True, True, False, False]
    assert both.holds(trials, sites).tolist() == [False, False, False, True, False]
    assert not left.holds(trials).any()


def test_the_packages_conditions_are_those_of_the_earlier_pipeline() -> None:
    assert {task: len(conditions) for task, conditions in read_conditions().items()} == {
        "delay_response": 17,
        "foraging": 14,
        "multi_target_licking": 1,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[delay_response]\na = {}", "names no version"),
        ('version = "1"\n[delay_response]\na = { outcome = ["hit"] }', "outcome: Extra inputs"),
        ('version = "1"\n[delay_response]\na = { instruction = "up" }', "instruction: Input should be"),
        ('version = "1"\ndelay_response = 3', "is no task with conditions"),
    ],
)
def test_a_laboratorys_own_file_says_what_is_wrong_with_it(tmp_path: Path, text: str, said: str) -> None:
    own = tmp_path / "conditions.toml"
    own.write_text(text)
    with pytest.raises(BadConfiguration, match=said):
        read_conditions(own)


def test_a_condition_that_asks_for_early_licks_finds_them(trials_of: Trials) -> None:
    trials = trials_of(range(2), early_lick=[True, False])
    assert Condition("a", early_lick=True).holds(trials).tolist() == [True, False]
    assert Condition("a", early_lick=None).holds(trials).tolist() == [True, True]


def test_no_trials_give_no_choice(trials_of: Trials) -> None:
    assert Condition("a", ("hit",), "left", stim="any").holds(trials_of(range(2)).slice(0, 0)).tolist() == []
