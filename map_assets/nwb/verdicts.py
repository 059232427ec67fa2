"""What is claimed of a session's NWB file, judged from its inspection or from the `nwb_file` row that keeps it."""

from __future__ import annotations

import pyarrow as pa

from map_assets.nwb.inspect import Inspection
from map_assets.nwb.row import figures_of
from map_assets.vocabulary.table import Verdict

_UNREADABLE = "The file cannot be read."


def nwb_validates(found: Inspection | pa.Table) -> Verdict:
    """Judge whether the file can be read and keeps the NWB schema."""
    figures = figures_of(found)
    n_errors = int(figures["n_validation_errors"])
    if not figures["can_be_read"]:
        return Verdict(False, f"{_UNREADABLE} {figures['messages']}", {"can_be_read": False})
    return Verdict(
        n_errors == 0,
        f"{n_errors} errors against the NWB schema. {_lines(figures['messages'], 'validation')}".strip(),
        {"n_validation_errors": n_errors, "can_be_read": True},
    )


def nwb_is_clean(found: Inspection | pa.Table) -> Verdict:
    """Judge whether the inspector ran on the file and has nothing worse to say of it than a suggestion."""
    figures = figures_of(found)
    n_checks, n_critical = int(figures["n_inspector_checks"]), int(figures["n_inspector_critical"])
    n_errors = int(figures["n_validation_errors"])
    kept = {"n_checks": n_checks, "n_critical": n_critical, "n_suggestions": int(figures["n_inspector_suggestions"])}
    if not figures["can_be_read"]:
        return Verdict(False, f"{_UNREADABLE} {figures['messages']}", kept)
    if n_checks == 0:
        return Verdict(False, "No check of the inspector ran.", kept)
    if n_errors:
        return Verdict(False, f"The file breaks the NWB schema {n_errors} times.", kept)
    told = _lines(figures["messages"], "inspector") if n_critical else ""
    return Verdict(n_critical == 0, f"{n_checks} checks ran, {n_critical} found a fault. {told}".strip(), kept)


def nwb_gives_the_tables_back(found: Inspection | pa.Table) -> Verdict:
    """Judge whether the file, read back, gave the tables that it was made of."""
    differences = figures_of(found)["differences"]
    if differences is None:
        return Verdict(False, "The file was not compared with the tables.")
    return Verdict(differences == "", differences or "Every table equals its part of the file.")


def _lines(messages: object, gate: str) -> str:
    return " | ".join(line for line in str(messages).splitlines() if line.startswith(gate))
