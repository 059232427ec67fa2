"""The table that stands for what the registry says of a session. The registry itself is `registry`."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from map_assets.vocabulary.subject import Insertion
from map_assets.vocabulary.table import SESSION, Table, real, text, whole

INSERTIONS = Table(
    "insertions",
    "where one probe of the session was aimed, as people entered it",
    ("session", "probe"),
    (
        SESSION,
        whole("probe", "insertion number, from 1"),
        text(
            "brain_area",
            "target, as the lab names it (ALM is one, and no Allen region); null if unknown",
            nullable=True,
        ),
        text("hemisphere", "side of the target as entered; null if unknown", nullable=True),
        text("skull_reference", "what ap and ml are measured from; null if unknown", nullable=True),
        real("ap_um", "of the entry, anterior positive", "um", nullable=True),
        real("ml_um", "of the entry, right positive", "um", nullable=True),
        real("depth_um", "of the tip along the probe, as entered", "um", nullable=True),
        real("theta_deg", "elevation", "deg", nullable=True),
        real("phi_deg", "azimuth", "deg", nullable=True),
        real("beta_deg", "turn about the shank", "deg", nullable=True),
    ),
)

TABLES = (INSERTIONS,)


def insertions_table(session: str, insertions: Sequence[Insertion]) -> pa.Table:
    """Put a session's insertions into its table, by probe."""
    names = [column.name for column in INSERTIONS.columns if column.name != "session"]
    return INSERTIONS.from_rows(
        {"session": session, **{name: getattr(insertion, name) for name in names}} for insertion in insertions
    )
