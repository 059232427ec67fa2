"""Which probe a file belongs to, by its path."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from map_assets.ephys.probe_number import probe_of


@pytest.mark.parametrize(
    ("path", "probe"),
    [
        ("SC022/catgt_SC022_030319_g0/SC022_030319_g0_imec0/SC022_030319_g0_tcat.imec0.ap.meta", 1),
        ("SC022/catgt_SC022_030319_g0/SC022_030319_g0_imec3/imec3_ks2/spike_times.npy", 4),
        ("SC022/run_g0/run_g0_imec10/spike_times.npy", 11),
        ("dl25/20180225/1/dl25_bitcode.mat", 1),
        ("dl25/20180225/2/run_g0_t0.imec0.ap.meta", 2),
        ("dl25/20180225/12/dl25_bitcode.mat", 12),
        ("SC022/run_g0/run_g0_t0.imec1.ap.meta", 2),
        ("SC022/run/phase3a.imec.ap.meta", 1),
        ("SC022/20180225/spike_times.npy", None),
        ("SC022/0/spike_times.npy", None),
        ("SC022/animec1/spike_times.npy", None),
        ("7/20180225/x_bitcode.mat", None),
        ("7/20180225/7/x_bitcode.mat", 7),
    ],
)
def test_the_nearest_folder_that_tells_decides_and_else_the_name(path: str, probe: int | None) -> None:
    assert probe_of(PurePosixPath(path), PurePosixPath(path).parts[0]) == probe
