"""What else a rig's bitcode file tells of each trial: events, licks and the cameras' frames, on the probe's clock. Codes live in `bitcode`.

MATLAB variables: ``digMarkerPerTrial`` (trials x columns, NaN where there was none) with ``headings`` (the columns'
events), ``zaberPerTrial``, ``lickLPerTrial``, ``lickRPerTrial``, ``lickMPerTrial``, ``laserLPerTrial`` and
``laserRPerTrial`` (one cell a trial), ``cameraPerTrial`` (one cell a camera, of one cell a trial) with
``chan.cameraNameInDJ``. The rigs' scripts write seconds of the stream that the codes are on; that is not taken on trust:
see `read_rig_record`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from map_assets.ephys.bitcode import LONGEST_WAIT_S, Times, counts_samples
from map_assets.ephys.instants import Instants, Places, flat, place_instants
from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.matlab import MatlabFile, open_matlab
from map_assets.vocabulary.matlab_struct import AnyMatrix

CODE_START = "bitcodestart"
_WORDS: dict[str, tuple[str, str | None]] = {
    "strig": (CODE_START, None),
    "gocue": ("go", None),
    "choicel": ("choice", "left"),
    "choicer": ("choice", "right"),
    "choicem": ("choice", "middle"),
    "iti": ("trialend", None),
    "bpod_start": ("bpodstart", None),
    "zaber_in_pos": ("zaberready", None),
    "zaberinposition": ("zaberready", None),
}
"""Headings that say our words otherwise."""
_OWN_TRIAL = frozenset({CODE_START, "go", "choice", "reward", "trialend", "zaberready"})
"""Events that are never before their own trial's code; the behaviour computer starts a trial before it."""
_COLUMNS = ("bitcodestart", "go", "choicel", "choicer", "reward", "trialend", "bpodstart", "zaberready")
"""Columns as the rigs' scripts have always ordered them, the first six before they wrote headings."""
_CELLS: dict[str, tuple[str, str | None]] = {
    "zaberPerTrial": ("zaberstep", None),
    "lickLPerTrial": ("lick", "left"),
    "lickRPerTrial": ("lick", "right"),
    "lickMPerTrial": ("lick", "middle"),
    "laserLPerTrial": ("laserleft", None),
    "laserRPerTrial": ("laserright", None),
}
_TODO = "Decode the session's pulses again and save the file with save(..., '-v7')."


@dataclass(frozen=True)
class RigRecord:
    """What a file tells besides codes, on the probe's nominal clock, s.

    Parameters
    ----------
    events : tuple of Instants
        One for each column and kind of cell.
    cameras : tuple of Instants
        One for each camera, under its name in the file.
    """

    events: tuple[Instants, ...]
    cameras: tuple[Instants, ...]


def read_rig_record(
    path: Path, start_probe_s: Times, trial_written: Sequence[int | None], sample_rate_hz: float | None = None
) -> RigRecord:
    """Read events and frames.

    Where the times' zero is, and whether they are seconds, the file does not say; they are held against the trials.
    They are times of the stream if each lies in its own trial (from its start to the next one's; the start of the
    behaviour computer's trial, frames and events of unknown names from the previous one's), else times since their
    trial's start if they do then, else they cannot be used. They are seconds; where sTrig counts samples
    (`bitcode.counts_samples`) and seconds do not fit, samples. A zero among times of the stream is a NaN that was saved
    as an integer.

    Parameters
    ----------
    path : pathlib.Path
    start_probe_s : numpy.ndarray of float, shape (n,)
        The trials' starts on the probe's nominal clock, s, as `bitcode.read_bitcode` gives them; NaN where unknown.
    trial_written : sequence of (int or None), length n
        As `bitcode.read_bitcode` gives them: scripts that kept the first n trials alone left the cells uncut.
    sample_rate_hz : float, optional
        The probe's rate.

    Raises
    ------
    UnreadableFile
        If it is damaged, or no MATLAB file.
    PiecesDoNotFit
        If a variable is of another kind, counts disagree with the codes', cameras have no names of their own, frames
        do not rise, or the times do not fit the trials.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    file = _File(path, open_matlab(path, todo=_TODO), len(start_probe_s), list(trial_written))
    events, cameras = (*file.markers(), *file.cells()), file.cameras()
    told = [one for one in (*events, *cameras) if np.any(~np.isnan(one.at))]
    if not told:
        return RigRecord((), cameras)
    scales = [1.0]
    if sample_rate_hz is not None and counts_samples(*(file.numbers(name) for name in ("sTrig", "goCue"))):
        scales.append(1 / sample_rate_hz)
    placed, problem = place_instants((*events, *cameras), start_probe_s, scales, LONGEST_WAIT_S)
    if placed is None:
        raise file.misfit(problem, "times of the stream, or since the trial's start, that lie in their trials")
    return RigRecord(placed[: len(events)], placed[len(events) :])


@dataclass(frozen=True)
class _File:
    """An open file and the trials that its codes count."""

    path: Path
    file: MatlabFile
    n: int
    trial_written: list[int | None]

    def misfit(self, found: str, expected: str) -> PiecesDoNotFit:
        return PiecesDoNotFit(self.path, found, expected=expected, todo=_TODO)

    def numbers(self, name: str) -> Times:
        matrix = self.file.variables.get(name)
        return matrix.numbers().ravel() if matrix is not None and matrix.kind == "numbers" else np.empty(0)

    def markers(self) -> list[Instants]:
        """Read the columns of ``digMarkerPerTrial``."""
        matrix = self.file.variables.get("digMarkerPerTrial")
        if matrix is None or not matrix.size:
            return []
        if matrix.kind != "numbers" or len(matrix.dims) != 2:
            raise self.misfit("digMarkerPerTrial is not numeric", "one row of times a trial")
        if matrix.dims[0] != self.n:
            raise self.misfit(f"{matrix.dims[0]} rows of digMarkerPerTrial for {self.n} codes", "one row for each code")
        columns, names = matrix.numbers().T, self._headings(matrix.dims[1])
        place = np.arange(self.n)
        return [
            Instants(event, port, place, column, event not in _OWN_TRIAL, is_start=event == CODE_START)
            for (event, port), column in zip(names, columns, strict=True)
        ]

    def _headings(self, n_columns: int) -> list[tuple[str, str | None]]:
        """Give each column's event and port. Of two columns named choice the first is the left port's, as scripts have it."""
        written = self.file.variables.get("headings")
        if written is None and n_columns in {6, len(_COLUMNS)}:
            names = list(_COLUMNS[:n_columns])
        elif written is None:
            raise self.misfit(f"digMarkerPerTrial has {n_columns} columns and no headings", "a heading for each")
        else:
            names = [name.strip().lower() for name in self._texts(written, "headings")]
        if len(names) != n_columns or not all(names):
            raise self.misfit(f"{len(names)} headings for {n_columns} columns of digMarkerPerTrial", "one for each")
        found = [_WORDS.get(name.rstrip("_"), (name, None)) for name in names]
        choices = [place for place, name in enumerate(names) if name == "choice"]
        if len(choices) == 2:
            for place, port in zip(choices, ("left", "right"), strict=True):
                found[place] = ("choice", port)
        return found

    def cells(self) -> list[Instants]:
        """Read the cells of events, one a trial."""
        found = []
        for name, (event, port) in _CELLS.items():
            matrix = self.file.variables.get(name)
            if matrix is not None and matrix.size:
                found.append(Instants(event, port, *self._of_trials(matrix, name)))
        return found

    def cameras(self) -> tuple[Instants, ...]:
        """Read each camera's frames."""
        matrix = self.file.variables.get("cameraPerTrial")
        if matrix is None or not matrix.size:
            return ()
        if matrix.kind != "cell":
            raise self.misfit("cameraPerTrial is no cell", "one cell a camera")
        chan = self.file.struct("chan")
        names = []
        if "cameraNameInDJ" in chan:
            names = [cell.text().strip() for cell in chan.cells("cameraNameInDJ") if cell.kind == "text"]
        if len(names) != matrix.size or len(set(names) - {""}) != len(names):
            raise self.misfit(
                f"cameraPerTrial has {matrix.size} cameras, and chan.cameraNameInDJ names {len(set(names) - {''})}",
                "a name of its own for each",
            )
        found, cells = [], list[AnyMatrix](matrix.cells())
        for name, cell in zip(names, cells, strict=True):
            place, at = self._of_trials(cell, f"cameraPerTrial of {name}")
            if np.any((np.diff(at) <= 0) & (np.diff(place) == 0)):
                raise self.misfit(f"the frames of {name} do not rise", "frames in time order")
            found.append(Instants(name, None, place, at, reaches_back=True, is_train=True))
        return tuple(found)

    def _of_trials(self, matrix: AnyMatrix, name: str) -> tuple[Places, Times]:
        """Decode one cell a trial into places and times."""
        cells = matrix.cells() if matrix.kind == "cell" else []
        is_first_alone = len(cells) > self.n and self.trial_written == list(range(1, self.n + 1))
        if len(cells) != self.n and not is_first_alone:
            raise self.misfit(f"{len(cells)} cells of {name} for {self.n} codes", "one cell for each code")
        cells = cells[: self.n]
        if any(cell.size and cell.kind != "numbers" for cell in cells):
            raise self.misfit(f"{name} holds something else than numbers", "times")
        return flat([cell.numbers().ravel() if cell.size else np.empty(0) for cell in cells])

    def _texts(self, matrix: AnyMatrix, name: str) -> list[str]:
        cells = matrix.cells() if matrix.kind == "cell" else []
        if matrix.kind not in {"cell", "text"} or any(cell.size and cell.kind != "text" for cell in cells):
            raise self.misfit(f"{name} is not text", "one text a column")
        return [cell.text() for cell in cells] if matrix.kind == "cell" else matrix.rows()
