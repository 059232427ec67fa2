"""The `nwb_file` row of a session: which file stands and what the gates said of it."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from map_assets.nwb.inspect import Inspection
from map_assets.nwb.tables import NWB_FILE
from map_assets.nwb.write import OPTIONAL, REQUIRED
from map_assets.store import Store
from map_assets.vocabulary.files import sha256_of


def make_nwb_row(session: str, path: Path, relpath: str, inspection: Inspection) -> pa.Table:
    """Make the one row of `nwb_file`.

    Parameters
    ----------
    session : str
        Session key.
    path : pathlib.Path
        The file; it is hashed here.
    relpath : str
        Its path under the store's root, where the versions of the tables are looked up that it was made from just now.
    inspection : Inspection
        What `inspect_nwb` found in it.

    Raises
    ------
    UnreadableFile, ChangedWhileRead
        If the file is not there or was written to while it was hashed.
    """
    sha256 = sha256_of(path)
    row = {"session": session, "path": relpath, "size": path.stat().st_size, "sha256": sha256}
    made_from = _versions(Store(path.parents[len(PurePosixPath(relpath).parts) - 1]), session)
    told = {"made_from": json.dumps(made_from, sort_keys=True), "pynwb_version": version("pynwb")}
    return NWB_FILE.from_rows([row | told | figures_of(inspection)])


def _versions(store: Store, session: str) -> dict[str, str | None]:
    return {name: store.version(name, session) for name in (*REQUIRED, *OPTIONAL) if store.has(name, session)}


def figures_of(found: Inspection | pa.Table) -> dict[str, Any]:
    """Return the columns of `nwb_file` that keep an inspection, from the inspection or from the row."""
    if isinstance(found, pa.Table):
        row: dict[str, Any] = found.to_pylist()[0]
        return row
    compared = found.roundtrip
    return {
        "can_be_read": found.can_be_read,
        "identifier": found.identifier,
        "n_units": found.n_units,
        "n_trials": found.n_trials,
        "n_validation_errors": found.n_validation_errors,
        "n_inspector_checks": found.n_inspector_checks,
        "n_inspector_critical": found.n_critical,
        "n_inspector_suggestions": found.n_suggestions,
        "differences": None if compared is None else "" if compared.passed else compared.description,
        "messages": "\n".join(str(message) for message in found.messages),
    }
