"""Named trial conditions, as data. Which trials a unit may be judged by is no condition: that is in `masks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.own_file import read_own_or_packaged


class StimArea(BaseModel):
    """Sites of one brain area and side (``left``, ``right`` or ``both``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    brain_area: str
    hemisphere: Literal["left", "right", "both"]


_FLAG = Annotated[bool | None, BeforeValidator(lambda value: None if value == "any" else value)]


class _Written(BaseModel):
    """A condition as its file writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    outcomes: Annotated[tuple[str, ...] | None, BeforeValidator(lambda value: tuple(value or ()))] = None
    instruction: Literal["left", "right", "middle"] | None = None
    choice: Literal["left", "right", "middle"] | None = None
    early_lick: _FLAG = False
    auto_water: _FLAG = False
    free_water: _FLAG = False
    stim: StimArea | str = "none"


@dataclass(frozen=True)
class Condition:
    """A choice of trials; None chooses all.

    Parameters
    ----------
    name : str
        As in the earlier MAP pipeline, where it had one.
    outcomes : tuple of str or None
        Such as ``("hit", "miss")``.
    instruction, choice : str or None
        The port that earns the reward, and the one that the animal chose.
    early_lick : bool or None
    stim : str, StimArea or None
        ``none``, ``any``, the name of a photostimulation site, or an area and side. Whether a trial was stimulated is
        read from the trial itself: its ``photostim_onset_s`` is not null.
    is_auto_water, is_free_water : bool or None
    """

    name: str
    outcomes: tuple[str, ...] | None = None
    instruction: str | None = None
    early_lick: bool | None = False
    stim: str | StimArea | None = "none"
    is_auto_water: bool | None = False
    is_free_water: bool | None = False
    choice: str | None = None

    def holds(self, trials: pa.Table, photostim_sites: pa.Table | None = None) -> NDArray[np.bool_]:
        """Whether each row of ``trials`` is of this condition, shape (n_trials,).

        Where `stim` is an area, the trial's site is looked up in `photostim_sites`; without that table no trial holds.
        """
        chosen = np.ones(trials.num_rows, bool)
        if self.outcomes is not None:
            chosen &= _true(pc.is_in(trials["outcome"], pa.array(self.outcomes, pa.string())))
        for name in ("instruction", "choice", "early_lick", "is_auto_water", "is_free_water"):
            wanted = getattr(self, name)
            if wanted is not None:
                chosen &= _true(pc.equal(trials[name], wanted))
        if self.stim is None:
            return chosen
        is_stimulated = _true(pc.is_valid(trials["photostim_onset_s"]))
        if self.stim == "none":
            return chosen & ~is_stimulated
        chosen &= is_stimulated
        if self.stim != "any":
            names = [self.stim] if isinstance(self.stim, str) else _sites_of(self.stim, photostim_sites)
            chosen &= _true(pc.is_in(trials["photostim_site"], pa.array(names, pa.string())))
        return chosen


def read_conditions(path: Path | None = None) -> Mapping[str, tuple[Condition, ...]]:
    """Read a file of conditions.

    Parameters
    ----------
    path : pathlib.Path, optional
        A laboratory's own file; without one, the package's ``conditions.toml``.

    Returns
    -------
    mapping of str to tuple of Condition
        By task, in the order of the file.

    Raises
    ------
    BadConfiguration
        If it cannot be read, or a condition asks for what no trial has.
    """
    name, found = read_own_or_packaged(path, "map_assets.analyses", "conditions.toml")
    version = found.pop("version", None)
    if not isinstance(version, str) or not version.strip():
        raise BadConfiguration(f'{name}: it names no version; write version = "1" and raise it with every change.')
    read: dict[str, tuple[Condition, ...]] = {}
    for task, written in found.items():
        if not isinstance(written, dict):
            raise BadConfiguration(
                f"{name}: {task} is no task with conditions; expected [task] and a line a condition."
            )
        read[task] = tuple(_condition(name, task, key, value) for key, value in written.items())
    return read


def _condition(file: str, task: str, name: str, value: object) -> Condition:
    try:
        found = _Written.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise BadConfiguration(f"{file}: condition {name} of {task}: {where}: {first['msg']}.") from error
    return Condition(
        name,
        found.outcomes,
        found.instruction,
        found.early_lick,
        found.stim,
        found.auto_water,
        found.free_water,
        found.choice,
    )


def _sites_of(area: StimArea, photostim_sites: pa.Table | None) -> list[str]:
    if photostim_sites is None:
        return []
    is_there = (pc.field("brain_area") == area.brain_area) & (pc.field("hemisphere") == area.hemisphere)
    return [str(name) for name in photostim_sites.filter(is_there)["photostim_site"].to_pylist()]


def _true(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), bool)


DELAY_RESPONSE: tuple[Condition, ...] = read_conditions()["delay_response"]
"""The package's conditions of the delayed-response task."""
