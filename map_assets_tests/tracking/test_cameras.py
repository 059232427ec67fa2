"""The file of cameras: what the rigs have, and what a laboratory may write in its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from map_assets.tracking.cameras import read_cameras
from map_assets.vocabulary.errors import BadConfiguration

ONE = '[[cameras]]\ndevice = "Top cam"\ncamera = "top"\nnames = ["top", "above"]\n'


@pytest.mark.parametrize(
    ("rig", "devices"),
    [
        ("RRig2", ("Camera 0", "Camera 1", "Camera 2")),
        ("RRig-MTL", ("Camera 3", "Camera 4", "Camera 5")),
        (None, (None,) * 3),
    ],
)
def test_the_rigs_have_six_cameras_in_three_positions(rig, devices) -> None:
    cameras = read_cameras()
    found = [cameras.camera(name, rig) for name in ("side", "bottom", "body")]
    assert tuple(camera.device for camera in found) == devices
    assert [camera.rate_hz for camera in found] == pytest.approx([1 / 0.0034, 1 / 0.0034, 100.0])
    assert {camera.first_video for camera in found} == {{"RRig-MTL": 0, None: None}.get(rig, 1)}


@pytest.mark.parametrize(
    ("rig", "position", "limits"),
    [
        ("RRig2", "side", {"nose": 20.0, "jaw": 20.0}),
        ("RRig2", "bottom", {}),
        ("RRig-MTL", "side", {"jaw": 20.0}),
        ("RRig-MTL", "bottom", {"jaw": 20.0}),
        ("RRig1", "side", {}),
        (None, "side", {}),
    ],
)
def test_jumps_are_limited_where_the_file_says_so_and_nowhere_else(rig, position, limits) -> None:
    assert dict(read_cameras().camera(position, rig).limits_px) == limits


@pytest.mark.parametrize(
    ("name", "position"), [("Camera 3", "side"), ("camera5", "body"), ("BOTTOM", "bottom"), ("Camera 9", None)]
)
def test_a_camera_is_known_by_position_or_device(name, position) -> None:
    assert read_cameras().position_of_device(name) == position


def test_a_laboratory_names_its_own(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(
        f'version = 7\ncounts = "filtered"\n{ONE}first_video = 0\n[[jump_limits]]\ncamera = "top"\nfeature = "ear"\npx = 5\n'
    )
    cameras = read_cameras(path)
    assert (cameras.version, cameras.counts, cameras.names_pattern) == (7, "filtered", "above|top")
    top = cameras.camera("top", "any rig")
    assert (top.device, top.rate_hz, top.first_video, dict(top.limits_px)) == ("Top cam", None, 0, {"ear": 5.0})
    assert cameras.camera("top").first_video == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = ", "expected TOML as in"),
        (ONE, "version is no whole number"),
        ("version = 1\n", "it names no camera"),
        (f"version = 1\nrates = 3\n{ONE}", "rates is not known"),
        (f'version = 1\ncounts = "both"\n{ONE}', "counts is 'both'"),
        (f"version = 1\n{ONE}rate = 3\n", "'Top cam': rate is not known"),
        (f"version = 1\n{ONE}rate_hz = 0\n", "'Top cam': rate_hz is 0 and must be above zero"),
        (f"version = 1\n{ONE}rate_hz = nan\n", "'Top cam': rate_hz is nan"),
        (f'version = 1\n{ONE}rigs = "RRig2"\n', "rigs are no list of texts"),
        (f'version = 1\n{ONE}first_video = "0"\n', "first_video is no whole number"),
        ('version = 1\n[[cameras]]\ndevice = "a"\ncamera = "top"\nnames = []\n', "names are not a list of texts"),
        ('version = 1\n[[cameras]]\ncamera = "top"\nnames = ["top"]\n', "device is missing"),
        (f'version = 1\n{ONE}{ONE.replace(chr(34) + "top" + chr(34) + chr(10), chr(34) + "low" + chr(34) + chr(10))}', "above, top means two cameras"),
        (f'version = 1\n{ONE}[[jump_limits]]\ncamera = "side"\nfeature = "a"\npx = 5\n', "there is no camera side"),
        (f'version = 1\n{ONE}[[jump_limits]]\ncamera = "top"\nfeature = "a"\npx = -5\n', "px is -5"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text(text)
    with pytest.raises(BadConfiguration) as error:
        read_cameras(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"cameras\.toml cannot be read"):
        read_cameras(tmp_path / "cameras.toml")
