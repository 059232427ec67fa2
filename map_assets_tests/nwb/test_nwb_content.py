"""What a written file says, read by pynwb, against the tables it was made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest

from map_assets.nwb.header import SubjectDoesNotFit
from map_assets.nwb.write import write_nwb
from map_assets.vocabulary.errors import NoSuchTable, TableDoesNotFit
from map_assets.vocabulary.subject import Laboratory, Subject


@pytest.fixture(scope="module")
def nwb(full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    from pynwb import NWBHDF5IO

    path = tmp_path_factory.mktemp("nwb") / "full.nwb"
    write_nwb(path, made.key, full_session, made.subject, made.laboratory)
    with NWBHDF5IO(path, "r") as io:
        yield io.read()


def opened(path: Path) -> Any:
    from pynwb import NWBHDF5IO

    return NWBHDF5IO(path, "r")


def test_the_header_tells_who_when_and_where(nwb: Any, made: SimpleNamespace) -> None:
    assert nwb.session_id == made.key
    assert nwb.session_start_time.isoformat() == "2019-02-28T15:10:25.123456-05:00"
    assert nwb.timestamps_reference_time == nwb.session_start_time
    assert tuple(nwb.experimenter) == ("Chen, Susu",)
    assert (nwb.lab, nwb.institution) == ("Svoboda Lab", "Janelia Research Campus")
    assert (nwb.subject.subject_id, nwb.subject.sex, nwb.subject.species) == ("445105", "M", "Mus musculus")
    assert nwb.subject.age == "P150D"
    assert nwb.subject.date_of_birth.date() == date(2018, 10, 1)
    assert "SC022" in nwb.subject.description
    assert "1 (no states)" in nwb.notes


def test_trial_columns_are_numbers_and_flags(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    trials = full_session["trials"].to_pandas()
    frame = nwb.trials.to_dataframe()
    np.testing.assert_array_equal(frame["trial"], trials["trial"])
    for name, source in [
        ("start_time", "start_s"),
        ("stop_time", "stop_s"),
        ("sample_time", "sample_s"),
        ("go_time", "go_s"),
        ("photostim_onset_time", "photostim_onset_s"),
        ("photostim_duration_s", "photostim_duration_s"),
        ("photostim_power_mw", "photostim_power_mw"),
    ]:
        assert frame[name].dtype == np.float64
        np.testing.assert_array_equal(frame[name], trials[source])
    for name in ("early_lick", "is_auto_water", "is_free_water"):
        assert nwb.trials[name].data.dtype == np.bool_
        np.testing.assert_array_equal(frame[name], trials[name])
    assert set(frame["photostim_site"]) == {"none", "left_alm", "both_alm"}
    np.testing.assert_array_equal(frame["photostim_site"] == "none", frame["photostim_onset_time"].isna())
    np.testing.assert_array_equal(frame["bitcode"], trials["bitcode"])


def test_repeated_samples_are_all_there_and_the_one_that_counts_is_marked(
    nwb: Any, full_session: dict[str, pa.Table]
) -> None:
    trials = full_session["trials"].to_pandas().set_index("trial")
    samples = nwb.events["sample"].to_dataframe()
    assert samples.groupby("trial").size().max() == 2
    counted = samples[samples["is_counted"]].set_index("trial")
    np.testing.assert_array_equal(counted["timestamp"].loc[trials.index], trials["sample_s"])
    go = nwb.events["go"].to_dataframe()
    assert go.loc[go["trial"] == 7, "is_counted"].tolist() == [False]
    assert "is_counted" not in nwb.events["trialend"].colnames


def test_each_lick_has_its_trial_and_port(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    licks = full_session["licks"].to_pandas().sort_values("time_s")
    frame = nwb.events["licks"].to_dataframe()
    np.testing.assert_array_equal(frame["timestamp"], licks["time_s"])
    np.testing.assert_array_equal(frame["trial"], licks["trial"])
    np.testing.assert_array_equal(frame["port"], licks["port"])


def test_light_power_is_a_step_at_each_stimulation(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    trials = full_session["trials"].to_pandas()
    for site in ("left_alm", "both_alm"):
        series = nwb.stimulus[f"photostim_{site}"]
        rows = trials[trials["photostim_site"] == site]
        times, power = series.timestamps[:], series.data[:]
        for onset, duration in zip(rows["photostim_onset_s"], rows["photostim_duration_s"], strict=True):
            held = power[np.searchsorted(times, [onset - 1e-3, onset + 1e-3, onset + duration + 1e-3], "right") - 1]
            np.testing.assert_allclose(held, [0.0, 5.5e-3, 0.0])
        energy_j = float(np.sum(np.diff(times) * power[:-1]))
        assert energy_j == pytest.approx(len(rows) * 0.5 * 5.5e-3)
        assert series.unit == "watts"
        assert series.site.excitation_lambda == 473.0
    assert "mirror image on the left" in nwb.ogen_sites["both_alm"].location
    assert "right_alm" not in nwb.ogen_sites


def test_electrodes_have_the_axes_of_nwb(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    electrodes = full_session["electrodes"].to_pandas()
    frame = nwb.electrodes.to_dataframe()
    assert len(frame) == len(electrodes)
    for name, source in [
        ("x", "ccf_ap_um"),
        ("y", "ccf_dv_um"),
        ("z", "ccf_ml_um"),
        ("rel_x", "x_um"),
        ("rel_y", "y_um"),
    ]:
        np.testing.assert_array_equal(frame[name], electrodes[source])
    np.testing.assert_array_equal(frame["location"], electrodes["region"].fillna("root"))
    np.testing.assert_array_equal(frame["region_status"], electrodes["region_status"])
    np.testing.assert_array_equal(frame["channel"], full_session["probe_sites"]["channel"].to_pylist())
    assert frame["is_used"].sum() == 2 * 383
    group = nwb.electrode_groups["probe1"]
    assert "ALM left" in group.location
    assert "MOs1, MOs5" in group.location
    assert nwb.electrode_groups["probe2"].location == "unknown"
    assert (group.device.serial_number, group.device.model.manufacturer) == ("18005107871", "imec")
    assert group.device.model.model_number == "PRB_1_4_0480_1"


def test_spikes_stand_on_the_session_clock_where_the_probe_observed(
    nwb: Any, full_session: dict[str, pa.Table], made: SimpleNamespace
) -> None:
    trains = {
        (row["probe"], row["unit_id"]): np.array(row["samples"], np.int64) for row in full_session["spikes"].to_pylist()
    }
    frame = nwb.units.to_dataframe()
    units = full_session["units"].to_pandas()
    assert list(zip(frame["probe"], frame["unit_id"], strict=True)) == list(
        zip(units["probe"], units["unit_id"], strict=True)
    )
    for _, unit in frame.iterrows():
        whole_s = made.clocks[unit["probe"]].session_s(trains[unit["probe"], unit["unit_id"]] / made.rate_hz)
        intervals = unit["obs_intervals"]
        kept = whole_s[np.any([(whole_s >= a) & (whole_s < b) for a, b in intervals], axis=0)]
        np.testing.assert_array_equal(unit["spike_times"], kept)
    trials = full_session["trials"].to_pandas().set_index("trial")
    start, stop = trials["start_s"], trials["stop_s"]
    of_first, of_second = (frame[frame["probe"] == probe]["obs_intervals"].iloc[0] for probe in (1, 2))
    skipped = trials["until_s"].loc[2]
    np.testing.assert_array_equal(of_first, [[start.loc[1], skipped], [start.loc[4], stop.iloc[-1]]])
    rest_of_second = [[start.loc[4], start.loc[10]], [start.loc[13], start.loc[30]]]
    np.testing.assert_array_equal(of_second, [[start.loc[1], skipped], *rest_of_second])


def test_a_silent_unit_was_observed(nwb: Any) -> None:
    frame = nwb.units.to_dataframe()
    silent = frame[frame["n_spikes"] == 0]
    assert len(silent) == 2
    assert [len(times) for times in silent["spike_times"]] == [0, 0]
    assert [len(intervals) for intervals in silent["obs_intervals"]] == [2, 3]


def test_units_know_their_electrode_waveform_and_metrics(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    units = full_session["units"].to_pandas()
    table = nwb.units
    assert len(table["electrodes"][2]) == 0
    for row in (0, 3, len(units) - 1):
        electrode = table["electrodes"][row]
        assert electrode["electrode"].tolist() == [units["electrode"][row]]
        assert electrode["probe"].tolist() == [units["probe"][row]]
        assert table["electrode_group"][row].name == f"probe{units['probe'][row]}"
        np.testing.assert_allclose(table["waveform_mean"][row], units["waveform_uv"][row] * 1e-6, rtol=1e-6)
    assert np.isnan(table["waveform_mean"][5]).all()
    assert table.waveform_unit == "volts"
    assert table.waveform_rate == pytest.approx(30000.2741)
    assert table.resolution == pytest.approx(1 / 30000.2741)
    np.testing.assert_array_equal(table["isi_violation"][:], units["isi_violation"])
    assert table["epoch_name_quality_metrics"][0] == "complete_session"
    assert not {"d_prime", "snr"} & set(table.colnames), "a metric that no unit has is left out"


def test_poses_keep_their_likelihood_and_share_their_times(nwb: Any, full_session: dict[str, pa.Table]) -> None:
    tracking = full_session["tracking"].to_pandas()
    jaw = tracking[(tracking["camera"] == "side") & (tracking["feature"] == "jaw")]
    behavior = nwb.processing["behavior"]
    series = behavior["position_side"]["jaw"]
    np.testing.assert_array_equal(series.timestamps[:], np.concatenate(jaw["frame_s"].tolist()))
    np.testing.assert_array_equal(series.data[:, 0], np.concatenate(jaw["x_px"].tolist()))
    np.testing.assert_array_equal(series.data[:, 1], np.concatenate(jaw["y_px"].tolist()))
    likelihood = behavior["likelihood_side"]["jaw"]
    np.testing.assert_array_equal(likelihood.data[:], np.concatenate(jaw["likelihood"].tolist()))
    np.testing.assert_array_equal(likelihood.timestamps[:], series.timestamps[:])
    assert "derived" in series.description


def test_units_of_a_probe_without_a_clock_are_left_out_and_the_notes_say_so(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    clocks = full_session["clock_maps"]
    first = clocks.to_pylist()[0]
    no_anchor = first | {"n_anchors": 0, "drift_ppm": None, "offset_s": None, "probe": 2}
    tables = full_session | {"clock_maps": pa.Table.from_pylist([first, no_anchor], clocks.schema)}
    write_nwb(tmp_path / "one.nwb", made.key, tables, made.subject, made.laboratory)
    with opened(tmp_path / "one.nwb") as io:
        nwb = io.read()
        assert set(nwb.units["probe"][:]) == {1}
        assert "The 20 units of probe 2 are left out: its clock has no anchor on the session clock." in nwb.notes
        assert "probe2" in nwb.electrode_groups


def test_a_login_is_no_experimenter_but_is_not_lost(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    sessions = full_session["sessions"]
    column = sessions.schema.get_field_index("experimenter")
    tables = {
        "sessions": sessions.set_column(column, "experimenter", pa.array(["susu"])),
        "trials": full_session["trials"],
    }
    write_nwb(tmp_path / "x.nwb", made.key, tables, Subject("1", "SC022"), Laboratory())
    with opened(tmp_path / "x.nwb") as io:
        nwb = io.read()
        assert nwb.experimenter is None
        assert "Experimenter as registered: susu." in nwb.notes
        assert "Photostimulation left_alm is in the trials table only" in nwb.notes


@pytest.mark.parametrize("profile", ["map-assets", "dandi-000363"])
def test_an_animal_that_was_born_after_its_session_is_told_and_no_file_is_made(
    made: SimpleNamespace, full_session: dict[str, pa.Table], tmp_path: Path, profile: Any
) -> None:
    told = dataclasses.replace(made.subject, date_of_birth=date(2019, 3, 1))
    with pytest.raises(SubjectDoesNotFit, match=r"born on 2019-03-01, after .*2019-02-28.*registry import"):
        write_nwb(tmp_path / "x.nwb", made.key, full_session, told, made.laboratory, profile=profile)
    assert not (tmp_path / "x.nwb").exists()
    told = dataclasses.replace(made.subject, date_of_birth=date(2019, 2, 28))
    write_nwb(tmp_path / "x.nwb", made.key, full_session, told, made.laboratory)


def test_a_missing_table_and_another_sessions_table_are_told(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    only = {"trials": full_session["trials"]}
    with pytest.raises(NoSuchTable, match="needs the table sessions"):
        write_nwb(tmp_path / "x.nwb", made.key, only, made.subject, made.laboratory)
    with pytest.raises(TableDoesNotFit, match="expected the one row of SC023_20190228_151010"):
        write_nwb(tmp_path / "x.nwb", "SC023_20190228_151010", full_session, made.subject, made.laboratory)


def test_light_of_unknown_power_stays_in_the_trials_table_and_the_notes_say_so(
    full_session: dict[str, pa.Table], made: SimpleNamespace, tmp_path: Path
) -> None:
    trials = full_session["trials"]
    column = trials.schema.get_field_index("photostim_power_mw")
    unknown = trials.set_column(column, "photostim_power_mw", pa.nulls(trials.num_rows, pa.float64()))
    write_nwb(tmp_path / "x.nwb", made.key, full_session | {"trials": unknown}, made.subject, made.laboratory)
    with opened(tmp_path / "x.nwb") as io:
        nwb = io.read()
        assert "Photostimulation of 10 trials is in the trials table only" in nwb.notes
        assert not nwb.stimulus
        assert np.isfinite(nwb.trials["photostim_onset_time"][:]).sum() == 10


def test_frames_that_run_into_the_next_trial_are_counted_in_the_notes(made: SimpleNamespace, tmp_path: Path) -> None:
    tables = made.behavior(6)
    tables["tracking"] = made.tracking(tables["trials"], n_frames=1900)
    write_nwb(tmp_path / "x.nwb", made.key, tables, made.subject, made.laboratory)
    with h5py.File(tmp_path / "x.nwb") as file:
        notes = file["general/notes"].asstr()[()]
    assert "In 4 trials the frames of the side camera run into the next trial's" in notes
