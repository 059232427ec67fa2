"""Sessions as files of other programs, out of the door. What is in the files is made in `exports`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from map_assets.vocabulary.errors import NoSuchTable

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.analyst.standing import Standing


def give_mat(standing: Standing, session: str, probe: int, to: Path) -> Path:
    """Write a probe's MATLAB file into a folder; see `map_assets.analyst.session.LabSession.to_mat`."""
    from map_assets.exports import mat
    from map_assets.exports.mat_file import write_mat

    tables: dict[str, pa.Table] = {}
    for name in (*mat.REQUIRED, *mat.OPTIONAL, *mat.OF_THE_LAB):
        if name in mat.OF_THE_LAB:
            tables[name] = standing.read(name)
        elif session in standing.having(name):
            tables[name] = standing.read(name, session)
    missing = [name for name in mat.REQUIRED if name not in tables]
    if missing:
        raise NoSuchTable(f"The MATLAB file of {session} needs {', '.join(missing)}, which it does not have yet.")
    to.mkdir(parents=True, exist_ok=True)
    path = to / mat.mat_name(session, probe)
    write_mat(path, mat.make_mat(session, probe, tables))
    return path
