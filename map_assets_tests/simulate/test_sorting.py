"""The made-up sorting, its metrics, and the neurons behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from map_assets.simulate.atlas import make_volume
from map_assets.simulate.blueprint import Part, SessionPlan
from map_assets.simulate.kilosort import N_WAVEFORM_SAMPLES
from map_assets.simulate.laboratory import WrittenLaboratory, make_probe, write_session
from map_assets.simulate.neurons import EPOCHS, REFRACTORY_S, SIDES, make_segments
from map_assets.simulate.probes import MODELS
from map_assets.simulate.task import make_trials
from map_assets.simulate.truth import Truth, read_truth


@pytest.fixture(scope="module")
def truth(laboratory: WrittenLaboratory, session: SessionPlan) -> Truth:
    return read_truth(laboratory.root, session.key)


def folder_of(ephys: Path, number: int) -> Path:
    (path,) = ephys.rglob(f"imec{number - 1}_ks25")
    return path


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_sorting_holds_every_spike_of_the_truth_in_time_order(ephys: Path, truth: Truth, number: int) -> None:
    folder = folder_of(ephys, number)
    times = np.load(folder / "spike_times.npy").ravel()
    clusters = np.load(folder / "spike_clusters.npy").ravel()
    assert times.dtype == np.uint64
    assert np.all(np.diff(times.astype(np.int64)) >= 0)
    units = truth.units.to_pandas().query("probe == @number")
    assert set(clusters) == set(units.unit_id)
    for unit_id, n_spikes in zip(units.unit_id, units.n_spikes, strict=True):
        samples = truth.spike_samples(number, unit_id)
        assert np.array_equal(times[clusters == unit_id], samples)
        assert len(samples) == n_spikes


def test_arrays_have_the_types_and_axes_of_a_real_phy_folder(ephys: Path, shared_data: Path) -> None:
    raw = folder_of(ephys, 3)
    for name in ("spike_times", "spike_clusters", "spike_templates", "amplitudes", "templates", "channel_map"):
        real, ours = np.load(shared_data / f"sorting/phy_ks25_32ch/{name}.npy"), np.load(raw / f"{name}.npy")
        assert (ours.dtype, ours.ndim) == (real.dtype, real.ndim), name
    header = (shared_data / "sorting/ks25_np2_metrics_D1/metrics.csv").read_text().splitlines()[0]
    assert (raw / "metrics.csv").read_text().splitlines()[0] == header
    for name in ("cluster_group.tsv", "cluster_KSLabel.tsv"):
        real_head = (shared_data / f"sorting/phy_ks25_32ch/{name}").read_text().splitlines()[0]
        assert (raw / name).read_text().splitlines()[0] == real_head


def test_curation_leaves_sparse_ids_and_merged_clusters_that_only_a_person_labels(ephys: Path, truth: Truth) -> None:
    folder = folder_of(ephys, 1)
    units = truth.units.to_pandas().query("probe == 1").set_index("unit_id")
    person = pd.read_csv(folder / "cluster_group.tsv", sep="\t", index_col="cluster_id")
    sorter = pd.read_csv(folder / "cluster_KSLabel.tsv", sep="\t", index_col="cluster_id")
    assert list(units.index) != list(range(len(units)))
    assert person.group.to_dict() == units.label.to_dict()
    merged = set(units.index) - set(sorter.index)
    assert merged
    clusters = np.load(folder / "spike_clusters.npy").ravel()
    templates = np.load(folder / "spike_templates.npy").ravel()
    assert all(len(set(templates[clusters == one])) == (2 if one in merged else 1) for one in units.index)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_amplitudes_and_templates_tell_the_same_unit(
    ephys: Path, truth: Truth, session: SessionPlan, number: int
) -> None:
    folder = folder_of(ephys, number)
    model = MODELS[session.probes[number - 1].model]
    templates, channels = np.load(folder / "templates.npy"), np.load(folder / "channel_map.npy").ravel()
    inverse, bits = np.load(folder / "whitening_mat_inv.npy"), np.load(folder / "amplitudes.npy").ravel()
    clusters, of_spike = (np.load(folder / f"spike_{name}.npy").ravel() for name in ("clusters", "templates"))
    assert templates.shape[1:] == (N_WAVEFORM_SAMPLES, len(channels))
    positions = np.load(folder / "channel_positions.npy")
    electrodes = truth.electrodes.to_pandas().query("probe == @number").set_index("channel")
    for unit in truth.units.to_pandas().query("probe == @number").itertuples():
        mine = clusters == unit.unit_id
        whole = templates[of_spike[mine][0]] @ inverse
        peak = np.abs(whole).max(axis=0).argmax()
        assert channels[peak] == unit.channel
        assert positions[peak][1] == electrodes.loc[unit.channel].y_um
        height_uv = np.ptp(whole[:, peak]) * bits[mine].mean() * model.microvolt_per_bit
        assert height_uv == pytest.approx(unit.amplitude_uv, rel=0.05)


def test_metrics_of_spike_times_are_those_of_the_spikes(ephys: Path, truth: Truth) -> None:
    metrics = pd.read_csv(folder_of(ephys, 1) / "metrics.csv", index_col="cluster_id")
    clock = truth.clock(1)
    for unit_id, row in metrics.iterrows():
        samples = truth.spike_samples(1, unit_id)
        assert row.firing_rate == pytest.approx(len(samples) / clock.duration_s)
        assert row.num_viol == np.sum(np.diff(samples) / clock.sample_rate_hz < 1.5e-3)


def test_no_unit_fires_twice_in_its_refractory_time_nor_outside_the_recording(truth: Truth) -> None:
    for unit in truth.units.to_pandas().itertuples():
        samples, clock = truth.spike_samples(unit.probe, unit.unit_id), truth.clock(unit.probe)
        assert samples[0] >= 0
        assert samples[-1] < clock.n_samples
        assert np.diff(samples).min() >= max(1, REFRACTORY_S[unit.label] * clock.sample_rate_hz)
        start_s, stop_s = clock.session_span_s
        session_s = truth.spike_session_s(unit.probe, unit.unit_id)
        assert start_s <= session_s[0]
        assert session_s[-1] < stop_s
        assert np.abs(clock.samples(session_s) - samples).max() < 1e-3


def test_units_fire_at_their_rates_in_every_epoch(session: SessionPlan) -> None:
    plan = replace(session, n_trials=150, photostim_share=0.4, probes=(replace(session.probes[0], n_units=30),))
    trials = make_trials(plan)
    probe = make_probe(plan, 1, trials, make_volume(200.0))
    segments = make_segments(trials, probe.clock.session_span_s, "left")
    assert np.all(segments.start_s[1:] == segments.stop_s[:-1])
    edges = np.r_[segments.start_s, segments.stop_s[-1]]
    length_s = segments.stop_s - segments.start_s
    for index in range(30):
        first, last = probe.trains.first[index : index + 2]
        counts = np.histogram(probe.clock.session_s(probe.trains.samples[first:last]), edges)[0]
        for epoch in range(len(EPOCHS)):
            for side in range(len(SIDES)):
                for is_lit in (False, True):
                    here = (segments.epoch == epoch) & (segments.side == side) & (segments.is_lit == is_lit)
                    rate_hz = probe.neurons.rate_hz[index, epoch, side]
                    rate_hz *= probe.neurons.photostim_factor[index] if is_lit else 1.0
                    refractory_s = REFRACTORY_S[str(probe.neurons.label[index])]
                    expected = rate_hz * np.exp(-rate_hz * refractory_s) * length_s[here].sum()
                    assert abs(counts[here].sum() - expected) < 6 * np.sqrt(expected + 1)
    selective = probe.neurons.preferred != "none"
    preferred = np.where(probe.neurons.preferred[selective] == "left", 1, 2)
    rates = probe.neurons.rate_hz[selective, 1:].max(axis=1)
    assert np.all(rates[np.arange(len(rates)), preferred] > rates[np.arange(len(rates)), 3 - preferred])


def test_mean_waveforms_have_a_row_for_every_id(tmp_path: Path, session: SessionPlan) -> None:
    probe = replace(session.probes[0], has_mean_waveforms=True)
    plan = replace(session, probes=(probe,), parts=frozenset({Part.SORTING}))
    write_session(tmp_path, plan, voxel_um=200.0)
    mean = np.load(folder_of(tmp_path / "ephys", 1) / "mean_waveforms.npy")
    units = read_truth(tmp_path, plan.key).units.to_pandas()
    assert mean.shape == (units.unit_id.max() + 1, 384, N_WAVEFORM_SAMPLES)
    for unit in units.itertuples():
        assert np.ptp(mean[unit.unit_id, unit.channel]) == pytest.approx(unit.amplitude_uv, rel=1e-4)
    assert not mean[[i for i in range(len(mean)) if i not in set(units.unit_id)]].any()
