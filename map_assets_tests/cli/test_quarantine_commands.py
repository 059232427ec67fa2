"""Files that were put aside can be looked at and let in again."""

from __future__ import annotations

import getpass
from collections.abc import Callable

import pytest
from small_laboratory import DAMAGED, Terminal

NAME = "MK041_tw2_20240306_110000.mat"
PATH = f"MK041/tw2/Session Data/{NAME}"
Check = Callable[[str], str]


def test_the_list_names_each_file_with_its_reason(lab: Terminal) -> None:
    (row,) = lab("quarantine", "list", "--json").rows
    assert (row["share"], row["file"], row["session"]) == ("rig1", PATH, DAMAGED)
    assert "truncated" in row["reason"]
    assert NAME in lab("quarantine", "list").out


def test_the_list_of_a_laboratory_that_nobody_has_looked_at_is_empty(new_lab: Terminal) -> None:
    assert new_lab("quarantine", "list", "--json").rows == []


@pytest.mark.parametrize("named", [NAME, PATH, f"rig1:{PATH}", "{root}/rig1/" + PATH])
def test_a_file_can_be_named_in_four_ways(lab: Terminal, named: str) -> None:
    (facts,) = lab("quarantine", "show", named.format(root=lab.root), "--json").rows
    assert (facts["relpath"], facts["state"], facts["session"]) == (PATH, "quarantined", DAMAGED)


def test_retry_lets_the_file_be_read_once_more_and_show_tells_of_it(own_lab: Terminal) -> None:
    own_lab("quarantine", "retry", NAME)
    (facts,) = own_lab("quarantine", "show", NAME, "--json").rows
    assert facts["state"] == "waiting"
    change = facts["changes"][-1]
    assert (change["what"], change["state"]) == ("retried", "quarantined")
    assert "retried" in own_lab("quarantine", "show", NAME).out
    assert own_lab("quarantine", "list", "--json").rows == []
    assert own_lab.services.ledger.stage_records(DAMAGED) == {}


def test_release_keeps_who_and_why(own_lab: Terminal) -> None:
    own_lab("quarantine", "release", f"rig1:{PATH}", "--why", "the rig has no other", "--who", "Rivera, Ana")
    (facts,) = own_lab("quarantine", "show", NAME, "--json").rows
    assert (facts["state"], facts["released_by"], facts["released_why"]) == (
        "waiting",
        "Rivera, Ana",
        "the rig has no other",
    )


def test_who_releases_is_the_user_of_the_machine_unless_said(own_lab: Terminal) -> None:
    own_lab("quarantine", "release", NAME, "--why", "it will do")
    (facts,) = own_lab("quarantine", "show", NAME, "--json").rows
    assert facts["released_by"] == getpass.getuser()


def test_a_release_without_a_reason_is_refused(own_lab: Terminal, one_sentence: Check) -> None:
    assert "reason" in one_sentence(own_lab("quarantine", "release", NAME, "--why", "  ", code=1).err)
    own_lab("quarantine", "release", NAME, code=2)
    assert len(own_lab("quarantine", "list", "--json").rows) == 1


def test_a_file_that_is_not_there(lab: Terminal, new_lab: Terminal, one_sentence: Check) -> None:
    assert "no.mat" in one_sentence(lab("quarantine", "retry", "no.mat", code=1).err)
    one_sentence(new_lab("quarantine", "show", "no.mat", code=1).err)


def test_a_file_that_is_not_in_quarantine_is_not_retried(lab: Terminal, one_sentence: Check) -> None:
    said = one_sentence(lab("quarantine", "retry", "MK041_tw2_20240305_102508.mat", code=1).err)
    assert "in quarantine" in said


def test_nothing_is_retried_if_one_name_is_wrong(own_lab: Terminal) -> None:
    own_lab("quarantine", "retry", NAME, "no.mat", code=1)
    assert len(own_lab("quarantine", "list", "--json").rows) == 1


def test_a_name_that_two_files_have_is_not_guessed(own_lab: Terminal, one_sentence: Check) -> None:
    from map_assets.shares.scan import scan_all

    other = own_lab.root / "rig1" / "backup" / NAME
    other.parent.mkdir()
    other.write_bytes((own_lab.root / "rig1" / PATH).read_bytes() + b"more")
    services = own_lab.services
    scan_all(services.shares, services.ledger)
    said = one_sentence(own_lab("quarantine", "show", NAME, code=1).err)
    assert f"rig1:{PATH}" in said
    assert f"rig1:backup/{NAME}" in said
