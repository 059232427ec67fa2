"""Where each file of a manifest stands, as the journal's events tell it. Moving files on lives in `moving` and `verification`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.archive.batch import Event, Numbers
from map_assets.archive.journal import Journal
from map_assets.archive.states import PROVEN, State


@dataclass(frozen=True)
class Told:
    """What the events of a batch tell of each of its files; arrays by the files' numbers.

    Parameters
    ----------
    state : numpy.ndarray of object
        `State` by name.
    n_tries : numpy.ndarray of int
        Failures since a person last looked; those of an archive that could not be reached are not the file's.
    is_culprit : numpy.ndarray of bool
        Whether the last failure was its own, not that of the task that it was in.
    is_adopted : numpy.ndarray of bool
        Whether it was found in the archive with nothing asked of a mover.
    submission, claim, detail, method, transferred_at, verified_at, place : numpy.ndarray of object
        Empty text or None where nothing was said; `place` is the archive that it was read back in (`identity.place_of`).
    """

    state: np.ndarray
    n_tries: np.ndarray
    is_culprit: np.ndarray
    is_adopted: np.ndarray
    submission: np.ndarray
    claim: np.ndarray
    detail: np.ndarray
    method: np.ndarray
    transferred_at: np.ndarray
    verified_at: np.ndarray
    place: np.ndarray


_ASIDE = {State.FAILED, State.BLOCKED, State.CONFLICT, State.UNSTABLE, State.SUSPECT}


def told(events: Iterable[Event], n_files: int) -> Told:
    """Read the events of a batch, oldest first."""
    texts = [np.full(n_files, "", object) for _ in range(4)]
    nothing = [np.full(n_files, None, object) for _ in range(4)]
    flags = [np.zeros(n_files, bool) for _ in range(2)]
    found = Told(texts[0], np.zeros(n_files, np.int64), flags[0], flags[1], texts[1], texts[2], texts[3], *nothing)
    for event in events:
        files, state, said = event.files, event.state, event.evidence
        found.state[files] = str(state)
        found.detail[files] = event.why if state in _ASIDE else ""
        _put(found.detail, files, said.get("each", {}))
        if state is State.MANIFESTED:
            found.n_tries[files] = 0
            found.is_culprit[files] = False
        elif state is State.SUBMITTED:
            found.submission[files] = said["submission"]
            found.is_adopted[files] = False
        elif state is State.TRANSFERRED:
            found.transferred_at[files] = event.at
            found.is_adopted[files] = said.get("is_adopted", False)
            found.claim[files] = ""
            _put(found.claim, files, said.get("claims", {}))
        elif state is State.FAILED:
            found.n_tries[files] += bool(said.get("counts", True))
            found.is_culprit[files] = said.get("is_own", False)
        elif state is State.VERIFIED:
            found.verified_at[files] = event.at
            found.method[files] = said.get("method", "")
            found.place[files] = said.get("archive")
    return found


def _put(column: np.ndarray, files: Numbers, each: Any) -> None:
    for number in files.tolist() if each else ():
        if str(number) in each:
            column[number] = each[str(number)]


@dataclass(frozen=True)
class Standing:
    """Files of a session, one row each, with what the journal tells of them.

    Parameters
    ----------
    files : pyarrow.Table
        Columns of `batch.FILES`.
    told : Told
        Arrays in the order of `files`.
    """

    files: pa.Table
    told: Told

    def take(self, rows: Sequence[int] | np.ndarray) -> Standing:
        """Return some of the rows."""
        chosen = np.asarray(rows, np.int64)
        columns = {name: values[chosen] for name, values in vars(self.told).items()}
        return Standing(self.files.take(pa.array(chosen)), Told(**columns))

    def where(self, *states: State) -> np.ndarray:
        """Rows of files that stand at one of these states."""
        return np.flatnonzero(np.isin(self.told.state.astype(str), [str(state) for state in states]))

    @property
    def is_proven(self) -> np.ndarray:
        """Whether a copy of each file has been read back equal."""
        return np.isin(self.told.state.astype(str), [str(state) for state in PROVEN])


def standing(session: str, journal: Journal) -> Standing:
    """Tell where every file of a session stands, batch by batch."""
    files = journal.files(session).combine_chunks()
    batches = [told(journal.events(batch.batch), batch.n_files) for batch in journal.batches(session)]
    empty = told((), 0)
    columns = {
        name: np.concatenate([getattr(empty, name), *(getattr(batch, name) for batch in batches)])
        for name in vars(empty)
    }
    n_rows = len(columns["state"])
    return Standing(files.slice(0, n_rows), Told(**columns))


def rows_of(manifest: pa.Table, found: Standing) -> np.ndarray:
    """Row of `found` for each file of a manifest; -1 where the journal has none.

    Of several with the same bytes the latest counts, but one that was found UNSTABLE counts only where it is the only one.
    """
    is_unstable = found.told.state == str(State.UNSTABLE)
    # Arrow finds the first of equal values: the ones that count come first
    preferred = np.lexsort((-np.arange(len(is_unstable)), is_unstable))
    values = _keys(found.files.select(_KEY)).take(pa.array(preferred))
    places = pc.fill_null(pc.index_in(_keys(manifest.select(_KEY)), values), -1).to_numpy(zero_copy_only=False)
    rows: np.ndarray = np.append(preferred, -1)[places].astype(np.int64)
    return rows


_KEY = ["share", "path", "sha256"]


def _keys(files: pa.Table) -> pa.Array:
    """Share, path and sha256 as one text; no share has a zero byte in its name."""
    joined = pc.binary_join_element_wise(*(files[name] for name in _KEY), "\0")
    return (
        pa.concat_arrays(joined.chunks)
        if isinstance(joined, pa.ChunkedArray) and joined.num_chunks
        else pa.array([], pa.string())
    )
