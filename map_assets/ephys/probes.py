"""One row a probe: what was recorded and which sorting is current. Where the probe was put lives in the registry."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ephys.tables import PROBES


def make_probes(session: str, recordings: pa.Table | None = None, sortings: pa.Table | None = None) -> pa.Table:
    """Join recordings and current sortings by probe; a probe stands as soon as one of them has arrived.

    The rate is the recording's; until its meta file arrives, the one that the sorter was told.

    Returns
    -------
    pyarrow.Table
        `probes`.
    """
    current = None if sortings is None else sortings.filter(pc.field("is_current"))
    recorded, sorted_ = _by_probe(recordings), _by_probe(current)
    rows = []
    for probe in sorted({*recorded, *sorted_}):
        recording, sorting = recorded.get(probe, {}), sorted_.get(probe, {})
        rows.append(
            {name: recording.get(name) for name in ("serial_number", "part_number", "probe_type", "n_shanks")}
            | {name: sorting.get(name) for name in ("sorting", "sorter", "sorter_version", "curation", "sorted_at")}
            | {
                "session": session,
                "probe": probe,
                "sample_rate_hz": recording.get("sample_rate_hz", sorting.get("sample_rate_hz")),
                "folder": sorting.get("folder", recording.get("folder")),
            }
        )
    return PROBES.from_rows(rows)


def _by_probe(table: pa.Table | None) -> dict[int, dict[str, Any]]:
    return {} if table is None else {row["probe"]: row for row in table.to_pylist()}
