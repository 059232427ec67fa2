"""NWB files in another form than the store's, by choice: published names, recordings and images inside; gated all the same."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_laboratory import Terminal

from map_assets.config import load_config
from map_assets.defs.services import Services
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform
from map_assets.nwb.readback import times_of
from map_assets.shares.refresh import refresh
from map_assets.shares.scan import scan_all
from map_assets.simulate.filming import Filming
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import AnimalPlan, LabPlan, ProbePlan, SessionPlan

PROBE = ProbePlan("left ALM", n_units=3, n_sorted_channels=16, rate_scale=0.3)
PLAN = SessionPlan(
    *("MK041", 990041, datetime(2024, 3, 5, 10, 25, 8), 6, (PROBE,)),
    anchors="seconds",
    raw_s=0.2,
    n_tracked_trials=1,
    filming=Filming(videos="avi"),
)
KEY = PLAN.key
STAGES = ("behavior", "sessions", "tracking", "videos", "recordings", "clock_maps", "sortings", "probes")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A laboratory with one session that has a recording and videos."""
    root = tmp_path_factory.mktemp("forms") / "lab"
    written = write_laboratory(root, LabPlan((AnimalPlan("MK041", 990041),), (PLAN,), voxel_um=200.0))
    services = Services(load_config(written.config))
    for sheet in (written.people, written.animals, written.insertions):
        services.registry.import_sheet(sheet, who="test")
    scan_all(services.shares, services.ledger)
    refresh(services.ledger)
    for name in STAGES:
        perform(BY_NAME[name], KEY, services)
        refresh(services.ledger)
    services.ledger.close()
    services.registry.close()
    return Terminal(root)


def test_the_published_names_are_written_by_choice_and_are_there_already_the_second_time(
    filmed: Terminal, tmp_path: Path
) -> None:
    asked = ("export", "nwb", KEY, "--profile", "dandi-000363", "--to", str(tmp_path), "--json")
    (row,) = filmed(*asked).rows
    assert Path(row["file"]).name == f"{KEY}_dandi-000363.nwb"
    with h5py.File(row["file"]) as file:
        assert "photostim_onset" in file["intervals/trials"]
        assert {"unit_posx", "is_good_trials"} <= set(file["units"])
        assert "BehavioralEvents" in file["acquisition"]
    assert filmed(*asked).rows[0]["state"] == "already there"
    with h5py.File(row["file"], "r+") as file:
        file["identifier"][()] = "other"
    assert "holds something else" in filmed(*asked, code=1).err
    assert filmed(*asked, "--overwrite").rows[0]["state"] == "replaced"


def test_both_bands_and_every_image_are_embedded_by_choice(filmed: Terminal, tmp_path: Path) -> None:
    (row,) = filmed("export", "nwb", KEY, "--embed-raw", "--embed-video", "--to", str(tmp_path), "--json").rows
    assert Path(row["file"]).name == f"{KEY}_raw_video.nwb"
    store = filmed.services.store
    (recording,) = store.read("recordings", KEY).to_pylist()
    roots = [share.path for share in filmed.services.config.shares.values()]
    (ap,) = (root / recording["bin_file"] for root in roots if (root / recording["bin_file"]).is_file())
    lf = ap.with_name(ap.name.replace(".ap.bin", ".lf.bin"))
    videos = store.read("videos", KEY).to_pylist()
    with h5py.File(row["file"]) as file:
        bands = (("acquisition/ap_probe1", ap), ("processing/ecephys/LFP/lf_probe1", lf))
        for place, source in bands:
            samples = np.fromfile(source, np.int16).reshape(-1, recording["n_saved_channels"])
            series = file[place]
            np.testing.assert_array_equal(series["data"][:], samples[:, :-1])
        ratio = file[bands[0][0]]["starting_time"].attrs["rate"] / file[bands[1][0]]["starting_time"].attrs["rate"]
        assert ratio == pytest.approx(recording["sample_rate_hz"] / recording["lf_sample_rate_hz"])
        for camera in {one["camera"] for one in videos}:
            series = file[f"acquisition/video_{camera}"]
            of_camera = [one for one in videos if one["camera"] == camera]
            size = (of_camera[0]["height_px"], of_camera[0]["width_px"])
            assert series["data"].shape[:3] == (sum(one["n_frames"] for one in of_camera), *size)
            times_s = times_of(series)
            assert len(times_s) == len(series["data"])
            starts = store.read("trials", KEY).to_pylist()
            assert times_s[0] == min(
                one["start_s"] for one in starts if one["trial"] in {v["trial"] for v in of_camera}
            )
            assert series["data"][:].std() > 0
            assert "external_file" not in series
        assert "not embedded" not in file["general/notes"].asstr()[()]


def test_what_cannot_be_embedded_is_said(filmed: Terminal, tmp_path: Path) -> None:
    store = filmed.services.store
    video = store.read("videos", KEY).to_pylist()[0]
    place = filmed.services.config.shares[video["share"]].path / video["file"]
    recording = store.read("recordings", KEY).to_pylist()[0]["bin_file"]
    ap = next(file for share in filmed.services.config.shares.values() if (file := share.path / recording).is_file())
    whole, moved = ap.read_bytes(), place.rename(place.with_suffix(".away"))
    ap.write_bytes(whole[:-770])
    try:
        answer = filmed("export", "nwb", KEY, "--embed-raw", "--embed-video", "--to", str(tmp_path), "--json")
    finally:
        ap.write_bytes(whole)
        moved.rename(place)
    assert "The recording of probe 1 is not embedded: its .bin has another size" in answer.err
    assert f"1 of {store.read('videos', KEY).num_rows} videos are in the table videos only" in answer.err
    with h5py.File(answer.rows[0]["file"]) as file:
        assert "ap_probe1" not in file["acquisition"]


def test_a_video_with_fewer_images_than_its_container_says_stops_the_file(filmed: Terminal, tmp_path: Path) -> None:
    video = filmed.services.store.read("videos", KEY).to_pylist()[0]
    place = filmed.services.config.shares[video["share"]].path / video["file"]
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    try:
        answer = filmed("export", "nwb", KEY, "--embed-video", "--to", str(tmp_path), code=1)
    finally:
        place.write_bytes(whole)
    assert place.name in answer.err
    assert list(tmp_path.iterdir()) == []
