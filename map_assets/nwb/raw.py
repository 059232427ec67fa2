"""Raw recordings, embedded in the file when asked for. Finding and judging them lives in `ephys`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from map_assets.nwb.beside import module_of
from map_assets.nwb.probes import electrode_rows
from map_assets.vocabulary.clock import ClockMap

_VOLT_PER_UV = 1e-6
_BUFFER_GB = 0.05
_SAME_LENGTH_S = 0.01
_TOLD = {"ap": ("sample_rate_hz", "microvolt_per_bit"), "lf": ("lf_sample_rate_hz", "microvolt_per_bit_lf")}
"""Columns of `recordings` with the rate and the scale of each band."""


def add_raw(nwbfile: Any, tables: Mapping[str, pa.Table], roots: Mapping[str, Path]) -> list[str]:
    """Embed every probe's AP band, and LF band where it has a file, as recorded; samples stand on the session clock.

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
        clock = clocks.get(row["probe"])
        found = _ap_file(row, roots)
        if isinstance(found, str):
            notes.append(f"The recording of probe {row['probe']} is not embedded: {found}.")
        elif clock is None or clock["offset_s"] is None:
            notes.append(f"The recording of probe {row['probe']} is not embedded: its clock has no anchor.")
        else:
            crossed = ClockMap(clock["offset_s"], clock["drift_ppm"])
            nwbfile.add_acquisition(_series(nwbfile, row, "ap", found, crossed, tables["probe_sites"]))
            notes += _add_lf(nwbfile, row, found, crossed, tables["probe_sites"])
    return notes


def _ap_file(row: Mapping[str, Any], roots: Mapping[str, Path]) -> Path | str:
    """Find the one file that the recording's row describes, or say why there is none."""
    if row["bin_state"] != "whole" or row["bin_file"] is None:
        return "its .bin is not there as a whole"
    there = [root / row["bin_file"] for root in roots.values() if (root / row["bin_file"]).is_file()]
    of_size = [file for file in there if row["bin_size"] in (None, file.stat().st_size)]
    if there and not of_size:
        return f"its .bin has another size than the {row['bin_size']} bytes that its meta claims"
    if len(of_size) > 1:
        return f"{len(of_size)} shares have a file {row['bin_file']}"
    return of_size[0] if of_size else "its .bin is not there as a whole"


def _add_lf(nwbfile: Any, row: Mapping[str, Any], ap_file: Path, clock: ClockMap, sites: pa.Table) -> list[str]:
    """Add the LF band as `LFP`, if its file stands beside the AP band's and is as long."""
    from pynwb.ecephys import LFP

    file = ap_file.with_name(ap_file.name.replace(".ap.bin", ".lf.bin"))
    if row["lf_sample_rate_hz"] is None or row["microvolt_per_bit_lf"] is None or file == ap_file or not file.is_file():
        return []
    frame_bytes = 2 * row["n_saved_channels"]
    ap_s, lf_s = (
        one.stat().st_size / frame_bytes / row[rate]
        for one, rate in ((ap_file, "sample_rate_hz"), (file, "lf_sample_rate_hz"))
    )
    if file.stat().st_size % frame_bytes or abs(ap_s - lf_s) > _SAME_LENGTH_S:
        return [f"The LF band of probe {row['probe']} is not embedded: its file is not as long as the AP band's."]
    module = module_of(nwbfile, "ecephys")
    if "LFP" not in module.data_interfaces:
        module.add(LFP(name="LFP"))
    module["LFP"].add_electrical_series(_series(nwbfile, row, "lf", file, clock, sites))
    return []


def _series(nwbfile: Any, row: Mapping[str, Any], band: str, file: Path, clock: ClockMap, sites: pa.Table) -> Any:
    from pynwb import H5DataIO
    from pynwb.ecephys import ElectricalSeries

    probe = row["probe"]
    ordered = sites.filter(pc.equal(sites["probe"], probe)).sort_by([("channel", "ascending")])
    samples = np.memmap(file, np.int16, "r").reshape(-1, row["n_saved_channels"])
    channels = np.asarray(ordered["channel"].to_numpy(), np.int64)
    rows = electrode_rows(nwbfile, np.full(len(channels), probe), np.asarray(ordered["electrode"].to_numpy(), float))
    first_s, second_s = clock.session_s(np.array([0.0, 1.0]))
    rate_hz, microvolt = (row[name] for name in _TOLD[band])
    return ElectricalSeries(
        name=f"{band}_probe{probe}",
        description=f"{band.upper()} band of probe {probe} as recorded; times are carried onto the session clock.",
        data=H5DataIO(_iterator(samples, channels), compression="gzip", compression_opts=1, shuffle=True),
        electrodes=nwbfile.create_electrode_table_region(rows.tolist(), f"recorded contacts of probe {probe}"),
        starting_time=float(first_s),
        rate=float(rate_hz / (second_s - first_s)),
        conversion=microvolt * _VOLT_PER_UV,
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
