"""Power of the field potential: hand-made recordings of known power, made-up sessions and real runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from map_assets.ephys import lfp
from map_assets.ephys.lfp import BANDS, STRETCH_S, band_power, make_lfp_power
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.spikeglx_bin import WHOLE, BinFile
from map_assets.ephys.tables import LFP_POWER
from map_assets.shares.roles import rule_of
from map_assets.simulate.blueprint import Part
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import demo_plan
from map_assets.simulate.raw import theta_amplitude_uv
from map_assets.vocabulary.errors import CompanionMissing, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile, Rejected

SESSION = "SC022_20190303_151010"
FOLDER = "SC022/catgt_SC022_030319_g0/SC022_030319_g0_imec0"
STEM = f"{FOLDER}/SC022_030319_g0_tcat.imec0"
OWN = f"{FOLDER}/SC022_030319_g0_t0.imec0"
SECONDS = 7.0
LF_UV = 0.6 / 512 / 250 * 1e6
NP2_UV = 0.5 / 8192 / 80 * 1e6
NP2 = {
    "imDatPrb_pn": "NP2000",
    "imDatPrb_type": "21",
    "imAiRangeMax": "0.5",
    "acqApLfSy": "384,0,1",
    "snsSaveChanSubset": "0:3,384",
    "~imroTbl": "(21,384)" + "".join(f"({channel} 1 0 {channel})" for channel in range(384)),
    "~snsShankMap": "(1,2,640)(0:0:0:1)(0:1:0:1)(0:0:1:1)(0:1:1:0)",
}
NP1 = {"acqApLfSy": "384,384,1"}
LF = {**NP1, "imSampRate": "2500.0208", "snsApLfSy": "0,4,1", "snsSaveChanSubset": "384:387,768", "~snsShankMap": None}


@dataclass(frozen=True)
class Made:
    table: pa.Table
    rejected: tuple[Rejected, ...]

    def powers(self, band: str) -> dict[int, float | None]:
        """Power by contact."""
        rows = self.table.filter(pc.equal(self.table["band"], band)).to_pylist()
        return {row["electrode"]: row["power_uv2"] for row in rows}


def session_files(root: Path) -> list[FoundFile]:
    """All files under a root, with the roles that a scan of an ephys share gives them."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        relpath, status = path.relative_to(root).as_posix(), path.stat()
        role = rule_of("ephys", relpath).role or "raw"
        found.append(FoundFile("ephys", root, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns))
    return found


def make_table(root: Path, session: str = SESSION, past: Sequence[pa.Table] = ()) -> Made:
    """Go from the files under a root to the table; `past` is what stood, the youngest first."""
    files = session_files(root)
    tables, _ = read_recordings(session, files)
    return Made(*make_lfp_power(session, files, tables["recordings"], tables["probe_sites"], past=lambda _: iter(past)))


def signal_uv(rate_hz: float) -> np.ndarray:
    """Four channels: 2 Hz and 8 Hz together, 20 Hz, 45 Hz, and silence; an offset on the first."""
    t = np.arange(round(SECONDS * rate_hz)) / rate_hz
    waves = [np.sin(2 * np.pi * hz * t) for hz in (2.0, 8.0, 20.0, 45.0)]
    return np.stack([300 + 60 * waves[0] + 200 * waves[1], 150 * waves[2], 100 * waves[3], 0 * t], axis=1)


TRUE = {
    "delta": {0: 60**2 / 2, 1: 0.0, 2: 0.0},
    "theta": {0: 200**2 / 2, 1: 0.0, 2: 0.0},
    "beta": {0: 0.0, 1: 150**2 / 2, 2: 0.0},
    "gamma": {0: 0.0, 1: 0.0, 2: 100**2 / 2},
}


def write_bin(path: Path, uv: np.ndarray, uv_per_bit: float) -> np.ndarray:
    raw = np.concatenate([np.round(uv / uv_per_bit), np.full((len(uv), 1), 64)], axis=1).astype("<i2")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw.tobytes())
    return raw


def write_pair(root: Path, name: str, make: SimpleNamespace, uv: np.ndarray, uv_per_bit: float, **meta: str) -> Path:
    raw = write_bin(root / f"{name}.bin", uv, uv_per_bit)
    make.write_meta(root / f"{name}.meta", **{"fileSizeBytes": str(raw.nbytes), **meta})
    return root / f"{name}.bin"


def write_np1(root: Path, make: SimpleNamespace, lf: np.ndarray | None = None, **changes: str) -> Path:
    """A NP1.0 run: an AP meta file alone, and the LF band."""
    make.write_meta(root / f"{STEM}.ap.meta", **NP1)
    return write_pair(root, f"{STEM}.lf", make, signal_uv(2500.0208) if lf is None else lf, LF_UV, **{**LF, **changes})


def assert_true(made: Made, tolerance: float = 0.01) -> None:
    assert made.rejected == ()
    for band, powers in TRUE.items():
        found = made.powers(band)
        assert found.pop(max(found)) is None  # the reference contact
        for power, true in zip(found.values(), powers.values(), strict=True):
            assert power == pytest.approx(true, rel=tolerance, abs=1.0)


def test_what_was_measured_stays_when_the_file_leaves_and_while_it_comes_back(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    path = write_np1(tmp_path, make)
    first = make_table(tmp_path)
    assert first.table.num_rows
    whole = path.read_bytes()
    path.unlink()
    assert make_table(tmp_path).table.num_rows == 0
    gone = make_table(tmp_path, past=[LFP_POWER.empty(), first.table])
    assert gone.table.equals(first.table)
    assert gone.rejected == ()
    path.write_bytes(whole[:1000])
    coming = make_table(tmp_path, past=[gone.table])
    assert coming.table.equals(first.table)
    assert [type(one.error) for one in coming.rejected] == [CompanionMissing]
    # the power at contacts that the probe does not have is not its power
    rows = [{**row, "electrode": row["electrode"] + 700} for row in first.table.to_pylist()]
    assert make_table(tmp_path, past=[LFP_POWER.from_rows(rows), first.table]).table.num_rows == 0
    path.write_bytes(whole)
    louder = LFP_POWER.from_rows({**row, "n_stretches": 99} for row in first.table.to_pylist())
    assert make_table(tmp_path, past=[louder]).table.equals(first.table)


def test_the_lf_band_tells_the_power_at_every_contact(tmp_path: Path, make: SimpleNamespace) -> None:
    path = write_np1(tmp_path, make)
    made = make_table(tmp_path)
    assert_true(made)
    rows = made.table.to_pylist()
    assert {(row["band"], row["low_hz"], row["high_hz"]) for row in rows} == set(BANDS)
    assert {row["source"] for row in rows} == {"lf.bin"}
    assert {row["file"] for row in rows} == {path.relative_to(tmp_path).as_posix()}
    assert {(row["electrode"], row["y_um"]) for row in rows} == {(0, 0.0), (1, 0.0), (2, 20.0), (3, 20.0)}
    assert {row["n_stretches"] for row in rows} == {3}


def test_a_broad_ap_band_tells_the_same_and_nothing_folds_into_it(tmp_path: Path, make: SimpleNamespace) -> None:
    rate_hz = 30000.25
    uv = signal_uv(rate_hz)
    t = np.arange(len(uv)) / rate_hz
    uv += 500 * np.sin(2 * np.pi * 1020.0 * t)[:, None] + 300 * np.sin(2 * np.pi * 3006.0 * t)[:, None]
    write_pair(tmp_path / "np2", f"{STEM}.ap", make, uv, NP2_UV, **NP2)
    broad = make_table(tmp_path / "np2")
    assert_true(broad)
    assert set(broad.table["source"].to_pylist()) == {"ap.bin"}
    write_np1(tmp_path / "np1", make)
    slow = make_table(tmp_path / "np1")
    for band, powers in TRUE.items():
        found = zip(broad.powers(band).values(), slow.powers(band).values(), powers.values(), strict=False)
        for one, other, true in found:
            assert true == 0.0 or one == pytest.approx(other, rel=0.005)


def test_an_ap_band_that_catgt_has_filtered_holds_no_field_potential(tmp_path: Path, make: SimpleNamespace) -> None:
    command = "<CatGT -run=SC022_030319 -g=0 -t=0 -ap -apfilter=butter,12,300,9000 -gblcar>"
    uv = signal_uv(30000.25)
    write_pair(tmp_path, f"{STEM}.ap", make, uv / 5, NP2_UV, **NP2, catGTCmdline0=command)
    assert make_table(tmp_path) == Made(lfp.LFP_POWER.empty(), ())
    own = write_pair(tmp_path, f"{OWN}.ap", make, uv, NP2_UV, **NP2)
    made = make_table(tmp_path)
    assert_true(made)
    assert set(made.table["file"].to_pylist()) == {own.relative_to(tmp_path).as_posix()}


def test_an_ap_band_of_a_probe_with_an_lf_band_is_no_source(tmp_path: Path, make: SimpleNamespace) -> None:
    write_pair(tmp_path, f"{STEM}.ap", make, signal_uv(30000.25)[:, :4], 2.34375, **NP1)
    assert make_table(tmp_path) == Made(lfp.LFP_POWER.empty(), ())


def test_contacts_that_the_lf_file_lacks_are_null(tmp_path: Path, make: SimpleNamespace) -> None:
    lf = signal_uv(2500.0208)[:, [1, 2]]
    write_np1(tmp_path, make, lf, snsApLfSy="0,2,1", nSavedChans="3", snsSaveChanSubset="385:386,768")
    made = make_table(tmp_path)
    assert made.rejected == ()
    assert made.powers("beta")[1] == pytest.approx(150**2 / 2, rel=0.01)
    assert made.powers("gamma")[2] == pytest.approx(100**2 / 2, rel=0.01)
    assert made.powers("theta")[0] is None
    assert made.powers("theta")[3] is None


def test_an_lf_file_of_other_contacts_is_set_aside(tmp_path: Path, make: SimpleNamespace) -> None:
    write_np1(tmp_path, make, snsSaveChanSubset="500:503,768")
    made = make_table(tmp_path)
    assert made.table.num_rows == 0
    assert isinstance(made.rejected[0].error, PiecesDoNotFit)


def test_an_lf_file_waits_for_its_rest_and_for_its_meta(tmp_path: Path, make: SimpleNamespace) -> None:
    path = write_np1(tmp_path, make)
    path.write_bytes(path.read_bytes()[:100_000])
    for expected in ("incomplete copy, 100000 bytes", f"expected {path.with_suffix('.meta').name}"):
        made = make_table(tmp_path)
        assert made.table.num_rows == 0
        (rejected,) = made.rejected
        assert isinstance(rejected.error, CompanionMissing)
        assert expected in str(rejected.error)
        assert [file.path for file in rejected.files] == [path]
        path.with_suffix(".meta").unlink(missing_ok=True)


def test_a_recording_shorter_than_one_stretch_has_no_power(tmp_path: Path, make: SimpleNamespace) -> None:
    write_np1(tmp_path, make, signal_uv(2500.0208)[: int(2500 * STRETCH_S)])
    assert make_table(tmp_path) == Made(lfp.LFP_POWER.empty(), ())


@settings(max_examples=20, deadline=None)
@given(
    hz=st.sampled_from([2.5, 6.0, 10.0, 15.0, 27.0, 33.0, 50.0, 77.0]),
    rate_hz=st.sampled_from([1000.0, 1999.9, 2500.017, 5000.0, 30000.251]),
    amplitude_uv=st.floats(10.0, 2000.0),
    offset=st.integers(-2000, 2000),
)
def test_a_sine_has_half_its_squared_amplitude_in_its_own_band_at_every_rate(
    hz: float, rate_hz: float, amplitude_uv: float, offset: int
) -> None:
    wave = amplitude_uv * np.sin(2 * np.pi * hz * np.arange(round(4.5 * rate_hz)) / rate_hz)
    raw = np.stack([np.round(wave / 0.5) + offset, np.zeros(len(wave))], axis=1).astype(np.int16)
    recording = BinFile(Path("made up"), raw, 1, 0, rate_hz, np.array([0.5, np.nan]), WHOLE)
    found = band_power(recording, np.array([0]))
    assert found is not None
    assert found.n_stretches == 2
    for (_, low, high), (power,) in zip(BANDS, found.power_uv2, strict=True):
        if low <= hz < high:
            assert power == pytest.approx(amplitude_uv**2 / 2, rel=0.02)
        else:
            assert power < 0.002 * amplitude_uv**2 + 0.1


def test_stretches_are_spread_over_the_whole_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lfp, "MOST_STRETCHES", 4)
    rate_hz = 1000.0
    loud = np.zeros(40_000)
    times = np.arange(2_000) / rate_hz
    for start in (19_000 * np.arange(3)).tolist():  # 0, 19 and 38 s; stretches begin at 4.75, 14.25, 23.75, 33.25 s
        loud[start : start + 2_000] = 1000 * np.sin(2 * np.pi * 8 * times)
    loud[14_250:16_250] += 100 * np.sin(2 * np.pi * 8 * times)
    recording = BinFile(Path("made up"), loud[:, None].astype(np.int16), 1, 0, rate_hz, np.ones(1), WHOLE)
    found = band_power(recording, np.array([0]))
    assert found is not None
    assert found.power_uv2[1, 0] == pytest.approx(100**2 / 2 / 4, rel=0.02)


@pytest.mark.parametrize("number", [0, 1], ids=["NP1.0", "NP2.0 four-shank"])
def test_made_up_theta_stands_at_its_depth(tmp_path: Path, number: int) -> None:
    plan = demo_plan().sessions[number]
    plan = replace(plan, parts=frozenset({Part.RECORDING}), raw_s=2.5, probes=plan.probes[:1])
    write_session(tmp_path, plan)
    made = make_table(tmp_path / "ephys", plan.key)
    assert made.rejected == ()
    assert set(made.table["source"].to_pylist()) == {"lf.bin" if number == 0 else "ap.bin"}
    theta = made.table.filter(pc.equal(made.table["band"], "theta"))
    amplitude_uv, power = theta_amplitude_uv(theta["y_um"].to_numpy()), theta["power_uv2"].to_numpy()
    is_reference = theta["electrode"].to_numpy() == (191 if number == 0 else -1)
    np.testing.assert_array_equal(np.isnan(power), is_reference)
    loud = (amplitude_uv > 100) & ~is_reference
    np.testing.assert_allclose(power[loud], amplitude_uv[loud] ** 2 / 2, rtol=0.02)
    for band in ("delta", "beta", "gamma"):
        assert np.nanmax(np.array(list(made.powers(band).values()), float)) < 0.01 * power[loud].max()


@pytest.mark.parametrize("run", ["TEST_20210920_0_g0", "NP2_with_sync/all_chan_g0_imec0"])
def test_a_real_broad_recording_waits_while_it_is_shortened(shared_data: Path, tmp_path: Path, run: str) -> None:
    (source,) = (shared_data / "spikeglx" / "runs" / run).glob("*.ap.bin")
    path = tmp_path / f"{STEM}.ap.bin"
    path.parent.mkdir(parents=True)
    shutil.copyfile(source, path)
    shutil.copyfile(source.with_suffix(".meta"), path.with_suffix(".meta"))
    made = make_table(tmp_path)
    assert made.table.num_rows == 0
    assert "incomplete copy, 770000 bytes so far" in str(made.rejected[0].error)


def test_a_real_broad_recording_is_measured_when_all_of_it_is_there(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "spikeglx/runs/TEST_20210920_0_g0/TEST_20210920_0_g0_t0.imec0.ap.bin"
    raw = np.fromfile(source, "<i2").reshape(-1, 385)
    long = np.concatenate([raw, raw[::-1]] * 35)  # the 33 ms that were kept, to and fro: periods of 15 Hz
    path = tmp_path / f"{STEM}.ap.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(long.tobytes())
    lines = source.with_suffix(".meta").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("fileSizeBytes=")]
    path.with_suffix(".meta").write_text("\n".join([*kept, f"fileSizeBytes={long.nbytes}", ""]))
    made = make_table(tmp_path)
    assert made.rejected == ()
    uv = long[:, :384] * NP2_UV
    folded = np.fft.rfft(uv[:2000], axis=0) / 1000
    tables, _ = read_recordings(SESSION, session_files(tmp_path))
    sites = tables["probe_sites"].to_pandas().set_index("electrode")
    assert set(sites.index[~sites.is_used]) == {one for one, power in made.powers("beta").items() if power is None}
    used = sites.index[sites.is_used]
    assert len(used) > 370
    found = np.sum([[made.powers(band)[electrode] for electrode in used] for band, _, _ in BANDS], axis=0)
    expected = np.sum(np.abs(folded[1:6, sites.channel[used]]) ** 2 / 2, axis=0)  # 15, 30, 45, 60 and 75 Hz
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=0.5)


def test_a_real_lf_meta_without_its_binary_is_no_fault(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "spikeglx/runs/Noise4Sam_g0/Noise4Sam_g0_imec0"
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in ("ap.meta", "ap.bin", "lf.meta"):
        shutil.copyfile(source / f"Noise4Sam_g0_t0.imec0.{name}", tmp_path / f"{STEM}.{name}")
    assert make_table(tmp_path) == Made(lfp.LFP_POWER.empty(), ())
    size = 7500 * 770
    text = (tmp_path / f"{STEM}.lf.meta").read_text().replace("fileSizeBytes=10135510", f"fileSizeBytes={size}")
    (tmp_path / f"{STEM}.lf.meta").write_text(text)
    write_bin(tmp_path / f"{STEM}.lf.bin", np.repeat(signal_uv(2500.0)[:7500, :3], 128, axis=1), 0.6 / 512 / 125 * 1e6)
    made = make_table(tmp_path)
    assert made.powers("theta")[100] == pytest.approx(200**2 / 2, rel=0.01)
    assert made.powers("theta")[191] is None
    assert made.powers("beta")[200] == pytest.approx(150**2 / 2, rel=0.01)
