"""Where the targets of multi-target licking stood, trial by trial. What a trial does with one lives in `formats`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.behavior.bpod import TODO_COPY
from map_assets.behavior.kept_trials import Skip
from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.matlab_struct import Struct

_TYPES, _X, _Z = "trial_type_mat", "X_positions_mat", "Z_positions_mat"
_LAST_PORT = 9


@dataclass(frozen=True)
class Target:
    """A trial's target: its port's name, and where the port stood, motor units."""

    port: str
    x: float | None
    z: float | None


class Targets:
    """The grids of a file: for each trial, which target stands where.

    Parameters
    ----------
    data : Struct
        ``SessionData``.
    was_run : numpy.ndarray of bool, shape (n_planned,)
        Grids stand for each planned trial, or for each that was run.

    Raises
    ------
    PiecesDoNotFit
        If there is another number of grids, or they differ in shape.
    """

    def __init__(self, data: Struct, was_run: NDArray[np.bool_]) -> None:
        self._grids = {name: _grids(data, name, was_run) for name in (_TYPES, _X, _Z)}

    def of(self, index: int, number: int, trial_type: float) -> Target:
        """Return the target of the run trial at `index` (from 0).

        Parameters
        ----------
        index : int
        number : int
            Of the trial, for what is said of it.
        trial_type : float
            Which target it was.

        Raises
        ------
        Skip
            If its grid does not hold the target, or its grids differ in shape.
        """
        grid, x, z = (self._grids[name][index] for name in (_TYPES, _X, _Z))
        if not grid.shape == x.shape == z.shape:
            raise Skip(f"its grids of targets and positions differ in shape: {grid.shape}, {x.shape}, {z.shape}")
        cells = np.argwhere(grid == trial_type)
        if not len(cells) or not trial_type.is_integer() or not 1 <= trial_type <= _LAST_PORT:
            raise Skip(f"trial type {trial_type:g} is no target of trial {number}'s grid")
        row, column = cells[0]
        return Target(f"mtl-{trial_type:g}", _known(x[row, column]), _known(z[row, column]))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _along_trials(data: Struct, name: str, values: NDArray[np.float64], counts: set[int]) -> list[NDArray[np.float64]]:
    """Take an array apart along the axis that counts trials: the first, else the last.

    Raises
    ------
    PiecesDoNotFit
        If either may be that axis, and they give other grids.
    """
    either = list(values), list(np.moveaxis(values, 2, 0))
    if values.shape[0] not in counts:
        return either[1]
    if values.shape[2] in counts and not np.array_equal(values, np.moveaxis(values, 2, 0), equal_nan=True):
        raise PiecesDoNotFit(
            data.path,
            f"{name} is {' x '.join(map(str, values.shape))}, and trials may be its first axis or its last",
            expected="a cell with a grid for each trial",
            todo="Save it as a cell.",
        )
    return either[0]


def _grids(data: Struct, name: str, was_run: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Read a field that is a cell of grids, or an array whose first (else last) axis counts trials."""
    cells = data.cells(name)
    found: list[NDArray[np.float64]] = []
    for number, cell in enumerate(cells, 1):
        data.as_numbers(cell, f"{name} of trial {number}")
        values = cell.numbers()
        if values.ndim == 3:
            found += _along_trials(data, name, values, {len(was_run), int(was_run.sum())})
        elif len(cells) == 1 and len(was_run) > 1:
            found += list(values)
        else:
            found.append(values)
    found = [grid if grid.ndim == 2 else grid.reshape(1, -1) for grid in found]
    if len(found) == len(was_run):
        return [grid for grid, kept in zip(found, was_run, strict=True) if kept]
    if len(found) == int(was_run.sum()):
        return found
    raise PiecesDoNotFit(
        data.path,
        f"{name} holds {len(found)} grids of targets",
        expected=f"one for each of {len(was_run)} trials",
        todo=TODO_COPY,
    )
