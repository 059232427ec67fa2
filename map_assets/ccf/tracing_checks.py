"""What the CCF room claims of corrected tracings. The claims of fitted tracks are in `track_checks`; when they run is decided outside."""

from __future__ import annotations

import pyarrow as pa

from map_assets.vocabulary.table import Verdict


def shifts_move_every_shank(tracings: pa.Table) -> Verdict:
    """Claim that every reviewed shift moved each of its shanks: none lacks the two places that its line is told from.

    Parameters
    ----------
    tracings : pyarrow.Table
    """
    said_of = tracings.column("shanks_not_shifted").to_pylist() if "shanks_not_shifted" in tracings.column_names else []
    wrong = [
        f"a shift of probe {probe} left shank {shanks} where it is, for it has no two different places"
        for probe, shanks in zip(tracings["probe"].to_pylist(), said_of, strict=False)
        if shanks
    ]
    said = "; ".join(wrong) or "every reviewed shift moved its shanks"
    return Verdict(not wrong, said, {"n_probes": len(wrong)})
