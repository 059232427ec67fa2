"""Writes a MATLAB file once more as MATLAB 7.3 (HDF5). Files of MATLAB 5 are written in `writing`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_matlab73(source: Path, path: Path, variable: str = "SessionData") -> Path:
    """Write one variable of a MATLAB 5 file as MATLAB 7.3 lays it out."""
    from scipy.io import loadmat

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Writer73(path)
    writer.put(writer.file, variable, loadmat(source, chars_as_strings=True)[variable])
    writer.close()
    return path


class Writer73:
    """Lays what scipy loads (arrays of numbers, text, objects, fields) out in HDF5 as MATLAB does."""

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

    def numbers(self, group: Any, name: str, value: NDArray[Any], kind: str) -> None:
        if value.size:
            made = group.create_dataset(name, data=value.T)
        else:
            made = group.create_dataset(name, data=np.array(value.shape if value.ndim > 1 else (0, 0), np.uint64))
            made.attrs["MATLAB_empty"] = np.uint8(1)
        made.attrs["MATLAB_class"] = np.bytes_(kind)

    def cells(self, group: Any, name: str, value: NDArray[Any], kind: str | None) -> None:
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
