"""Raw recordings, embedded in the file when asked for. Finding and judging them lives in `ephys`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.probes import electrode_rows
from map_assets.vocabulary.clock import ClockMap

_VOLT_PER_UV = 1e-6
_BUFFER_GB = 0.05


def add_raw(nwbfile: Any, tables: Mapping[str, pa.Table], roots: Mapping[str, Path]) -> list[str]:
    """Embed every probe's AP band as it was recorded, in chunks, deflated; its samples stand on the session clock.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        `recordings`, `probe_sites` and `clock_maps`.
    roots : mapping of str to pathlib.Path
        Folder of each share, by its name.

    Returns
    -------
    list of str
        Sentences on the recordings that are not embedded and why.
    """
    clocks = {row["probe"]: row for row in tables["clock_maps"].to_pylist()} if "clock_maps" in tables else {}
    notes = []
    for row in tables["recordings"].to_pylist():
        file = next((root / row["bin_file"] for root in roots.values() if _is_there(root, row["bin_file"])), None)
        clock = clocks.get(row["probe"])
        if file is None or row["bin_state"] != "whole":
            notes.append(f"The recording of probe {row['probe']} is not embedded: its .bin is not there as a whole.")
        elif clock is None or clock["offset_s"] is None:
            notes.append(f"The recording of probe {row['probe']} is not embedded: its clock has no anchor.")
        else:
            _add_probe(nwbfile, row, file, ClockMap(clock["offset_s"], clock["drift_ppm"]), tables["probe_sites"])
    return notes


def _is_there(root: Path, relpath: str | None) -> bool:
    return relpath is not None and (root / relpath).is_file()


def _add_probe(nwbfile: Any, row: Mapping[str, Any], file: Path, clock: ClockMap, sites: pa.Table) -> None:
    from pynwb import H5DataIO
    from pynwb.ecephys import ElectricalSeries

    probe = row["probe"]
    ordered = sites.filter(pc.equal(sites["probe"], probe)).sort_by([("channel", "ascending")])
    samples = np.memmap(file, np.int16, "r").reshape(-1, row["n_saved_channels"])
    channels = np.asarray(ordered["channel"].to_numpy(), np.int64)
    rows = electrode_rows(nwbfile, np.full(len(channels), probe), np.asarray(ordered["electrode"].to_numpy(), float))
    first_s, second_s = clock.session_s(np.array([0.0, 1.0]))
    nwbfile.add_acquisition(
        ElectricalSeries(
            name=f"ap_probe{probe}",
            description=f"AP band of probe {probe} as recorded; times are carried onto the session clock.",
            data=H5DataIO(_iterator(samples, channels), compression="gzip", compression_opts=1, shuffle=True),
            electrodes=nwbfile.create_electrode_table_region(rows.tolist(), f"recorded contacts of probe {probe}"),
            starting_time=float(first_s),
            rate=float(row["sample_rate_hz"] / (second_s - first_s)),
            conversion=row["microvolt_per_bit"] * _VOLT_PER_UV,
        )
    )


def _iterator(samples: NDArray[np.int16], channels: NDArray[np.int64]) -> Any:
    """Read the recording's channels piece by piece, so that it is never held as a whole."""
    from hdmf.data_utils import GenericDataChunkIterator

    class Recording(GenericDataChunkIterator):  # type: ignore[misc]
        def _get_data(self, selection: tuple[slice, ...]) -> NDArray[np.int16]:
            return np.asarray(samples[selection[0]][:, channels[selection[1]]])

        def _get_maxshape(self) -> tuple[int, int]:
            return len(samples), len(channels)

        def _get_dtype(self) -> np.dtype[Any]:
            return np.dtype(np.int16)

    return Recording(buffer_gb=_BUFFER_GB)
