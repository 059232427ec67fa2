"""What others' code gets out of a file: pynapple, SpikeInterface, and the work-arounds that published files needed.

Two independent readers of DANDI:000363 had to work around nine things; each test of those names one that is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from map_assets.ephys.tables import UNIT_CLASSES
from map_assets.nwb.write import write_nwb

AT = pd.Timestamp("2024-01-01", tz="UTC")


@pytest.fixture(scope="module")
def tables(full_session: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The session with a classifier's labels for all units but the first three."""
    known = full_session["units"].select(["session", "probe", "unit_id", "sorting"]).slice(3)
    n = known.num_rows
    named = {"class": ["good", "unlabelled"] * n, "annotation": ["MOs1", None] * n}
    classes = {name: values[:n] for name, values in named.items()}
    classes |= {"file": ["x.mat"] * n, "file_modified_at": [AT.to_pydatetime()] * n}
    return full_session | {
        "unit_classes": UNIT_CLASSES.from_columns({name: known[name] for name in known.column_names} | classes)
    }


@pytest.fixture(scope="module")
def path(tables: dict[str, pa.Table], made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nwb") / "readers.nwb"
    write_nwb(path, made.key, tables, made.subject, made.laboratory)
    return path


@pytest.fixture(scope="module")
def nwb(path: Path) -> Iterator[Any]:
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as io:
        yield io.read()


@pytest.fixture(scope="module")
def counts(nwb: Any) -> list[int]:
    return [len(times) for times in nwb.units.to_dataframe()["spike_times"]]


def test_pynapple_opens_the_file_and_agrees_on_units_and_spikes(path: Path, nwb: Any, counts: list[int]) -> None:
    import pynapple as nap

    file = nap.load_file(str(path))
    units = file["units"]
    assert len(units) == len(counts) == 40
    assert [len(units[one]) for one in units.index] == counts
    np.testing.assert_array_equal(units["unit_id"], nwb.units["unit_id"][:])
    trials = file["trials"]
    np.testing.assert_array_equal(trials.start, nwb.trials["start_time"][:])
    file.close()


def test_spikeinterface_opens_the_file_and_agrees_on_units_and_spikes(path: Path, nwb: Any, counts: list[int]) -> None:
    from spikeinterface.extractors.nwbextractors import NwbSortingExtractor

    sorting = NwbSortingExtractor(path)
    assert sorting.get_num_units() == 40
    assert [len(sorting.get_unit_spike_train(one)) for one in sorting.unit_ids] == counts
    assert sorting.sampling_frequency == pytest.approx(30000.2741)
    np.testing.assert_array_equal(sorting.get_property("unit_id"), nwb.units["unit_id"][:])
    assert set(sorting.get_property("quality")) == {"good", "mua"}


def test_1_a_unit_without_a_classification_is_told_from_an_unlabelled_one(nwb: Any) -> None:
    found = nwb.units["unit_classes_class"][:]
    assert list(found[:3]) == ["", "", ""]
    assert set(found[3:]) == {"good", "unlabelled"}


def test_2_the_file_says_which_tables_and_which_code_made_it(
    path: Path, nwb: Any, tables: dict[str, pa.Table], made: SimpleNamespace
) -> None:
    from importlib.metadata import version

    from map_assets.nwb.write import identifier_of

    assert nwb.identifier == identifier_of(made.key, tables, made.subject, made.laboratory), (
        "other labels make another file, which says so"
    )
    assert tuple(nwb.was_generated_by[0]) == ("map_assets", version("map-assets"))
    fewer = tables | {"unit_classes": tables["unit_classes"].slice(1)}
    assert identifier_of(made.key, fewer, made.subject, made.laboratory) != nwb.identifier


def test_3_an_unobserved_trial_is_not_a_silent_one_and_no_index_has_to_be_guessed(
    nwb: Any, tables: dict[str, pa.Table]
) -> None:
    lost = set(tables["clock_maps"].to_pylist()[1]["unmatched_behavior_trials"])
    trials = nwb.trials.to_dataframe()
    frame = nwb.units.to_dataframe()
    middle = ((trials["start_time"] + trials["stop_time"]) / 2).to_numpy()
    for probe in (1, 2):
        intervals = frame.loc[frame["probe"] == probe, "obs_intervals"].iloc[0]
        is_observed = ((intervals[:, :1] <= middle) & (middle < intervals[:, 1:])).any(0)
        expected = ~trials["trial"].isin(lost) if probe == 2 else np.ones(len(trials), bool)
        np.testing.assert_array_equal(is_observed, expected)
    assert "trial" in trials.columns, "trials are joined by number, not by row"


def test_4_nothing_is_called_observed_after_the_recordings_end(
    tables: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    from pynwb import NWBHDF5IO

    end_s = 100.0
    clocks = [row | {"observed_to_s": end_s} for row in tables["clock_maps"].to_pylist()]
    cut = tables | {"clock_maps": pa.Table.from_pylist(clocks, tables["clock_maps"].schema)}
    write_nwb(tmp_path / "x.nwb", made.key, cut, made.subject, made.laboratory)
    with NWBHDF5IO(tmp_path / "x.nwb", "r") as io:
        units = io.read().units.to_dataframe()
    assert max(intervals.max() for intervals in units["obs_intervals"]) <= end_s
    assert max(times.max() for times in units["spike_times"] if len(times)) < end_s


def test_5_events_name_their_trial_and_light_is_a_number(nwb: Any, tables: dict[str, pa.Table]) -> None:
    for name in ("sample", "go", "licks"):
        events, trials = nwb.events[name].to_dataframe(), nwb.trials.to_dataframe().set_index("trial")
        assert (events["timestamp"].to_numpy() >= trials.loc[events["trial"], "start_time"].to_numpy()).all()
        assert (events["timestamp"].to_numpy() < trials.loc[events["trial"], "until_time"].to_numpy()).all()
    for name in ("photostim_onset_time", "photostim_power_mw", "photostim_duration_s"):
        assert nwb.trials[name].data.dtype == np.float64
    np.testing.assert_array_equal(
        nwb.trials["photostim_onset_time"][:], tables["trials"]["photostim_onset_s"].to_numpy()
    )


def test_6_of_repeated_samples_exactly_the_one_that_counts_is_marked(nwb: Any) -> None:
    samples = nwb.events["sample"].to_dataframe()
    marked = samples[samples["is_counted"]]
    assert samples.groupby("trial").size().max() > 1
    assert marked.groupby("trial").size().eq(1).all()
    last = samples.groupby("trial")["timestamp"].max()
    np.testing.assert_array_equal(marked.set_index("trial")["timestamp"].loc[last.index], last)


def test_7_a_position_comes_with_its_likelihood_and_the_file_says_what_it_is_worth(nwb: Any) -> None:
    behavior = nwb.processing["behavior"]
    position, likelihood = behavior["position_side"]["tongue"], behavior["likelihood_side"]["tongue"]
    assert len(position.data) == len(likelihood.data)
    np.testing.assert_array_equal(position.timestamps[:], likelihood.timestamps[:])
    assert "at any likelihood" in position.description


def test_8_water_that_was_given_is_a_flag_beside_the_outcome(nwb: Any, tables: dict[str, pa.Table]) -> None:
    for name in ("is_auto_water", "is_free_water"):
        assert nwb.trials[name].data.dtype == np.bool_
        np.testing.assert_array_equal(nwb.trials[name][:], tables["trials"][name].to_numpy())
    assert set(nwb.trials["outcome"][:]) == {"hit", "miss", "ignore"}


def test_9_a_units_target_is_in_the_file_and_needs_no_mask(nwb: Any) -> None:
    insertions = nwb.processing["ecephys"]["insertions"].to_dataframe()
    assert insertions[["probe", "brain_area", "hemisphere"]].to_numpy().tolist() == [[1, "ALM", "left"]]
    frame = nwb.units.to_dataframe()
    of_alm = frame[frame["probe"].isin(insertions.loc[insertions["brain_area"] == "ALM", "probe"])]
    assert len(of_alm) == 20
    assert {group.name for group in of_alm["electrode_group"]} == {"probe1"}
    regions = {tuple(one["location"]) for one in of_alm["electrodes"] if len(one)}
    assert regions <= {("MOs1",), ("MOs5",), ("root",)}
