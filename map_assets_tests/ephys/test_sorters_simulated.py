"""Every sorter's files of a made-up session, read back and held against the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from map_assets.ephys.sorters import jrclust, kilosort
from map_assets.ephys.sorters.protocol import Scale, SorterResult
from map_assets.simulate.atlas import make_volume
from map_assets.simulate.blueprint import Part, ProbePlan, SessionPlan, Sorter
from map_assets.simulate.jrclust import NOTES
from map_assets.simulate.kilosort import sorting_folder
from map_assets.simulate.kilosort4 import VERSION
from map_assets.simulate.laboratory import make_probe, write_session
from map_assets.simulate.probes import MODELS
from map_assets.simulate.task import make_trials
from map_assets.simulate.truth_tables import ProbeTruth

SORTERS: tuple[Sorter, ...] = ("kilosort2.5", "kilosort4", "jrclust3", "jrclust4")
PLAN = SessionPlan(
    "MK041", 990041, datetime(2024, 3, 13, 9, 0, 0), n_trials=4, parts=frozenset({Part.SORTING}), seed=5,
    probes=(ProbePlan("left ALM", n_units=12, n_sorted_channels=96, has_pc_features=True),),
)  # fmt: skip


@dataclass(frozen=True)
class Round:
    """One sorter's folder, what was read of it, and the truth."""

    sorter: str
    folder: Path
    result: SorterResult
    truth: ProbeTruth


def plan_of(sorter: Sorter, **changes: Any) -> SessionPlan:
    return replace(PLAN, probes=(replace(PLAN.probes[0], sorter=sorter, **changes),))


def go_round(out: Path, make: SimpleNamespace, sorter: Sorter, **changes: Any) -> Round:
    plan = plan_of(sorter, **changes)
    write_session(out, plan)
    path = sorting_folder(out / "ephys", plan, 1)
    folder = make.sorting_folder(path, path.relative_to(out / "ephys").as_posix())
    readers = [module for module in (kilosort, jrclust) if module.recognizes(frozenset(folder.files))]
    assert len(readers) == 1
    truth = make_probe(plan, 1, make_trials(plan), make_volume(100.0))
    scale = Scale(truth.clock.sample_rate_hz, MODELS["NP1.0"].microvolt_per_bit)
    return Round(sorter, path, readers[0].read(folder, scale), truth)


@pytest.fixture(scope="module", params=SORTERS)
def back(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make: SimpleNamespace) -> Round:
    return go_round(tmp_path_factory.mktemp("lab"), make, request.param)


def of_neuron(back: Round) -> np.ndarray:
    """For each unit read, the neuron that it is."""
    ids = back.truth.clusters.cluster_id
    return np.searchsorted(ids, back.result.trains.unit_ids)


def test_every_spike_of_every_sorter_comes_back(back: Round) -> None:
    trains, truth = back.result.trains, back.truth
    assert trains.unit_ids.tolist() == [
        int(unit) for unit, n in zip(truth.clusters.cluster_id, truth.trains.n_spikes, strict=True) if n
    ]
    for k, neuron in enumerate(of_neuron(back)):
        expected = truth.trains.samples[truth.trains.first[neuron] : truth.trains.first[neuron + 1]]
        assert np.array_equal(trains.samples[trains.offsets[k] : trains.offsets[k + 1]], expected)


def test_units_stand_where_the_neurons_are_and_are_as_large(back: Round) -> None:
    neurons, neuron = back.truth.neurons, of_neuron(back)
    measures = back.result.measures
    assert measures.peak_channel.tolist() == neurons.channel[neuron].tolist()
    np.testing.assert_allclose(measures.amplitude_uv, neurons.amplitude_uv[neuron], rtol=2e-3)
    y_um = MODELS["NP1.0"].sites().y_um[neurons.channel[neuron]]
    np.testing.assert_allclose(measures.y_um, y_um)


def test_each_spike_has_its_peak_channel_and_a_depth_near_it(back: Round) -> None:
    features, trains, neuron = back.result.features, back.result.trains, of_neuron(back)
    channel = np.repeat(back.truth.neurons.channel[neuron], trains.counts)
    assert features.peak_channel is not None
    assert features.peak_channel.dtype == np.int16
    assert np.array_equal(features.peak_channel, channel)
    assert features.depth_um is not None
    assert features.depth_um.dtype == np.float32
    away = np.abs(features.depth_um - MODELS["NP1.0"].sites().y_um[channel])
    assert np.median(away) < 40.0
    means = np.add.reduceat(features.depth_um, trains.offsets[:-1]) / trains.counts
    assert np.abs(means - MODELS["NP1.0"].sites().y_um[back.truth.neurons.channel[neuron]]).max() < 60.0


def test_only_amplitudes_that_are_voltages_are_told(back: Round) -> None:
    found = back.result.features.amplitude_uv
    if back.sorter != "kilosort2.5":
        assert found is None
        return
    assert found is not None
    trains = back.result.trains
    means = np.add.reduceat(found, trains.offsets[:-1], dtype=np.float64) / trains.counts
    np.testing.assert_allclose(means, back.truth.neurons.amplitude_uv[of_neuron(back)], rtol=0.05)


def test_labels_tell_what_the_person_and_the_sorter_said(back: Round) -> None:
    result, label = back.result, back.truth.neurons.label[of_neuron(back)]
    is_jrclust = back.sorter.startswith("jrclust")
    expected = [NOTES[str(one)] for one in label] if is_jrclust else [str(one) for one in label]
    assert result.quality == expected
    assert result.curation == "curated"
    found = {}
    for unit_id, source, name, value in zip(
        result.labels.unit_id, result.labels.source, result.labels.name, result.labels.value, strict=True
    ):
        found[unit_id, source, name] = value
    assert len(found) == len(result.labels.unit_id)
    column = "note" if is_jrclust else "group"
    assert [found[int(unit), source, column] for unit, source in
            zip(result.trains.unit_ids, result.quality_source, strict=True)] == expected  # fmt: skip


def test_sorter_version_and_rate_are_told(back: Round) -> None:
    expected = {
        "kilosort2.5": ("kilosort2.5", "2.5"),
        "kilosort4": ("kilosort4", VERSION),
        "jrclust3": ("jrclust3", "3"),
        "jrclust4": ("jrclust4", "4"),
    }
    assert (back.result.sorter, back.result.sorter_version) == expected[back.sorter]
    assert back.result.sample_rate_hz == back.truth.clock.sample_rate_hz


def test_spikes_of_no_unit_are_counted_and_left_out(back: Round) -> None:
    n_none = int(0.05 * len(back.truth.trains.samples)) if back.sorter.startswith("jrclust") else 0
    assert back.result.n_unassigned == n_none


@pytest.mark.parametrize("sorter", ["kilosort4", "jrclust4"])
def test_an_uncurated_result_has_no_persons_labels(tmp_path: Path, make: SimpleNamespace, sorter: Sorter) -> None:
    result = go_round(tmp_path, make, sorter, is_curated=False).result
    assert result.curation == "raw"
    if sorter == "jrclust4":
        assert set(result.quality) == {"unsorted"}
        assert set(result.quality_source) == {"none"}
        assert result.labels.unit_id == []


@pytest.mark.parametrize("sorter", SORTERS)
def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, sorter: Sorter) -> None:
    folders = []
    for name in ("one", "two"):
        write_session(tmp_path / name, plan_of(sorter))
        folders.append(sorting_folder(tmp_path / name / "ephys", plan_of(sorter), 1))
    for file in folders[0].iterdir():
        assert file.read_bytes() == (folders[1] / file.name).read_bytes(), file.name


def test_depths_are_those_of_a_plain_reckoning(tmp_path: Path, make: SimpleNamespace) -> None:
    back = go_round(tmp_path, make, "kilosort2.5")
    components = np.load(back.folder / "pc_features.npy")
    held = np.load(back.folder / "pc_feature_ind.npy").astype(int)
    template = np.load(back.folder / "spike_templates.npy").ravel()
    times, clusters = (np.load(back.folder / f"spike_{name}.npy").ravel() for name in ("times", "clusters"))
    y_um = np.load(back.folder / "channel_positions.npy")[:, 1]
    order = np.lexsort((times, clusters))
    found = back.result.features.depth_um
    assert found is not None
    for place in range(0, len(order), max(1, len(order) // 50)):
        spike = order[place]
        weight = np.clip(components[spike, 0].astype(float), 0, None) ** 2
        assert found[place] == pytest.approx((weight * y_um[held[template[spike]]]).sum() / weight.sum(), rel=1e-5)
