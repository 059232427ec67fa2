"""The made-up recordings, their bitcode files and clocks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import probeinterface
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.laboratory import WrittenLaboratory
from map_assets.simulate.probes import MODELS
from map_assets.simulate.truth import read_truth
from map_assets.vocabulary.clock import fit_clock_map


def meta_of(ephys: Path, number: int) -> Path:
    (path,) = ephys.rglob(f"*_tcat.imec{number - 1}.ap.meta")
    return path


def values_of(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_a_run_lies_where_catgt_leaves_it(ephys: Path, session: SessionPlan) -> None:
    day = f"{session.named_at:%m%d%y}"
    run = f"{session.animal}_{day}_g0"
    folder = f"{session.animal}/catgt_{run}/{run}_imec0"
    assert meta_of(ephys, 1).relative_to(ephys).as_posix() == f"{folder}/{run}_tcat.imec0.ap.meta"
    assert (ephys / folder / f"{session.animal}_{day}_imec0_bitcode.mat").is_file()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_probeinterface_finds_every_contact_where_it_is(ephys: Path, session: SessionPlan, number: int) -> None:
    found = probeinterface.read_spikeglx(meta_of(ephys, number))
    sites = MODELS[session.probes[number - 1].model].sites()
    assert np.array_equal(found.contact_positions, np.stack([sites.x_um, sites.y_um], axis=1))
    if len(set(sites.shank)) > 1:
        assert np.array_equal(found.shank_ids.astype(int), sites.shank)


def test_four_shanks_are_wired_as_in_a_real_recording(ephys: Path, shared_data: Path) -> None:
    ours = values_of(meta_of(ephys, 3))
    real = values_of(shared_data / "spikeglx/meta/NP2_4_shanks.imec0.ap.meta")
    blocks = np.array(
        [[0, 2, 4, 6, 5, 7, 1, 3], [1, 3, 5, 7, 4, 6, 0, 2], [4, 6, 0, 2, 1, 3, 5, 7], [5, 7, 1, 3, 0, 2, 4, 6]]
    )
    for values in (ours, real):
        entries = [tuple(map(int, entry.split())) for entry in values["~imroTbl"][1:-1].split(")(")[1:]]
        assert len(entries) == 384
        assert all(blocks[shank][electrode // 48] * 48 + electrode % 48 == c for c, shank, _, _, electrode in entries)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_meta_and_bin_agree(ephys: Path, number: int) -> None:
    meta = meta_of(ephys, number)
    values, content = values_of(meta), meta.with_suffix(".bin").read_bytes()
    assert int(values["fileSizeBytes"]) == len(content)
    assert values["fileSHA1"] == hashlib.sha1(content, usedforsecurity=False).hexdigest().upper()
    assert len(content) % (2 * int(values["nSavedChans"])) == 0
    assert len(values["imSampRate"].split(".")[1]) > 6


def test_the_keys_are_those_of_a_catgt_meta(ephys: Path, shared_data: Path) -> None:
    real = values_of(shared_data / "spikeglx/meta/catgt.meta")
    ours = values_of(meta_of(ephys, 1))
    only_there = {"imDatHs_fw", "imSvyMaxBnk", "imSvySecPerBnk", "imroFile", "~muxTbl"}
    assert set(real) - set(ours) <= only_there
    assert set(ours) - set(real) == {"~snsGeomMap"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_probes_trials_lie_on_its_own_clock(laboratory: WrittenLaboratory, session: SessionPlan, number: int) -> None:
    truth = read_truth(laboratory.root, session.key)
    seen = truth.ephys_trials.to_pandas().query("probe == @number")
    trials = truth.trials.to_pandas().set_index("trial").loc[seen.trial]
    clock = truth.clock(number)
    assert clock.drift_ppm == session.probes[number - 1].drift_ppm
    assert np.allclose(clock.session_s(seen.start_samples), trials.bitcode_start_s, atol=1e-9)
    assert np.allclose(clock.session_s(seen.go_samples), trials.go_s, atol=1e-9)
    folder = meta_of(laboratory.root / "ephys", number).parent
    (path,) = folder.glob("*_bitcode.mat")
    found = loadmat(path)
    assert list(found["bitCodeS"]) == list(seen.bitcode)
    assert np.allclose(found["goCue"].ravel() * clock.sample_rate_hz, seen.go_samples, atol=1e-6)
    assert np.allclose(found["sTrig"].ravel() * clock.sample_rate_hz, seen.start_samples, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    offset_s=st.floats(-60, 600),
    drift_ppm=st.floats(-60, 60),
    seed=st.integers(0, 10_000),
    n_trials=st.integers(50, 600),
)
def test_anchors_in_whole_samples_give_a_long_sessions_clock_back_within_10_us(
    offset_s: float, drift_ppm: float, seed: int, n_trials: int
) -> None:
    clock = ProbeClock(offset_s, drift_ppm, 30_000.187234, 10_000_000)
    go_s = np.cumsum(np.random.default_rng(seed).uniform(6, 12, n_trials))
    rounded = np.round(clock.samples(go_s)) / clock.sample_rate_hz
    found = fit_clock_map(rounded, go_s)
    off_s = found.session_s(clock.map.probe_s(go_s)) - go_s
    assert np.sqrt(np.mean(off_s**2)) < 10e-6
    assert np.abs(off_s).max() < 20e-6
