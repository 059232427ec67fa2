"""What ``.bin`` files told before they were taken off their share for the archive, carried over. Reading files lives in `recordings`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ephys.tables import EPHYS_TRIALS, RECORDINGS

_OF_BIN = ("bin_state", "bin_file")


def with_archived_bins(
    tables: Mapping[str, pa.Table],
    standing: Callable[[str], Iterable[pa.Table]],
    removed: Collection[tuple[str, str]],
) -> dict[str, pa.Table]:
    """Add what earlier versions say that can be read from archived files only.

    A probe that has no trials now, and had some, keeps them: their code or the sync pulses that carry it were in a
    ``.bin`` file. A probe whose own ``.bin`` file was removed keeps what was said of that.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        As `read_recordings` gives them, of the files that are there.
    standing : callable
        From a table's name to its versions, the youngest first.
    removed : collection of (share, path)
        The files that the archive's journal says were taken away; what left by other hands is not carried over.

    Returns
    -------
    dict of str to pyarrow.Table
        All of `tables`.
    """
    gone = {path for _, path in removed if path.endswith(".bin")}
    if not gone or "recordings" not in tables:
        return dict(tables)
    recordings = tables["recordings"]
    trials = tables.get("ephys_trials", EPHYS_TRIALS.empty())
    kept = _trials_of(set(recordings["probe"].to_pylist()) - set(trials["probe"].to_pylist()), standing("ephys_trials"))
    found = {**tables, "recordings": _with_bins(recordings, standing("recordings"), gone)}
    if kept:
        parts = pa.concat_tables([trials, *(part.select(trials.column_names) for part in kept)])
        found["ephys_trials"] = parts.sort_by([("probe", "ascending"), ("ephys_trial", "ascending")])
    return found


def _trials_of(missing: set[int], versions: Iterable[pa.Table]) -> list[pa.Table]:
    parts = []
    for version in versions:
        if not missing:
            break
        some = version.filter(pc.is_in(version["probe"], pa.array(sorted(missing), version["probe"].type)))
        if some.num_rows:
            parts.append(EPHYS_TRIALS.check(some))
            missing = missing - set(some["probe"].to_pylist())
    return parts


def _with_bins(recordings: pa.Table, versions: Iterable[pa.Table], gone: Collection[str]) -> pa.Table:
    rows = recordings.to_pylist()
    without = {row["probe"]: row for row in rows if row["bin_file"] is None}
    for version in versions:
        if not without:
            break
        for before in version.select(["probe", *_OF_BIN]).to_pylist():
            if before["probe"] in without and before["bin_file"] in gone:
                without.pop(before["probe"]).update({name: before[name] for name in _OF_BIN})
    return RECORDINGS.from_rows(rows)
