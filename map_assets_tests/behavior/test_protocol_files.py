"""A lab's own protocol files hold instead of the package's, and a change of one is noticed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from map_assets.behavior.protocol_file import protocols_mark
from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.errors import BadConfiguration, PiecesDoNotFit


def own(folder: Path, *changes: tuple[str, str]) -> Path:
    """A folder with the lab's own version of the delayed-response file."""
    text = files("map_assets.behavior.protocols").joinpath("delay_response.toml").read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    folder.mkdir(exist_ok=True)
    (folder / "delay_response.toml").write_text(text)
    return folder


def test_light_ports_and_steps_come_from_the_labs_file(rig, tmp_path) -> None:
    folder = own(
        tmp_path / "own",
        ("version = 1", "version = 7"),
        ("power_mw = 5.5 ", "power_mw = 3.25 "),
        ("duration_s = 0.5", "duration_s = 0.8"),
        ('right = "Port2In"', 'right = "Port1In"'),
        ('left = "Port1In"', 'left = "Port2In"'),
        ("first_protocol_type = 3", "first_protocol_type = 6"),
    )
    file = rig.write([rig.trial(stim=4, left=[3.9], right=[]), rig.trial(ProtocolType=7, left=[3.9], right=[])])
    tables = read_behavior(rig.session, file, protocols=folder)
    assert tables["skipped_trials"]["reason"].to_pylist() == ["ProtocolType 5 (DelayEnforce) is not the task"]
    assert tables["licks"]["port"].to_pylist() == ["right"]
    assert tables["behavior_file"]["protocol_file"].to_pylist() == ["delay_response.toml version 7"]
    folder = own(tmp_path / "own", ("power_mw = 5.5 ", "power_mw = 3.25 "), ("delay_s = 1.2", "delay_s = 1.2"))
    trial = read_behavior(rig.session, file, protocols=folder)["trials"].to_pylist()[0]
    assert (trial["photostim_power_mw"], trial["photostim_duration_s"]) == (3.25, 0.5)


def test_short_files_are_set_aside_only_where_the_lab_says_so(rig, tmp_path) -> None:
    file = rig.write([rig.trial(), rig.trial()])
    assert read_behavior(rig.session, file)["trials"].num_rows == 2
    folder = own(tmp_path / "own", ("fewest_trials = 0", "fewest_trials = 3"))
    with pytest.raises(
        PiecesDoNotFit, match="it holds 2 trials; expected at least 3, as fewest_trials of delay_response"
    ):
        read_behavior(rig.session, file, protocols=folder)


def test_a_file_that_the_lab_does_not_have_is_the_packages(rig, tmp_path) -> None:
    (tmp_path / "own").mkdir()
    tables = read_behavior(rig.session, rig.write([rig.trial()]), protocols=tmp_path / "own")
    assert tables["behavior_file"]["protocol_file"].to_pylist() == ["delay_response.toml version 1"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('from = "delay_end"', 'from = "noon"', "from 'noon', neither delay_start nor delay_end"),
        ("delay_decimals = 2\n", "", "wrong kind"),
        ("first_protocol_type = 3", 'first_protocol_type = "three"', "wrong kind"),
        ('name = "left_alm"', 'label = "left_alm"', "wrong kind"),
    ],
)
def test_a_labs_file_with_a_mistake_is_named(rig, tmp_path, old, new, said) -> None:
    folder = own(tmp_path / "own", (old, new))
    with pytest.raises(BadConfiguration, match=f"delay_response.toml.*{said}"):
        read_behavior(rig.session, rig.write([rig.trial()]), protocols=folder)


def test_the_mark_of_all_protocol_files_changes_with_any_of_them(tmp_path) -> None:
    packaged = protocols_mark(None)
    assert protocols_mark(tmp_path) == packaged == protocols_mark(tmp_path / "nowhere")
    folder = own(tmp_path / "own")
    mark = protocols_mark(folder)
    assert mark != packaged
    own(tmp_path / "own", ("power_mw = 5.5 ", "power_mw = 5.6 "))
    assert protocols_mark(folder) != mark
