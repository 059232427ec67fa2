"""How the demonstration judges: by what stands, and so that it can find fault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_laboratory import DAMAGED, DONE, GOOD, PLAN, Terminal

from map_assets.cli.demo_outcome import Expected, ended_of, expected_of, is_settled, judged
from map_assets.defs.stages import SESSION_STAGES
from map_assets.simulate.plans import demo_plan

EXPECTED = {one.session: one for one in expected_of(PLAN)}


def test_five_sessions_of_the_demonstration_are_to_be_complete_and_one_put_aside() -> None:
    expected = expected_of(demo_plan())
    complete = [one for one in expected if one.stages]
    assert len(complete) == 5
    assert all({"nwb_file", "archive_receipt"} <= set(one.stages) for one in complete)
    # all but the classes of a classifier, of which the demonstration has no file
    assert max(len(one.stages) for one in complete) == len(SESSION_STAGES) - 1
    (aside,) = [one for one in expected if not one.stages]
    assert "quarantine" in aside.sentence


def test_a_session_without_sorting_is_expected_without_units() -> None:
    (unsorted,) = [one for one in expected_of(demo_plan()) if one.session == "MK012_20240306_162015"]
    assert "probes" in unsorted.stages
    assert {"sortings", "unit_stats", "unit_raster_psth"}.isdisjoint(unsorted.stages)


def test_a_session_of_behavior_alone_is_expected_with_what_rests_on_behavior() -> None:
    stages = set(EXPECTED[GOOD].stages)
    assert stages >= {*DONE, "nwb_file"}
    assert stages.isdisjoint({"tracking", "recordings", "sortings", "probes", "electrodes", "psth"})


def test_what_is_missing_is_named(lab: Terminal) -> None:
    assert "nwb_file is not done" in ended_of(EXPECTED[GOOD], lab.services).wrong
    ended = judged(EXPECTED[GOOD], lab.services)
    assert "it has no nwb_file" in ended.wrong
    assert ended.n_done == len(DONE)


def test_a_damaged_file_in_quarantine_is_as_planned(lab: Terminal) -> None:
    ended = judged(EXPECTED[DAMAGED], lab.services)
    assert ended.wrong == ()
    assert "truncated" in ended.sentence


def test_a_sound_session_that_should_have_been_put_aside_is_not_as_planned(lab: Terminal) -> None:
    wrong = judged(replace(EXPECTED[GOOD], stages=()), lab.services).wrong
    assert any("not in quarantine" in sentence for sentence in wrong)
    assert "it has trials all the same" in wrong


def test_a_damaged_session_that_should_have_been_complete_is_not_as_planned(lab: Terminal) -> None:
    expected = Expected(DAMAGED, EXPECTED[GOOD].stages, "")
    wrong = judged(expected, lab.services).wrong
    assert any("truncated" in sentence for sentence in wrong)


def test_a_receipt_that_does_not_fit_the_manifest_is_found_again(own_lab: Terminal) -> None:
    from map_assets.archive.tables import ARCHIVE_RECEIPT

    store = own_lab.services.store
    (row,) = store.read("archive_receipt", GOOD).to_pylist()
    store.write(ARCHIVE_RECEIPT, GOOD, ARCHIVE_RECEIPT.from_rows([{**row, "sha256": "0" * 64}]))
    wrong = judged(EXPECTED[GOOD], own_lab.services).wrong
    assert any(sentence.startswith("archived_bytes_equal_the_manifest") for sentence in wrong)


def test_a_laboratory_in_which_something_is_due_has_not_come_to_rest(own_lab: Terminal) -> None:
    services = own_lab.services
    assert not is_settled(services, [EXPECTED[GOOD]])  # the ontology was never made


@pytest.mark.parametrize("key", [GOOD, DAMAGED])
def test_a_laboratory_that_was_never_scanned_has_not_come_to_rest(new_lab: Terminal, key: str) -> None:
    assert not is_settled(new_lab.services, [EXPECTED[key]])
