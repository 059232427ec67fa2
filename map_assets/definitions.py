"""Dagster's door: the wing, merged for the laboratory whose configuration is in force."""

from __future__ import annotations

import dagster as dg

from map_assets.defs.wing import definitions_for


@dg.definitions
def defs() -> dg.Definitions:
    """The code location that webserver, daemon and run workers load."""
    return definitions_for(None)
