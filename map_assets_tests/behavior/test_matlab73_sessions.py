"""Sessions saved as MATLAB 7.3 (HDF5) read as those of MATLAB 5, and damaged ones are refused."""

from __future__ import annotations

import random
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.simulate.matlab73 import Writer73, write_matlab73
from map_assets.vocabulary.errors import BadInput, UnreadableFile
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.matlab import parse_matlab

NAME = "dl25_tw2_20180225_102508.mat"


def as_73(source: Path, path: Path) -> FoundFile:
    """Save a session once more, as MATLAB 7.3."""
    facts = write_matlab73(source, path).stat()
    return FoundFile(
        "rig1", path.parent, PurePosixPath(path.name), "behavior", facts.st_size, facts.st_mtime_ns, "RRig"
    )


def test_the_real_session_reads_the_same_from_both(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "map" / NAME
    facts = source.stat()
    old = FoundFile("rig1", source.parent, PurePosixPath(NAME), "behavior", facts.st_size, 0, "RRig")
    expected = read_behavior("dl25_20180225_102508", old)
    found = read_behavior("dl25_20180225_102508", as_73(source, tmp_path / NAME))
    for name, table in expected.items():
        if name != "behavior_file":
            assert found[name].equals(table), name
    assert expected["trials"].num_rows == found["trials"].num_rows == 11


@pytest.mark.parametrize("n_trials", [1, 2])
def test_few_trials_read_the_same_from_both(rig, tmp_path: Path, n_trials: int) -> None:
    file = rig.write([rig.trial(left=[0.2, 3.9], stim=4) for _ in range(n_trials)])
    expected = read_behavior(rig.session, file)
    (tmp_path / "new").mkdir()
    found = read_behavior(rig.session, as_73(file.path, tmp_path / "new" / NAME))
    assert all(found[name].equals(table) for name, table in expected.items() if name != "behavior_file")


def test_a_damaged_file_is_refused_or_harmless(rig, tmp_path: Path) -> None:
    file = rig.write([rig.trial(left=[0.2, 3.9])])
    expected = read_behavior(rig.session, file)
    (tmp_path / "new").mkdir()
    made = as_73(file.path, tmp_path / "new" / NAME)
    whole = made.path.read_bytes()
    for cut in range(600, len(whole), len(whole) // 40):
        made.path.write_bytes(whole[:cut])
        with pytest.raises(UnreadableFile, match=NAME):
            read_behavior(rig.session, made)
    chance = random.Random(7)
    for _ in range(30):
        at = chance.randrange(520, len(whole) - 300)
        made.path.write_bytes(whole[:at] + bytes(200) + whole[at + 200 :])
        try:
            found = read_behavior(rig.session, made)
        except BadInput:
            continue
        skipped = found["skipped_trials"].num_rows
        assert skipped or found["trials"].select(["trial"]).equals(expected["trials"].select(["trial"]))


def test_objects_complex_numbers_and_empty_values_are_told_apart(tmp_path: Path) -> None:
    writer = Writer73(tmp_path / "x.mat")
    writer.file.create_dataset("z", data=np.zeros((1, 1), [("real", "f8"), ("imag", "f8")]))
    writer.file["z"].attrs["MATLAB_class"] = np.bytes_("double")
    writer.file.create_dataset("handle", data=np.zeros((1, 6), np.uint32)).attrs["MATLAB_class"] = np.bytes_(
        "function_handle"
    )
    writer.put(writer.file, "nothing", np.empty((0, 3)))
    writer.put(writer.file, "rows", np.array(["ab", "cd"]))
    writer.close()
    found = parse_matlab(tmp_path / "x.mat", (tmp_path / "x.mat").read_bytes(), todo="Write it again.").variables
    assert {name: matrix.kind for name, matrix in found.items()} == {
        "z": "other",
        "handle": "other",
        "nothing": "numbers",
        "rows": "text",
    }
    assert found["nothing"].dims == (0, 3)
    assert found["nothing"].numbers().shape == (0, 3)
    assert found["rows"].rows() == ["ab", "cd"]
