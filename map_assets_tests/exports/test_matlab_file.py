"""A MATLAB file's bytes follow from its variables, and other programs read them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from export_session import ExportSession
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from map_assets.exports import mat_file
from map_assets.exports.cells import Cells, cells, field_names, views
from map_assets.exports.mat import make_mat
from map_assets.exports.mat_file import TooLargeForMatlab, stamp_of, write_mat

LENGTHS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=5)


def nested(lengths: list[list[int]]) -> Cells:
    """A column of columns of cells with so many numbers each."""
    return cells([cells(views(np.arange(sum(inner)) / 7, np.array(inner))) for inner in lengths])


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.from_regex(r"[a-z][a-z_0-9]{4,30}", fullmatch=True))
def test_a_cell_of_cells_is_laid_out_as_scipy_does(lengths: list[list[int]], name: str) -> None:
    stream = io.BytesIO()
    savemat(stream, {name: nested(lengths)}, long_field_names=True, oned_as="row")
    assert bytes(mat_file._element(name, nested(lengths))) == stream.getvalue()[128:]


def test_short_names_and_empty_cells_can_be_read(tmp_path: Path) -> None:
    odd = {"a": nested([[2], [0, 1]]), "b": cells([]), "c": cells([cells([]), nested([[1]])]), "d": "", "e": np.nan}
    write_mat(tmp_path / "a.mat", odd)
    found = loadmat(tmp_path / "a.mat")
    assert found["a"][0, 0][0, 0].shape == (1, 2)
    assert found["a"][1, 0][0, 0].shape == (0, 0)
    assert found["b"].size == 0
    assert found["c"][0, 0].size == 0


def test_the_same_tables_give_the_same_bytes(made: ExportSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shuffled = {name: table.take(rng.permutation(table.num_rows)) for name, table in made.tables.items()}
    for name, tables in (("a", made.tables), ("b", made.tables), ("c", shuffled)):
        write_mat(tmp_path / f"{name}.mat", make_mat(made.key, 1, tables), stamp="0123")
    first, again, other_order = ((tmp_path / f"{name}.mat").read_bytes() for name in "abc")
    assert first == again == other_order
    assert b"Created on" not in first[:128]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.mat", "b.mat", "c.mat"]


def test_a_stamp_is_read_back_from_a_whole_file_only(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, {"x": np.arange(9.0), "y": "text"}, stamp="0f" * 16)
    assert stamp_of(path) == "0f" * 16
    whole = path.read_bytes()
    first_ends = 128 + 8 + int.from_bytes(whole[132:136], "little")
    for n_bytes in (0, 60, 128, 128 + 4, first_ends, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        assert stamp_of(path) is None
    for place in range(128, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert stamp_of(path) is None
    write_mat(path, {"x": 1.0})
    assert stamp_of(path) is None
    savemat(path, {"x": 1.0})
    assert stamp_of(path) is None


def test_a_variable_that_the_format_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, {"x": 1.0})
    before = path.read_bytes()
    monkeypatch.setattr(mat_file, "MOST_BYTES", 2000)
    for value in (np.zeros(300), nested([[300]])):
        with pytest.raises(TooLargeForMatlab, match=r"spikes has .* GiB"):
            write_mat(path, {"spikes": value})
    assert path.read_bytes() == before


@given(st.lists(st.text(max_size=80), max_size=8))
def test_names_of_fields_are_matlabs_and_all_different(names: list[str]) -> None:
    made = field_names([*names, *names])
    assert len(set(made)) == len(made) == 2 * len(names)
    assert all(name.isascii() and name.isidentifier() and name[0] != "_" and len(name) <= 63 for name in made)
    assert field_names(["jaw", "animal1/jaw", "1st"]) == ["jaw", "animal1_jaw", "x_1st"]


OCTAVE = """
f = load(argv(){1});
n = @(c) cellfun(@numel, c);
counts = cellfun(@(u) sum(n(u)), f.neuron_single_units);
printf('%d ', size(f.neuron_single_units), size(f.neuron_single_units{1}), size(f.neuron_observed)); disp('');
printf('%d ', counts); disp('');
printf('%s ', class(f.neuron_observed), class(f.neuron_single_units{1}{1}), class(f.task_trial_type)); disp('');
printf('%d ', sum(f.neuron_observed, 2)); disp('');
all_times = cellfun(@(u) [u{:}], f.neuron_single_units, 'UniformOutput', false);
times = [all_times{:}];
printf('%.9f ', sum(times(!isnan(times))), sum(isnan(times))); disp('');
printf('%s', f.task_trial_type); disp('');
printf('%s|', f.neuron_unit_labels.classification{:}); disp('');
printf('%.9f ', f.neuron_unit_quality_control.unit_amp); disp('');
printf('%d ', size(f.task_sample_time), sum(isnan(f.task_cue_time(1, :)))); disp('');
printf('%d ', f.tracking.camera_0_side.Nframes(1:4), numel(f.tracking.camera_0_side.jaw_x{1})); disp('');
printf('%s %s %s', f.export_info.session, f.probe_insertion_info.skull_reference, f.neuron_unit_info{1, 2}); disp('');
"""


def test_octave_reads_the_file(made: ExportSession, tmp_path: Path) -> None:
    octave = shutil.which("octave-cli") or shutil.which("octave")
    if octave is None:
        if os.environ.get("MAP_REQUIRE_OCTAVE") == "1":
            pytest.fail("MAP_REQUIRE_OCTAVE is set and GNU Octave is not installed")
        pytest.skip("GNU Octave is not installed on this machine")
    variables = make_mat(made.key, 1, made.tables)
    write_mat(tmp_path / "a.mat", variables)
    (tmp_path / "look.m").write_text(OCTAVE)
    done = subprocess.run(
        [octave, "--norc", "--no-history", "--quiet", str(tmp_path / "look.m"), str(tmp_path / "a.mat")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    units, observed = variables["neuron_single_units"], variables["neuron_observed"]
    n_units, n_trials = observed.shape
    times = np.concatenate([cell for unit in units[:, 0] for cell in unit[:, 0]])
    assert told[0] == [str(n) for n in (n_units, 1, n_trials, 1, n_units, n_trials)]
    assert told[1] == [str(sum(len(cell) for cell in unit[:, 0])) for unit in units[:, 0]]
    assert told[2] == ["logical", "double", "char"]
    assert told[3] == [str(n) for n in observed.sum(axis=1)]
    np.testing.assert_allclose([float(word) for word in told[4]], [np.nansum(times), np.isnan(times).sum()], atol=1e-6)
    assert told[5] == ["".join(variables["task_trial_type"][:, 0])]
    assert "|".join([*variables["neuron_unit_labels"]["classification"][:, 0], ""]) == done.stdout.splitlines()[6]
    amplitudes = variables["neuron_unit_quality_control"]["unit_amp"][:, 0]
    np.testing.assert_allclose([float(word) for word in told[7]], amplitudes, atol=1e-8)
    assert told[8] == ["2", str(n_trials), str(np.isnan(variables["task_cue_time"][0]).sum())]
    assert told[9] == ["20", "21", "NaN", "23", "20"]
    assert told[10] == [made.key, "Bregma", variables["neuron_unit_info"][0, 1]]
