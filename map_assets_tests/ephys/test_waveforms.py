"""Mean waveforms out of raw recordings: hand-made ones, made-up sessions and real runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys import spike_windows
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.spike_windows import FIRST_SAMPLE, MOST_SPIKES, N_SAMPLES, average_windows, choose_spikes
from map_assets.ephys.tables import SPIKES, UNIT_WAVEFORMS, UNITS
from map_assets.ephys.waveforms import make_unit_waveforms
from map_assets.shares.roles import rule_of
from map_assets.simulate.blueprint import Part
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import demo_plan
from map_assets.simulate.raw import NOISE_UV
from map_assets.simulate.truth import read_truth
from map_assets.vocabulary.errors import CompanionMissing, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected

FOLDER = "SC022/catgt_SC022_030319_g0/SC022_030319_g0_imec0"
STEM = f"{FOLDER}/SC022_030319_g0_tcat.imec0.ap"
MEANS = f"{FOLDER}/imec0_ks2/mean_waveforms.npy"
UV = 0.6 / 512 / 500 * 1e6
SESSION = "SC022_20190303_151010"
SPIKE = 100
SHAPE = np.round(40 * np.sin(np.arange(N_SAMPLES) / 6) * np.exp(-np.abs(np.arange(N_SAMPLES) - 41) / 9))


def session_files(root: Path) -> list[FoundFile]:
    """All files under a root, with the roles that a scan of an ephys share gives them."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        relpath, status = path.relative_to(root).as_posix(), path.stat()
        role = rule_of("ephys", relpath).role or "raw"
        found.append(FoundFile("ephys", root, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns))
    return found


@dataclass(frozen=True)
class Made:
    rows: list[dict[str, Any]]
    rejected: tuple[Rejected, ...]
    table: pa.Table


def sorting(
    trains: Mapping[int, Sequence[int]],
    peaks: Mapping[int, int | None],
    named: str | None = "b",
    waveforms: Mapping[int, np.ndarray] | None = None,
) -> tuple[pa.Table, pa.Table]:
    """`units` and `spikes` of probe 1."""
    common = {"session": SESSION, "probe": 1}
    ordinary = {"quality": "good", "quality_source": "none", "x_um": 0.0, "y_um": 0.0, "sorting": named}
    waveform_uv = {unit: np.asarray(shape, np.float32) for unit, shape in (waveforms or {}).items()}
    units = [
        {
            **common,
            **ordinary,
            "unit_id": unit,
            "peak_channel": peaks[unit],
            "n_spikes": len(train),
            "waveform_uv": waveform_uv.get(unit, []),
        }
        for unit, train in trains.items()
    ]
    spikes = [{**common, "unit_id": unit, "samples": list(train)} for unit, train in trains.items()]
    return UNITS.from_rows(units), SPIKES.from_rows(spikes)


def make_table(
    root: Path,
    trains: Mapping[int, Sequence[int]],
    peaks: Mapping[int, int | None],
    named: str | None = "b",
    waveforms: Mapping[int, np.ndarray] | None = None,
    past: Sequence[pa.Table] = (),
) -> Made:
    """Go from the files under a root to the table; `past` is what stood, the youngest first."""
    files = session_files(root)
    tables, _ = read_recordings(SESSION, files)
    table, rejected = make_unit_waveforms(
        SESSION,
        files,
        tables["recordings"],
        tables["probe_sites"],
        *sorting(trains, peaks, named, waveforms),
        past=lambda name: iter(past if name == "unit_waveforms" else ()),
    )
    return Made(table.to_pylist(), rejected, UNIT_WAVEFORMS.check(table))


def write_run(root: Path, make: SimpleNamespace, raw: np.ndarray, **changes: str) -> Path:
    """A run with four AP channels and sync; the last AP channel is the reference."""
    size = {"fileSizeBytes": str(raw.astype("<i2").nbytes)}
    make.write_meta(root / f"{STEM}.meta", **(size | changes))
    path = root / f"{STEM}.bin"
    path.write_bytes(raw.astype("<i2").tobytes())
    return path


def recording_with(spikes: Sequence[int], heights: Sequence[float], n_samples: int = 2000) -> np.ndarray:
    """Silence with one shape at every spike, so many times as high on each channel."""
    raw = np.zeros((n_samples, 5))
    for spike in spikes:
        raw[spike - 41 : spike + 41, :4] += SHAPE[:, None] * np.array(heights)
    return raw


def test_a_known_shape_comes_back_in_microvolts(tmp_path: Path, make: SimpleNamespace) -> None:
    raw = recording_with([SPIKE, 400, 900], [1, 3, 2, 0]) + 17
    write_run(tmp_path, make, raw)
    (row,) = make_table(tmp_path, {7: [SPIKE, 400, 900]}, {7: 1}).rows
    assert (row["source"], row["n_spikes_used"], row["unit_id"]) == ("ap.bin", 3, 7)
    assert (row["n_samples"], row["first_sample_from_spike"], row["sample_rate_hz"]) == (82, -41, 30000.25)
    assert (row["peak_channel"], row["electrode"], row["largest_electrode"]) == (1, 1, 1)
    assert row["electrodes"] == [1, 0, 2]  # the peak, then 32 um across, then 48 um across and 20 um up
    found = np.array(row["waveform_uv"]).reshape(3, 82)
    shape = SHAPE - np.median(SHAPE)
    np.testing.assert_allclose(found, np.outer([3, 1, 2], shape) * UV, rtol=1e-6, atol=1e-4)
    assert row["amplitude_uv"] == pytest.approx(3 * np.ptp(SHAPE) * UV)
    assert (row["noise_uv"], row["snr"]) == (None, None)  # nothing is left of the single spikes


def test_every_channel_has_its_own_gain(tmp_path: Path, make: SimpleNamespace) -> None:
    gains = "".join(f"({channel} 0 0 {(500, 250, 1000, 500)[channel % 4]} 250 1)" for channel in range(384))
    write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 1]), **{"~imroTbl": f"(0,384){gains}"})
    (row,) = make_table(tmp_path, {0: [SPIKE]}, {0: 0}).rows
    heights = np.ptp(np.array(row["waveform_uv"]).reshape(-1, 82), axis=1)
    by_channel = dict(zip(row["electrodes"], heights / (np.ptp(SHAPE) * UV), strict=True))
    assert by_channel == pytest.approx({0: 1.0, 1: 2.0, 2: 0.5}, rel=1e-6)


def test_noise_is_what_is_left_after_the_mean(tmp_path: Path, make: SimpleNamespace) -> None:
    raw = recording_with([SPIKE, 400], [4, 1, 1, 0])
    raw[SPIKE + 5, 0] += 30
    raw[400 + 5, 0] -= 30
    write_run(tmp_path, make, raw)
    (row,) = make_table(tmp_path, {0: [SPIKE, 400]}, {0: 0}).rows
    assert row["noise_uv"] == pytest.approx(np.sqrt(2 * 30**2 / (2 * 82)) * UV, rel=1e-6)
    assert row["snr"] == pytest.approx(4 * np.ptp(SHAPE) * UV / (2 * row["noise_uv"]), rel=1e-6)


def test_spikes_without_a_whole_window_take_no_part(tmp_path: Path, make: SimpleNamespace) -> None:
    write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0], n_samples=300))
    trains = {0: [3, 40, 41, SPIKE, 259, 260, 299], 1: [2, 290, 5000], 2: []}
    made = make_table(tmp_path, trains, {0: 0, 1: 0, 2: 1})
    assert [(row["unit_id"], row["n_spikes_used"]) for row in made.rows] == [(0, 3)]
    assert made.rejected == ()


def test_a_larger_neighbour_is_named(tmp_path: Path, make: SimpleNamespace) -> None:
    write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 4, 9]))
    (row,) = make_table(tmp_path, {0: [SPIKE]}, {0: 0}).rows
    assert (row["electrode"], row["largest_electrode"]) == (0, 2)  # the reference contact does not count


def test_an_incomplete_copy_waits(tmp_path: Path, make: SimpleNamespace) -> None:
    path = write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0]))
    path.write_bytes(path.read_bytes()[:5000])
    made = make_table(tmp_path, {0: [SPIKE]}, {0: 0})
    (rejected,) = made.rejected
    assert made.rows == []
    assert isinstance(rejected.error, CompanionMissing)
    assert "incomplete copy, 5000 bytes" in str(rejected.error)
    assert [file.path for file in rejected.files] == [path]


def test_a_binary_without_its_meta_waits_and_one_that_is_not_there_is_no_fault(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    path = write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0]))
    other = path.with_name(path.name.replace("_tcat", "_t0"))
    path.rename(other)
    made = make_table(tmp_path, {0: [SPIKE]}, {0: 0})
    assert made.rows == []
    (rejected,) = made.rejected
    assert isinstance(rejected.error, CompanionMissing)
    assert other.with_suffix(".meta").name in str(rejected.error)
    other.unlink()
    made = make_table(tmp_path, {0: [SPIKE]}, {0: 0})
    assert (made.rows, made.rejected) == ([], ())


def test_a_recording_that_is_longer_than_its_meta_is_set_aside(tmp_path: Path, make: SimpleNamespace) -> None:
    path = write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0]))
    tables, _ = read_recordings(SESSION, session_files(tmp_path))
    path.write_bytes(path.read_bytes() + bytes(10))
    tables |= dict(zip(("units", "spikes"), sorting({0: [SPIKE]}, {0: 0}), strict=True))
    wanted = [tables[name] for name in ("recordings", "probe_sites", "units", "spikes")]
    table, rejected = make_unit_waveforms(SESSION, session_files(tmp_path), *wanted)
    assert table.num_rows == 0
    assert isinstance(rejected[0].error, PiecesDoNotFit)


def write_means(root: Path, name: str = "imec0_ks2", n_channels: int = 5) -> np.ndarray:
    """Means of clusters 0 to 5; cluster 5 is two and three times as large on channels 1 and 2 as on channel 0."""
    means = np.zeros((6, 5, 82), np.float32)
    means[5, :4] = np.outer([1, 2, 3, 0], SHAPE)
    path = root / FOLDER / name / "mean_waveforms.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, means[:, :n_channels])
    return means


def test_the_sorters_means_stand_in_for_a_missing_recording(tmp_path: Path, make: SimpleNamespace) -> None:
    write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0])).unlink()
    write_means(tmp_path)
    trains, peaks = {5: [SPIKE], 9: [SPIKE]}, {5: 2, 9: 0}
    made = make_table(tmp_path, trains, peaks, waveforms={5: 3 * SHAPE})
    assert made.rejected == ()
    (row,) = made.rows
    assert (row["source"], row["unit_id"], row["largest_electrode"]) == ("mean_waveforms.npy", 5, 2)
    assert row["sorting"] == "b"
    assert row["amplitude_uv"] == pytest.approx(3 * np.ptp(SHAPE))
    for name in ("n_spikes_used", "first_sample_from_spike", "noise_uv", "snr"):
        assert row[name] is None
    # cluster 5 of another sorting is another unit: what the file has is not what the unit has
    for waveforms in ({}, {5: 2 * SHAPE}, {5: 3 * SHAPE[:40]}, {9: 3 * SHAPE}):
        made = make_table(tmp_path, trains, peaks, waveforms=waveforms)
        assert (made.rows, made.rejected) == ([], ())
    # of two sortings' files the one that the units come from counts
    np.save(tmp_path / FOLDER / "imec0_ks2" / "mean_waveforms.npy", np.zeros((6, 5, 82), np.float32))
    write_means(tmp_path, "imec0_ks4")
    assert make_table(tmp_path, trains, peaks, waveforms={5: 3 * SHAPE}).rows == [row]


def test_neighbours_that_the_sorters_means_lack_are_left_out(tmp_path: Path, make: SimpleNamespace) -> None:
    write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0])).unlink()
    write_means(tmp_path, n_channels=2)
    trains, peaks, waveforms = {5: [SPIKE], 4: [SPIKE]}, {5: 1, 4: 2}, {5: 2 * SHAPE, 4: 0 * SHAPE}
    made = make_table(tmp_path, trains, peaks, waveforms=waveforms)
    assert made.rejected == ()
    (row,) = made.rows  # the other unit's own peak is not in the file
    assert (row["unit_id"], row["electrodes"], row["n_channels"]) == (5, [1, 0], 2)
    np.testing.assert_allclose(row["waveform_uv"], np.r_[2 * SHAPE, SHAPE])


@pytest.mark.parametrize("damage", [b"", b"no array", None, "shape", "0-d"])
def test_a_sorters_file_is_never_refused_here(
    tmp_path: Path, make: SimpleNamespace, damage: bytes | str | None, caplog: pytest.LogCaptureFixture
) -> None:
    write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0])).unlink()
    write_means(tmp_path)
    path = tmp_path / MEANS
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    elif damage is None:
        np.save(path, np.array([{}], object), allow_pickle=True)
    else:
        np.save(path, np.zeros((6, 5)) if damage == "shape" else np.float64(1.0))
    with caplog.at_level("INFO"):
        made = make_table(tmp_path, {5: [SPIKE]}, {5: 2}, waveforms={5: 3 * SHAPE})
    assert (made.rows, made.rejected) == ([], ())
    assert ("mean_waveforms.npy" in caplog.text) == (damage not in {"shape", "0-d"})


def test_what_was_measured_stays_when_the_recording_leaves_and_never_becomes_another_sortings(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    path = write_run(tmp_path, make, recording_with([SPIKE, 400], [1, 3, 2, 0]))
    first = make_table(tmp_path, {7: [SPIKE], 8: [400]}, {7: 1, 8: 0}, "a")
    assert {row["sorting"] for row in first.rows} == {"a"}
    path.unlink()
    assert make_table(tmp_path, {7: [SPIKE], 8: [400]}, {7: 1, 8: 0}, "a", past=[first.table]).rows == first.rows
    # another sorting has units of the same ids, and nothing of theirs is known
    second = make_table(tmp_path, {7: [400], 8: [SPIKE]}, {7: 1, 8: 0}, "b", past=[first.table])
    assert (second.rows, second.rejected) == ([], ())
    past = [second.table, first.table]
    for unnamed in (None, "c"):
        assert make_table(tmp_path, {7: [400]}, {7: 1}, unnamed, past=past).rows == []
    # the first one is chosen again: its rows are found in what stood before
    assert make_table(tmp_path, {7: [SPIKE], 8: [400]}, {7: 1, 8: 0}, "a", past=past).rows == first.rows
    # a unit with another peak now, or one that is gone, has no row
    assert make_table(tmp_path, {7: [SPIKE]}, {7: 0}, "a", past=past).rows == []
    assert [row["unit_id"] for row in make_table(tmp_path, {8: [400]}, {8: 0}, "a", past=past).rows] == [8]
    # before versions had names rows did not tell whose they are
    older = first.table.drop_columns(["sorting"])
    assert make_table(tmp_path, {7: [SPIKE]}, {7: 1}, "a", past=[older, first.table]).rows == first.rows[:1]


def test_what_was_measured_stays_while_a_copy_of_the_recording_is_on_its_way(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    path = write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0]))
    first = make_table(tmp_path, {0: [SPIKE]}, {0: 0})
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    made = make_table(tmp_path, {0: [SPIKE]}, {0: 0}, past=[first.table])
    assert made.rows == first.rows
    assert [type(one.error) for one in made.rejected] == [CompanionMissing]


def test_what_was_measured_goes_before_the_sorters_means_and_these_stay_too(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    path = write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0]))
    write_means(tmp_path)
    measured = make_table(tmp_path, {5: [SPIKE]}, {5: 2}, waveforms={5: 3 * SHAPE})
    assert [row["source"] for row in measured.rows] == ["ap.bin"]
    path.unlink()
    told = make_table(tmp_path, {5: [SPIKE]}, {5: 2}, waveforms={5: 3 * SHAPE})
    assert [row["source"] for row in told.rows] == ["mean_waveforms.npy"]
    again = make_table(tmp_path, {5: [SPIKE]}, {5: 2}, waveforms={5: 3 * SHAPE}, past=[told.table, measured.table])
    assert again.rows == measured.rows
    (tmp_path / MEANS).unlink()
    assert make_table(tmp_path, {5: [SPIKE]}, {5: 2}, past=[told.table]).rows == told.rows


def test_a_unit_whose_peak_is_unknown_has_no_row_and_hinders_none(tmp_path: Path, make: SimpleNamespace) -> None:
    write_run(tmp_path, make, recording_with([SPIKE], [1, 1, 1, 0]))
    made = make_table(tmp_path, {1: [SPIKE], 2: [SPIKE], 3: [SPIKE]}, {1: None, 2: 1, 3: 77})
    assert [row["unit_id"] for row in made.rows] == [2]
    assert make_table(tmp_path, {1: [SPIKE]}, {1: None}).rows == []
    assert "peak channel is unknown" in UNIT_WAVEFORMS.meaning


def test_the_lot_depends_on_nothing_but_the_units_own_name_and_spikes() -> None:
    train = np.sort(np.random.default_rng(0).choice(10**7, 20_000, replace=False))
    chosen = {unit: choose_spikes(SESSION, 1, unit, train, 10**7) for unit in (3, 4)}
    for unit in (4, 3):
        np.testing.assert_array_equal(choose_spikes(SESSION, 1, unit, train, 10**7), chosen[unit])
        assert len(np.unique(chosen[unit])) == MOST_SPIKES
        assert np.isin(chosen[unit], train).all()
        assert (np.diff(chosen[unit]) > 0).all()
        assert abs(np.mean(chosen[unit]) / 10**7 - 0.5) < 0.05
    assert len(np.intersect1d(chosen[3], chosen[4])) < MOST_SPIKES / 5
    assert not np.array_equal(choose_spikes(SESSION, 2, 3, train, 10**7), chosen[3])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n_units=st.integers(1, 7), at_once=st.integers(1, 5))
def test_one_pass_over_the_file_finds_what_a_loop_over_spikes_finds(seed: int, n_units: int, at_once: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.integers(-32768, 32768, (400, 6)).astype(np.int16)
    trains = [rng.integers(41, 400 - 40, rng.integers(0, 6)) for _ in range(n_units)]
    channels = rng.integers(0, 6, (n_units, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spike_windows, "_UNITS_AT_ONCE", at_once)
        patch.setattr(spike_windows, "_MOST_ROWS", 30 * at_once)
        patch.setattr(spike_windows, "_MOST_GAP", at_once)
        found = average_windows(raw, trains, channels)
    whole = average_windows(raw, trains, channels)
    np.testing.assert_array_equal(found.mean, whole.mean)
    for unit, train in enumerate(trains):
        windows = [raw[s + FIRST_SAMPLE : s + FIRST_SAMPLE + N_SAMPLES, channels[unit]].T.astype(float) for s in train]
        if not windows:
            assert np.isnan(found.mean[unit]).all()
            continue
        flat = np.array(windows) - np.median(windows, axis=-1, keepdims=True)
        np.testing.assert_allclose(found.mean[unit], flat.mean(axis=0), rtol=1e-12, atol=1e-9)
        expected = (flat[:, 0] - flat[:, 0].mean(axis=0)).std() if len(train) > 1 else np.nan
        np.testing.assert_allclose(found.residual[unit], expected, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("number", [0, 1], ids=["NP1.0", "NP2.0 four-shank"])
def test_made_up_units_come_back_with_their_size_and_noise(tmp_path: Path, number: int) -> None:
    plan = demo_plan().sessions[number]
    plan = replace(plan, parts=frozenset({Part.RECORDING, Part.SORTING}), raw_s=4.0, probes=plan.probes[:1])
    write_session(tmp_path, plan)
    files = session_files(tmp_path / "ephys")
    recorded, _ = read_recordings(plan.key, files)
    sorted_, _ = read_sortings(plan.key, files, recorded["recordings"], recorded["probe_sites"])
    table, rejected = make_unit_waveforms(
        plan.key, files, recorded["recordings"], recorded["probe_sites"], sorted_["units"], sorted_["spikes"]
    )
    assert rejected == ()
    true = {row["unit_id"]: row for row in read_truth(tmp_path, plan.key).units.to_pylist()}
    often = [row for row in table.to_pylist() if row["n_spikes_used"] >= 6]
    assert len(often) >= 3
    for row in often:
        expected = true[row["unit_id"]]
        assert row["electrode"] == row["largest_electrode"] == expected["electrode"]
        assert row["amplitude_uv"] == pytest.approx(expected["amplitude_uv"], rel=0.02, abs=18)
        assert row["noise_uv"] == pytest.approx(NOISE_UV, rel=0.6)
        assert abs(int(np.argmin(row["waveform_uv"][:N_SAMPLES])) + FIRST_SAMPLE) <= 2
        assert row["snr"] == pytest.approx(row["amplitude_uv"] / (2 * row["noise_uv"]))


@pytest.mark.parametrize(
    ("run", "uv"),
    [
        ("TEST_20210920_0_g0/TEST_20210920_0_g0_t0", 0.762939453125),
        ("Noise4Sam_g0/Noise4Sam_g0_imec0/Noise4Sam_g0_t0", UV),
    ],
)
def test_a_real_run_is_read_when_all_of_it_is_there(shared_data: Path, tmp_path: Path, run: str, uv: float) -> None:
    source = shared_data / "spikeglx" / "runs" / f"{run}.imec0.ap.bin"
    path = tmp_path / f"{STEM}.bin"
    path.parent.mkdir(parents=True)
    shutil.copyfile(source, path)
    text = source.with_suffix(".meta").read_text()
    path.with_suffix(".meta").write_text(text)
    made = make_table(tmp_path, {0: [300, 500]}, {0: 20})
    assert made.rows == []
    assert "incomplete copy" in str(made.rejected[0].error)
    lines = [line for line in text.splitlines() if not line.startswith("fileSizeBytes=")]
    path.with_suffix(".meta").write_text("\n".join([*lines, f"fileSizeBytes={path.stat().st_size}", ""]))
    (row,) = make_table(tmp_path, {0: [300, 500]}, {0: 20}).rows
    raw = np.fromfile(path, "<i2").reshape(-1, 385)[:, 20].astype(float)
    windows = [raw[spike - 41 : spike + 41] - np.median(raw[spike - 41 : spike + 41]) for spike in (300, 500)]
    np.testing.assert_allclose(row["waveform_uv"][:82], np.mean(windows, axis=0) * uv, rtol=1e-5, atol=1e-4)
    assert row["n_channels"] == 12
    assert row["electrodes"][0] == row["electrode"]
