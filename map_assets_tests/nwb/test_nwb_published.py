"""The profile dandi-000363: names, types and alignment as code that was made for that dandiset expects them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.nwb.identity import file_identifier
from map_assets.nwb.inspect import inspect_nwb
from map_assets.nwb.published import CAMERAS
from map_assets.nwb.write import write_nwb

TRIALS = (
    *("start_time", "stop_time", "trial", "photostim_onset", "photostim_power", "photostim_duration", "trial_uid"),
    *("task", "task_protocol", "trial_instruction", "early_lick", "outcome", "auto_water", "free_water"),
)
UNITS = (
    *("unit", "sampling_rate", "unit_quality", "unit_posx", "unit_posy", "unit_amp", "unit_snr", "isi_violation"),
    *("avg_firing_rate", "drift_metric", "left_trials_drift_metric", "right_trials_drift_metric", "presence_ratio"),
    *("amplitude_cutoff", "isolation_distance", "l_ratio", "d_prime", "nn_hit_rate", "nn_miss_rate"),
    *("silhouette_score", "max_drift", "cumulative_drift", "duration", "halfwidth", "pt_ratio", "repolarization_slope"),
    *("recovery_slope", "spread", "velocity_above", "velocity_below", "classification", "anno_name", "is_good_trials"),
    *("spike_times", "obs_intervals", "electrodes", "electrode_group", "waveform_mean", "waveform_sd"),
)
"""The 39 columns of units and the 14 of trials, as two independent readers of the release found them."""


@pytest.fixture(scope="module")
def path(full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nwb") / "published.nwb"
    write_nwb(path, made.key, full_session, made.subject, made.laboratory, profile="dandi-000363")
    return path


@pytest.fixture(scope="module")
def nwb(path: Path) -> Iterator[Any]:
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as io:
        yield io.read()


def test_the_columns_are_those_of_the_release_in_their_order(nwb: Any) -> None:
    assert nwb.trials.colnames == TRIALS
    assert len(nwb.units.colnames) == 39
    assert set(nwb.units.colnames) == set(UNITS)


def test_the_columns_have_the_types_of_the_release(nwb: Any) -> None:
    for name in ("photostim_onset", "photostim_power", "photostim_duration", "early_lick", "outcome", "task"):
        assert isinstance(nwb.trials[name][0], str), name
    for name in ("trial", "trial_uid", "task_protocol", "auto_water", "free_water"):
        assert nwb.trials[name].data.dtype == np.int64, name
    for name in UNITS[3:30]:
        assert nwb.units[name].data.dtype == np.float64, name
    assert nwb.units["sampling_rate"].data.dtype.kind == nwb.units["unit"].data.dtype.kind == "i"
    assert nwb.units["is_good_trials"].data.dtype == np.bool_


def test_light_is_told_as_text_from_the_start_of_the_trial(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    trials = full_session["trials"].to_pandas()
    frame = nwb.trials.to_dataframe()
    lit = trials["photostim_onset_s"].notna().to_numpy()
    assert set(frame.loc[~lit, "photostim_onset"]) == {"N/A"}
    onset = frame.loc[lit, "photostim_onset"].astype(float)
    np.testing.assert_allclose(onset, (trials["photostim_onset_s"] - trials["start_s"])[lit], atol=5e-5)
    assert set(frame.loc[lit, "photostim_power"].astype(float)) == {5.5}
    assert set(frame["early_lick"]) == {"early", "no early"}
    np.testing.assert_array_equal(frame["early_lick"] == "early", trials["early_lick"])
    np.testing.assert_array_equal(frame["auto_water"], trials["is_auto_water"].astype(int))


def test_events_stand_where_the_release_has_them(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    events = nwb.acquisition["BehavioralEvents"]
    trials, licks = full_session["trials"].to_pandas(), full_session["licks"].to_pandas()
    visits = full_session["trial_events"].to_pandas()
    wanted = {
        f"{name}_{end}_times"
        for name in ("presample", "sample", "delay", "go", "trialend")
        for end in ("start", "stop")
    }
    wanted |= {"left_lick_times", "right_lick_times", "photostim_start_times", "photostim_stop_times"}
    assert set(events.time_series) == wanted
    go = visits[visits["event"] == "go"]
    np.testing.assert_array_equal(events["go_start_times"].timestamps[:], go["start_s"])
    np.testing.assert_allclose(events["go_stop_times"].timestamps[:], go["start_s"] + go["duration_s"])
    np.testing.assert_array_equal(
        events["left_lick_times"].timestamps[:], np.sort(licks.loc[licks["port"] == "left", "time_s"])
    )
    np.testing.assert_array_equal(events["photostim_start_times"].timestamps[:], trials["photostim_onset_s"].dropna())
    assert set(events["photostim_start_times"].data[:]) == {5.5}
    assert events["photostim_start_times"].unit == "mW"


def test_tracking_is_frames_by_x_y_and_likelihood(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    series = nwb.acquisition["BehavioralTimeSeries"]
    assert set(series.time_series) == {
        "Camera0_side_TongueTracking",
        "Camera0_side_JawTracking",
        "Camera3_bottom_JawTracking",
    }
    assert CAMERAS["side"] == "Camera0_side"
    tracking = full_session["tracking"].to_pandas()
    jaw = tracking[(tracking["camera"] == "bottom") & (tracking["feature"] == "jaw")]
    found = series["Camera3_bottom_JawTracking"]
    for place, name in enumerate(("x_px", "y_px", "likelihood")):
        np.testing.assert_array_equal(found.data[:, place], np.concatenate(jaw[name].tolist()))
    np.testing.assert_array_equal(found.timestamps[:], np.concatenate(jaw["frame_s"].tolist()))


def test_spikes_and_flags_line_up_with_the_trials(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    trials = full_session["trials"].to_pandas()
    lost = set(full_session["clock_maps"].to_pylist()[1]["unmatched_behavior_trials"])
    frame = nwb.units.to_dataframe()
    for _, unit in frame.iterrows():
        flags, intervals, times = unit["is_good_trials"], unit["obs_intervals"], unit["spike_times"]
        assert len(flags) == len(trials), "the flag's place is the trial's row, whatever the probe missed"
        np.testing.assert_array_equal(intervals, trials.loc[flags, ["start_s", "stop_s"]])
        place = np.searchsorted(intervals[:, 0], times, side="right") - 1
        assert (times < intervals[place, 1]).all()
    of_second = frame["is_good_trials"].iloc[-1]
    np.testing.assert_array_equal(of_second, ~trials["trial"].isin(lost))
    assert frame["is_good_trials"].iloc[0].all()
    units = full_session["units"].to_pandas()
    np.testing.assert_array_equal(frame["unit"], units["unit_id"])
    assert set(frame["unit_quality"]) == {"good", "multi"}
    assert set(frame["classification"]) == {"N/A"}, "never classified is not unlabelled"
    first = nwb.units["electrodes"][0]
    assert first["electrode"].tolist() == [units["electrode"][0] + 1]


def test_groups_and_electrodes_are_named_as_in_the_release(nwb: Any) -> None:
    assert list(nwb.electrode_groups) == ["18005107871 1-384", "18005107872 1-384"]
    place = json.loads(nwb.electrode_groups["18005107871 1-384"].location)
    assert (place["brain_regions"], place["ap_location"]) == ("left ALM", "2500.0")
    assert nwb.electrode_groups["18005107872 1-384"].location == "N/A"
    frame = nwb.electrodes.to_dataframe()
    assert {"x", "y", "z", "rel_x", "rel_y", "rel_z", "electrode", "shank", "shank_col", "shank_row"} <= set(frame)
    assert frame["shank_row"].max() == 192
    left = frame.iloc[0]  # at AP 3000, DV 2000, ML 4200
    assert (left["x"], left["y"], left["z"]) == (7200.0, 2000.0, 3000.0), "x is more than 5700 on the left"
    assert (frame["electrode"].min(), frame["electrode"].max()) == (1, 384)


def test_the_file_keeps_the_schema_and_is_not_taken_for_the_other_one(
    path: Path, full_session: dict[str, pa.Table], made: SimpleNamespace
) -> None:
    found = inspect_nwb(path)
    assert found.can_be_read
    assert found.n_validation_errors == 0
    assert found.identifier != file_identifier(made.key, full_session)


def test_behavior_alone_has_a_published_form_too(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    tables = {name: full_session[name] for name in ("sessions", "trials", "licks")}
    write_nwb(tmp_path / "x.nwb", made.key, tables, made.subject, made.laboratory, profile="dandi-000363")
    found = inspect_nwb(tmp_path / "x.nwb")
    assert (found.can_be_read, found.n_validation_errors, found.n_units) == (True, 0, 0)


def test_spikeinterface_reads_the_published_form_without_being_told_a_rate(path: Path, nwb: Any) -> None:
    from spikeinterface.extractors.nwbextractors import NwbSortingExtractor

    sorting = NwbSortingExtractor(path)
    assert sorting.sampling_frequency == pytest.approx(30000.2741)
    spikes = nwb.units.to_dataframe()["spike_times"]
    assert [len(sorting.get_unit_spike_train(one)) for one in sorting.unit_ids] == [len(times) for times in spikes]
