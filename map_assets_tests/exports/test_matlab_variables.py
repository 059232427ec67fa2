"""What stands in a MATLAB file is what the tables and the truth say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from export_session import CAMERA_HZ, ExportSession
from scipy.io import loadmat

from map_assets.exports.mat import OPTIONAL, REQUIRED, make_mat, mat_name
from map_assets.exports.mat_file import write_mat
from map_assets.exports.viewer import make_viewer
from map_assets.vocabulary.errors import NoSuchTable, TableDoesNotFit


@pytest.fixture(scope="module")
def files(made: ExportSession, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """Both probes' files as scipy reads them."""
    folder = tmp_path_factory.mktemp("mat")
    for probe in (1, 2):
        write_mat(folder / f"{probe}.mat", make_mat(made.key, probe, made.tables))
    return {probe: loadmat(folder / f"{probe}.mat") for probe in (1, 2)}


def texts(cells: Any) -> list[str]:
    return [str(cell[0]) if cell.size else "" for cell in cells[:, 0]]


def struct(file: dict[str, Any], name: str) -> dict[str, Any]:
    return {field: file[name][0, 0][field] for field in file[name].dtype.names}


def close(one: Any, other: Any) -> None:
    np.testing.assert_allclose(np.ravel(one), np.array(other, float).ravel(), atol=1e-9)


def test_the_name_is_the_earlier_pipelines() -> None:
    assert mat_name("SC022_20190228_151010", 2) == "map-export_SC022_20190228_151010_s0_p2.mat"


def test_every_trial_has_its_row_of_behavior(made: ExportSession, files: dict[int, dict[str, Any]]) -> None:
    file, trials = files[1], made.tables["trials"].to_pylist()
    assert len({trial["outcome"] for trial in trials}) == 3
    close(file["behavior_report"], [{"hit": 1, "miss": 0, "ignore": -1}[trial["outcome"]] for trial in trials])
    close(file["behavior_early_report"], [trial["early_lick"] for trial in trials])
    close(file["behavior_is_free_water"], [trial["is_free_water"] for trial in trials])
    close(file["behavior_is_auto_water"], [trial["is_auto_water"] for trial in trials])
    close(file["trial_number"], [trial["trial"] for trial in trials])
    close(file["trial_start_time"], [trial["start_s"] for trial in trials])
    assert texts(file["behavior_auto_learn"]) == [trial["autolearn"] for trial in trials]
    assert [str(letter[0]) for letter in file["task_trial_type"]] == [trial["instruction"][0] for trial in trials]
    for n, trial in enumerate(trials):
        licks = [lick for lick in made.tables["licks"].to_pylist() if lick["trial"] == trial["trial"]]
        close(file["behavior_lick_times"][n, 0], [lick["time_s"] - trial["start_s"] for lick in licks])
        close(file["behavior_lick_directions"][n, 0], [lick["port"] == "right" for lick in licks])


def test_stimulation_is_told_by_power_kind_and_time(made: ExportSession, files: dict[int, dict[str, Any]]) -> None:
    kinds = {"left_alm": 1, "right_alm": 2, "both_alm": 6}
    seen = set()
    for row, site, trial in zip(
        files[1]["task_stimulation"],
        texts(files[1]["task_stimulation_site"]),
        made.tables["trials"].to_pylist(),
        strict=True,
    ):
        assert site == (trial["photostim_site"] or "")
        seen.add(site)
        if not site:
            close(row, [0, np.nan, np.nan, np.nan])
            continue
        on_s = trial["photostim_onset_s"] - trial["start_s"]
        close(row, [trial["photostim_power_mw"], kinds[site], on_s, on_s + trial["photostim_duration_s"]])
    assert seen == {"", *kinds}


def test_a_site_without_a_number_keeps_its_name(made: ExportSession) -> None:
    sites = made.tables["photostim_sites"]
    area = pa.array(["Striatum"] * sites.num_rows)
    elsewhere = sites.set_column(sites.schema.get_field_index("brain_area"), "brain_area", area)
    found = make_mat(made.key, 1, made.tables | {"photostim_sites": elsewhere})
    is_stimulated = found["task_stimulation"][:, 0] > 0
    assert is_stimulated.any()
    assert np.isnan(found["task_stimulation"][:, 1]).all()
    assert [bool(cell) for cell in found["task_stimulation_site"][:, 0]] == is_stimulated.tolist()


@pytest.mark.parametrize(
    ("variable", "event", "which"),
    [
        ("task_sample_time", "sample", -1),
        ("task_delay_time", "delay", -1),
        ("task_cue_time", "go", -1),
        ("trial_end_time", "trialend", 0),
    ],
)
def test_events_keep_a_column_a_trial(
    made: ExportSession, files: dict[int, dict[str, Any]], variable: str, event: str, which: int
) -> None:
    n_visits = []
    for found, trial in zip(files[1][variable].T, made.tables["trials"].to_pylist(), strict=True):
        visits = [
            visit
            for visit in made.tables["trial_events"].to_pylist()
            if (visit["trial"], visit["event"]) == (trial["trial"], event)
        ]
        n_visits.append(len(visits))
        if visits:
            visit = sorted(visits, key=lambda visit: visit["event_id"])[which]
            close(found, [visit["start_s"] - trial["start_s"], visit["duration_s"]])
        else:
            assert np.isnan(found).all()
    assert event == "trialend" or {0, 1} < set(n_visits)  # trials without, and trials with more than one


@pytest.mark.parametrize("probe", [1, 2])
def test_spikes_are_the_truths_around_the_go_cue(
    made: ExportSession, files: dict[int, dict[str, Any]], probe: int
) -> None:
    trials = made.tables["trials"].to_pylist()
    units = sorted(made.of("units", probe)["unit_id"].to_pylist())
    rows = made.of("trial_spikes", probe).to_pylist()
    observed = {(row["unit_id"], row["trial"]) for row in rows}
    cells, is_observed = files[probe]["neuron_single_units"], files[probe]["neuron_observed"]
    assert (len(cells), is_observed.shape) == (len(units), (len(units), len(trials)))
    assert files[probe]["neuron_time_zero"][0] == "go cue"
    n_nan = 0
    for u, unit in enumerate(units):
        true_s = made.truth.spike_session_s(probe, unit)
        for t, trial in enumerate(trials):
            found = cells[u, 0][t, 0].ravel()
            assert is_observed[u, t] == ((unit, trial["trial"]) in observed)
            if not is_observed[u, t]:
                assert found.size == 0
                continue
            wanted = true_s[(true_s >= trial["start_s"]) & (true_s < trial["until_s"])]
            assert len(found) == len(wanted)
            if trial["go_s"] is None:
                assert np.isnan(found).all()
                n_nan += found.size
            else:
                np.testing.assert_allclose(found, wanted - trial["go_s"], atol=1e-5)
    assert n_nan > 0
    assert not is_observed.all(axis=1).any()  # the probes started late


def test_without_any_go_cue_times_are_from_the_trials_start(made: ExportSession) -> None:
    trials = made.tables["trials"]
    nothing = pa.nulls(trials.num_rows, pa.float64())
    without = trials.set_column(trials.schema.get_field_index("go_s"), "go_s", nothing)
    found = make_mat(made.key, 1, made.tables | {"trials": without})
    assert found["neuron_time_zero"] == "trial start"
    lengths = (trials["until_s"].to_numpy() - trials["start_s"].to_numpy()).tolist()
    times = [(t, cell) for unit in found["neuron_single_units"][:, 0] for t, cell in enumerate(unit[:, 0])]
    assert sum(len(cell) for _, cell in times) > 100
    assert all(cell.min(initial=0) >= 0 and cell.max(initial=0) < lengths[t] for t, cell in times)


def test_a_silent_unit_is_not_an_unobserved_one(made: ExportSession) -> None:
    """Trials with equally many spikes stay cells, and a unit without a train is silent."""
    silenced = made.tables["trial_spikes"].to_pandas().assign(n_spikes=0, first_spike=0)
    tables = made.tables | {"trial_spikes": pa.Table.from_pandas(silenced, preserve_index=False)}
    tables["spikes"] = tables["spikes"].slice(0, 0)
    found = make_mat(made.key, 1, tables)
    (n_units, n_trials) = found["neuron_observed"].shape
    assert [cell.shape for cell in found["neuron_single_units"][:, 0]] == [(n_trials, 1)] * n_units
    assert found["neuron_observed"].any()
    assert not any(len(cell) for unit in found["neuron_single_units"][:, 0] for cell in unit[:, 0])


def test_quality_is_numbers_also_where_a_classifier_spoke(
    made: ExportSession, files: dict[int, dict[str, Any]]
) -> None:
    for probe in (1, 2):
        units = made.of("units", probe).sort_by("unit_id").to_pylist()
        stats = {row["unit_id"]: row for row in made.of("unit_stats", probe).to_pylist()}
        quality, labels = (
            struct(files[probe], "neuron_unit_quality_control"),
            struct(files[probe], "neuron_unit_labels"),
        )
        assert {column.shape for column in quality.values()} == {(len(units), 1)}
        assert {column.dtype.kind for column in quality.values()} == {"f"}
        close(quality["unit_amp"], [unit["amplitude_uv"] for unit in units])
        close(quality["unit_snr"], [unit["snr"] for unit in units])
        close(quality["presence_ratio"], [unit["presence_ratio"] for unit in units])
        close(quality["num_viol"], [unit["num_viol"] for unit in units])
        close(quality["avg_firing_rate"], [stats[unit["unit_id"]]["rate_hz"] for unit in units])
        close(quality["isi_violation"], [stats[unit["unit_id"]]["isi_violation"] for unit in units])
        assert np.isnan(quality["drift_metric"]).all()  # no such table here
        assert texts(labels["quality_source"]) == [unit["quality_source"] for unit in units]
        said = {row["unit_id"]: row for row in made.of("unit_classes", probe).to_pylist()}
        for word, column in (("class", "classification"), ("annotation", "classification_annotation")):
            wanted = [said[unit["unit_id"]][word] or "" for unit in units] if probe == 1 else [""] * len(units)
            assert texts(labels[column]) == wanted


def test_units_are_described_in_the_earlier_pipelines_columns(
    made: ExportSession, files: dict[int, dict[str, Any]]
) -> None:
    for probe, depth_um, target in ((1, 3300.0, "left ALM"), (2, np.nan, "")):
        shanks = {row["electrode"]: row["shank"] for row in made.of("electrodes", probe).to_pylist()}
        rows = files[probe]["neuron_unit_info"]
        units = made.of("units", probe).sort_by("unit_id").to_pylist()
        assert rows.shape == (len(units), 8)
        for row, unit, waveform in zip(rows, units, files[probe]["neuron_unit_waveforms"][:, 0], strict=True):
            close([row[0].item(), row[2].item()], [unit["unit_id"], unit["x_um"]])
            close(row[3], [unit["y_um"] - depth_um])
            close([row[4].item(), row[5].item()], [unit["electrode"] + 1, shanks[unit["electrode"]] + 1])
            assert [str(row[n][0]) if row[n].size else "" for n in (1, 6, 7)] == [unit["quality"], "unknown", target]
            close(waveform, unit["waveform_uv"])


def test_the_insertion_is_told_as_far_as_it_is_known(made: ExportSession, files: dict[int, dict[str, Any]]) -> None:
    first, second = (struct(files[probe], "probe_insertion_info") for probe in (1, 2))
    close(
        [first[name].item() for name in ("ap_location", "ml_location", "depth", "theta", "phi", "beta")],
        [2500, -1500, -3300, 15, 15, np.nan],
    )
    assert (first["skull_reference"][0], first["recordable_brain_regions"][0]) == ("Bregma", "left ALM")
    assert first["probe_type"][0] == made.of("probes", 1)["probe_type"][0].as_py()
    assert np.isnan(second["depth"].item())
    assert second["skull_reference"].size == 0
    about = struct(files[2], "export_info")
    assert (about["session"][0], about["probe"].item()) == (made.key, 2)
    assert about["start_time"][0] == "2024-03-05T15:26:09.250000+00:00"


def test_histology_has_a_row_for_each_unit(made: ExportSession, files: dict[int, dict[str, Any]]) -> None:
    places = {row["electrode"]: row for row in made.of("electrodes", 1).to_pylist()}
    units = made.of("units", 1).sort_by("unit_id").to_pylist()
    found = struct(files[1], "histology")
    rows = [places[unit["electrode"]] for unit in units]
    close(found["unit"], [unit["unit_id"] for unit in units])
    for axis, column in (("x", "ccf_ml_um"), ("y", "ccf_dv_um"), ("z", "ccf_ap_um")):
        close(found[f"ccf_{axis}"], [np.nan if row[column] is None else row[column] for row in rows])
    assert texts(found["annotation"]) == [row["region"] or "" for row in rows]
    assert texts(found["hemisphere"]) == [row["hemisphere"] or "" for row in rows]
    assert np.isnan(struct(files[2], "histology")["ccf_x"]).all()
    ontology = pa.table({"region": ["MOs1"], "name": ["Secondary motor area, layer 1"]})
    named = make_mat(made.key, 1, made.tables | {"ccf_ontology": ontology})["histology"]["annotation"]
    assert set(named[:, 0]) <= {"", "Secondary motor area, layer 1"}
    assert [bool(cell) for cell in named[:, 0]] == [row["region"] is not None for row in rows]


def test_tracking_has_a_row_for_each_trial(made: ExportSession, files: dict[int, dict[str, Any]]) -> None:
    trials = made.tables["trials"].to_pylist()
    cameras = struct(files[1], "tracking")
    assert set(cameras) == {"camera_0_side", "camera_bottom"}
    for name, camera, features in (("camera_0_side", "side", ("jaw", "tongue")), ("camera_bottom", "bottom", ("jaw",))):
        found = {field: cameras[name][0, 0][field] for field in cameras[name].dtype.names}
        close(found["fs"], [CAMERA_HZ])
        close(found["trialNum"], [trial["trial"] for trial in trials])
        rows = {
            (row["trial"], row["feature"]): row
            for row in made.tables["tracking"].to_pylist()
            if row["camera"] == camera
        }
        for n, trial in enumerate(trials):
            for feature in features:
                row = rows.get((trial["trial"], feature))
                for attribute, column in (("x", "x_px"), ("y", "y_px"), ("likelihood", "likelihood")):
                    cell = found[f"{feature}_{attribute}"][n, 0]
                    assert cell.size == 0 if row is None else np.array_equal(cell.ravel(), row[column])
                close(found["Nframes"][n], [np.nan if row is None else row["n_frames"]])
                times = [] if row is None else np.arange(row["n_frames"]) / CAMERA_HZ
                close(found["frame_times"][n, 0], times if camera == "side" else np.full(len(times), np.nan))


def test_body_parts_with_frames_of_their_own_have_times_of_their_own(made: ExportSession) -> None:
    rows = made.tables["tracking"].filter(pc.field("camera") == "side").to_pylist()
    for row in rows:
        if row["feature"] == "tongue":
            row["frame_s"] = [time_s + 0.5 for time_s in row["frame_s"]]
    tracking = pa.Table.from_pylist(rows, made.tables["tracking"].schema)
    found = make_mat(made.key, 1, made.tables | {"tracking": tracking})["tracking"]["camera_0_side"]
    close(found["tongue_frame_times"][0, 0], found["frame_times"][0, 0] + 0.5)


def test_what_need_not_be_there_is_unknown_without_it(made: ExportSession) -> None:
    found = make_mat(made.key, 1, {name: made.tables[name] for name in REQUIRED})
    full = make_mat(made.key, 1, made.tables)
    assert set(full) - set(found) == {"tracking"}
    assert np.isnan(found["histology"]["ccf_x"]).all()
    assert np.isnan(found["neuron_unit_quality_control"]["avg_firing_rate"]).all()
    assert set(OPTIONAL) > {"tracking", "electrodes", "insertions"}


def test_a_unit_without_a_waveform_of_the_sorter_gets_the_averaged_one(made: ExportSession) -> None:
    units = made.of("units", 1).sort_by("unit_id").to_pylist()
    first, second, third = make_viewer(made.key, 1, made.tables)["unit_id"].tolist()[:3]
    for unit in units:
        unit["waveform_uv"] = [1.0, -2.0] if unit["unit_id"] == first else []
    row = {"session": made.key, "probe": 1, "source": "ap.bin", "sample_rate_hz": 30000.0, "n_samples": 3}
    row |= {"peak_channel": 0, "electrode": 0, "largest_electrode": 0, "n_channels": 2, "electrodes": [0, 1]}
    row |= {"waveform_uv": [1, -5, 2, 9, 9, 9], "amplitude_uv": 7.0}
    sorting = units[0]["sorting"]
    rows = [row | {"unit_id": first, "sorting": sorting}, row | {"unit_id": second, "sorting": sorting}]
    averaged = pa.Table.from_pylist([*rows, row | {"unit_id": third, "sorting": "kilosort2-0000000000"}])
    tables = made.tables | {"units": pa.Table.from_pylist(units, made.tables["units"].schema)}
    tables["unit_waveforms"] = averaged
    found = make_mat(made.key, 1, tables)
    at = [[unit["unit_id"] for unit in units].index(unit) for unit in (first, second, third)]
    assert [cell.tolist() for cell in found["neuron_unit_waveforms"][at, 0]] == [[1, -2], [1, -5, 2], []]
    assert found["neuron_unit_labels"]["waveform_source"][at, 0].tolist() == ["sorter", "ap.bin", ""]
    shown = make_viewer(made.key, 1, tables)
    assert shown["unit_id"].tolist()[:3] == [first, second, third]
    np.testing.assert_array_equal(shown["waveform"][:3], [[1, -2, np.nan], [1, -5, 2], [np.nan] * 3])


def test_a_session_without_trials_or_events_can_be_written(made: ExportSession, tmp_path: Path) -> None:
    nothing = {name: made.tables[name].slice(0, 0) for name in ("trials", "licks", "trial_events", "clock_maps")}
    for emptied in (nothing, {name: table for name, table in nothing.items() if name != "trials"}):
        tables = made.tables | emptied | {"trial_spikes": made.tables["trial_spikes"].slice(0, 0)}
        write_mat(tmp_path / "a.mat", make_mat(made.key, 1, tables))
        found = loadmat(tmp_path / "a.mat")
        assert found["behavior_report"].size == found["behavior_lick_times"].size == tables["trials"].num_rows
        assert found["neuron_unit_info"].shape == (made.of("units", 1).num_rows, 8)
        assert not found["neuron_observed"].any()
        assert np.isnan(found["task_cue_time"]).all()


def test_contradictions_and_missing_tables_are_told(made: ExportSession) -> None:
    for name in REQUIRED:
        with pytest.raises(NoSuchTable, match=f"the table {name}, "):
            make_mat(made.key, 1, {other: table for other, table in made.tables.items() if other != name})
    with pytest.raises(NoSuchTable, match=r"Probe 3 of .* has no sorted units"):
        make_mat(made.key, 3, made.tables)
    with pytest.raises(TableDoesNotFit, match="sessions"):
        make_mat("XX1_20200101_000000", 1, made.tables)
    with pytest.raises(TableDoesNotFit, match="and the index more"):
        make_mat(made.key, 1, made.tables | {"spikes": made.tables["spikes"].slice(0, 0)})
    with pytest.raises(TableDoesNotFit, match="probe 1, which has no clock map"):
        make_mat(made.key, 1, made.tables | {"clock_maps": made.of("clock_maps", 2)})
