"""Sessions saved as MATLAB 7.3 (HDF5) read as those of MATLAB 5, and damaged ones are refused."""

from __future__ import annotations

import random
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.errors import BadInput, UnreadableFile
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.matlab import parse_matlab

NAME = "dl25_tw2_20180225_102508.mat"


class Writer73:
    """Writes what scipy loads (arrays of numbers, text, objects, fields) as MATLAB lays it out in HDF5."""

    def __init__(self, path: Path) -> None:
        import h5py

        self.path = path
        self.file = h5py.File(path, "w", userblock_size=512)
        self.references = self.file.create_group("#refs#")
        self.h5py = h5py
        self.n_references = 0

    def close(self) -> None:
        self.file.close()
        header = b"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: Sun Feb 25 2018 HDF5 schema 1.00 .".ljust(124)
        with self.path.open("r+b") as stream:
            stream.write(header + b"\x00\x02IM")

    def refer(self, value: Any) -> Any:
        self.n_references += 1
        name = f"r{self.n_references}"
        self.put(self.references, name, value)
        return self.references[name].ref

    def put(self, group: Any, name: str, value: Any) -> None:
        value = np.asarray(value)
        if value.dtype.names:
            made = group.create_group(name)
            made.attrs["MATLAB_class"] = np.bytes_("struct")
            for field in value.dtype.names:
                if value.size == 1:
                    self.put(made, field, value.flat[0][field])
                else:
                    self.cells(made, field, value[field], None)
        elif value.dtype == object:
            self.cells(group, name, value, "cell")
        elif value.dtype.kind == "U":
            letters = np.array([[ord(letter) for letter in row] for row in value.ravel().tolist()], np.uint16)
            self.numbers(group, name, letters, "char")
        else:
            kind = {"f8": "double", "b1": "logical"}.get(value.dtype.str[1:], value.dtype.name)
            self.numbers(group, name, np.atleast_2d(value), kind)

    def numbers(self, group: Any, name: str, value: np.ndarray, kind: str) -> None:
        if value.size:
            made = group.create_dataset(name, data=value.T)
        else:
            made = group.create_dataset(name, data=np.array(value.shape if value.ndim > 1 else (0, 0), np.uint64))
            made.attrs["MATLAB_empty"] = np.uint8(1)
        made.attrs["MATLAB_class"] = np.bytes_(kind)

    def cells(self, group: Any, name: str, value: np.ndarray, kind: str | None) -> None:
        value = np.atleast_2d(value)
        if not value.size:
            self.numbers(group, name, np.empty(value.shape), kind or "cell")
            return
        references = np.empty(value.shape[::-1], self.h5py.ref_dtype)
        for place, element in np.ndenumerate(value):
            references[place[::-1]] = self.refer(element)
        made = group.create_dataset(name, data=references, dtype=self.h5py.ref_dtype)
        if kind:
            made.attrs["MATLAB_class"] = np.bytes_(kind)


def as_73(source: Path, path: Path) -> FoundFile:
    """Save a session once more, as MATLAB 7.3."""
    from scipy.io import loadmat

    writer = Writer73(path)
    writer.put(writer.file, "SessionData", loadmat(source, chars_as_strings=True)["SessionData"])
    writer.close()
    facts = path.stat()
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
