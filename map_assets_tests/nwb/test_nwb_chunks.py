"""Chunks that are deflated here: every HDF5 reader gets the array back, and the threads leave no trace."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from map_assets.nwb.chunks import deflated, write_chunks
from map_assets.nwb.columns import column, stored
from map_assets.nwb.write import write_file

DTYPES = st.sampled_from([np.float64, np.float32, np.int64, np.int16, np.uint8, np.bool_])
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=40)


def written(path: Path, values: NDArray, n_rows: int, n_threads: int = 1) -> bytes:
    with h5py.File(path, "w") as file, ThreadPoolExecutor(n_threads) as pool:
        chunks = (n_rows, *values.shape[1:])
        how = {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": True}
        write_chunks(file.create_dataset("x", values.shape, values.dtype, **how), values, pool)
    return path.read_bytes()


def read(path: Path) -> NDArray:
    with h5py.File(path) as file:
        return np.asarray(file["x"][()])


@given(values=DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)), n_rows=st.integers(1, 40))
def test_whatever_the_array_and_its_chunks_the_reader_gets_it_back(
    values: NDArray, n_rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "chunks.h5"
    written(path, values, min(n_rows, len(values)))
    np.testing.assert_array_equal(read(path), values, strict=True)


@pytest.mark.parametrize("kind", ["noise", "constant", "rising", "nan"])
def test_long_arrays_of_noise_and_of_order_come_back_and_bytes_do_not_depend_on_the_threads(
    kind: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    n = 300_001
    values = {
        "noise": rng.integers(0, 2**63, n).view(np.float64),
        "constant": np.full(n, 3.25),
        "rising": np.sort(rng.random(n)) * 3600,
        "nan": np.full(n, np.nan),
    }[kind]
    alone, together = (written(tmp_path / f"{k}.h5", values, 100_000, n_threads=k) for k in (1, 4))
    np.testing.assert_array_equal(read(tmp_path / "1.h5"), values)
    assert alone == together
    assert len(alone) < values.nbytes * {"noise": 1.4, "constant": 0.05, "rising": 1.2, "nan": 0.05}[kind]


def test_noise_is_stored_and_order_is_deflated() -> None:
    rng = np.random.default_rng(5)
    times_s = np.sort(rng.random(65_536)) * 3600
    chunk = deflated(times_s, len(times_s))
    assert zlib.decompress(chunk) == np.ascontiguousarray(times_s.view(np.uint8).reshape(-1, 8).T).tobytes()
    assert len(chunk) < 0.75 * times_s.nbytes
    shuffled = np.ascontiguousarray(times_s.view(np.uint8).reshape(-1, 8).T)
    assert len(chunk) < 1.01 * len(zlib.compress(shuffled, 1)), "no larger than the library's own filter makes it"


def test_a_column_of_any_length_can_be_read_before_it_is_written_and_lengthened_after(tmp_path: Path) -> None:
    from hdmf.common import DynamicTable
    from pynwb import NWBHDF5IO, NWBFile

    values = np.arange(50_000, dtype=np.float64)
    assert type(stored(values)) is not np.ndarray
    np.testing.assert_array_equal(np.asarray(stored(values)), values)
    np.testing.assert_array_equal(stored(values)[10:12], [10, 11])
    nwbfile = NWBFile("a session", "an identifier", datetime(2024, 3, 12, tzinfo=UTC))
    nwbfile.add_acquisition(DynamicTable(name="long", description="rows", columns=[column("x", "a number", values)]))
    write_file(tmp_path / "x.nwb", nwbfile)
    with NWBHDF5IO(tmp_path / "x.nwb", "r+") as io:
        table = io.read().acquisition["long"]
        np.testing.assert_array_equal(table["x"].data[:], values)
        table.add_row(x=-1.0)
        assert table["x"].data[-1] == -1.0
