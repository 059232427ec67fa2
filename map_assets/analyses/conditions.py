"""Named trial conditions, as data. Which trials a probe observed is no condition: it is in ``trial_spikes``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True)
class Condition:
    """A choice of trials; None chooses all.

    Parameters
    ----------
    name : str
        As in the earlier MAP pipeline, where it had one.
    outcomes : tuple of str or None
        Such as ``("hit", "miss")``.
    instruction : str or None
        ``left`` or ``right``.
    early_lick : bool or None
    stim : str or None
        ``none``, ``any``, or the name of a photostimulation site. Whether a trial was stimulated is read from the
        trial itself: its ``photostim_onset_s`` is not null.
    is_auto_water, is_free_water : bool or None
    """

    name: str
    outcomes: tuple[str, ...] | None = None
    instruction: str | None = None
    early_lick: bool | None = False
    stim: str | None = "none"
    is_auto_water: bool | None = False
    is_free_water: bool | None = False

    def holds(self, trials: pa.Table) -> NDArray[np.bool_]:
        """Whether each row of ``trials`` is of this condition, shape (n_trials,)."""
        chosen = np.ones(trials.num_rows, bool)
        if self.outcomes is not None:
            chosen &= _true(pc.is_in(trials["outcome"], pa.array(self.outcomes, pa.string())))
        for name in ("instruction", "early_lick", "is_auto_water", "is_free_water"):
            wanted = getattr(self, name)
            if wanted is not None:
                chosen &= _true(pc.equal(trials[name], wanted))
        if self.stim is not None:
            is_stimulated = _true(pc.is_valid(trials["photostim_onset_s"]))
            if self.stim == "none":
                chosen &= ~is_stimulated
            else:
                chosen &= is_stimulated
                if self.stim != "any":
                    chosen &= _true(pc.equal(trials["photostim_site"], self.stim))
        return chosen


def _true(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), bool)


_ANSWERED = ("hit", "miss")

DELAY_RESPONSE: tuple[Condition, ...] = (
    Condition("good_noearlylick_hit", ("hit",)),
    Condition("good_noearlylick_left_hit", ("hit",), "left"),
    Condition("good_noearlylick_right_hit", ("hit",), "right"),
    Condition("good_noearlylick_left_miss", ("miss",), "left"),
    Condition("good_noearlylick_right_miss", ("miss",), "right"),
    Condition("all_noearlylick_nostim", _ANSWERED),
    Condition("all_noearlylick_nostim_left", _ANSWERED, "left"),
    Condition("all_noearlylick_nostim_right", _ANSWERED, "right"),
)
"""Conditions of the delayed-response task without stimulation."""
