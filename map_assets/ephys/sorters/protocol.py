"""What a sorter's module offers and what it returns. Which sorter reads a folder is decided in `sortings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import CompanionMissing, PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile

Reals = NDArray[np.float64]
Wholes = NDArray[np.int64]


@dataclass(frozen=True)
class SortingFolder:
    """The files of one folder, by name, and where it stands under its share's root.

    Parameters
    ----------
    relpath : pathlib.PurePosixPath
    files : mapping of str to FoundFile
    below : mapping of str to FoundFile
        Those of the folders in it that no sorter recognises, by path from it: ``properties/quality.npy``.
    """

    relpath: PurePosixPath
    files: Mapping[str, FoundFile]
    below: Mapping[str, FoundFile] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def path(self, name: str) -> Path:
        """Return a file's path.

        Raises
        ------
        CompanionMissing
            If the folder has no such file (yet).
        """
        if name not in self.files:
            raise self.lacks(name)
        return self.files[name].path

    def lacks(self, name: str) -> CompanionMissing:
        """Make the error that says which file the folder's others wait for."""
        return CompanionMissing(
            Path(self.relpath),
            f"{name} is missing",
            expected="the sorter's whole folder",
            todo="Copy that file there; the folder is then read.",
        )

    def misfit(self, found: str, expected: str) -> PiecesDoNotFit:
        """Make the error that says in what the folder's files do not fit together."""
        return PiecesDoNotFit(
            Path(self.relpath),
            found,
            expected=expected,
            todo="Copy the folder from the sorting computer again, or sort again.",
        )


@dataclass(frozen=True)
class Scale:
    """What a recording tells a sorter's reader; None where no meta file has arrived."""

    sample_rate_hz: float | None = None
    microvolt_per_bit: float | None = None


@dataclass(frozen=True)
class UnitMeasures:
    """What was measured of each unit; members have one element a unit, in the order of `SpikeTrains.unit_ids`.

    Parameters
    ----------
    peak_channel : numpy.ndarray of int, shape (u,)
        Saved AP channel with the largest waveform, from 0; a masked array where some are unknown.
    x_um, y_um : numpy.ndarray of float, shape (u,)
        The unit's place in the sorter's positions, um: of that channel, or of the unit's centre where the sorter tells
        it. NaN where unknown.
    amplitude_uv, firing_rate_hz : numpy.ndarray of float, shape (u,)
        NaN where unknown.
    waveform_uv : list of numpy.ndarray
        Mean waveform on the peak channel, uV; empty where there is none.
    metrics : mapping of str to numpy.ndarray of float, shape (u,)
        Further columns; NaN where there is no value.
    """

    peak_channel: Wholes
    x_um: Reals
    y_um: Reals
    amplitude_uv: Reals
    firing_rate_hz: Reals
    waveform_uv: list[NDArray[np.float32]]
    metrics: Mapping[str, Reals]


@dataclass(frozen=True)
class SpikeTrains:
    """All spikes of a sorting, unit after unit.

    Parameters
    ----------
    unit_ids : numpy.ndarray of int, shape (u,)
        The sorter's cluster ids that have spikes, rising.
    samples : numpy.ndarray of int, shape (n,)
        Samples since the start of the recording; each unit's never fall.
    offsets : numpy.ndarray of int, shape (u + 1,)
        Unit k's spikes are ``samples[offsets[k]:offsets[k + 1]]``.
    """

    unit_ids: Wholes
    samples: Wholes
    offsets: Wholes

    @property
    def counts(self) -> Wholes:
        """Spikes of each unit, shape (u,)."""
        return np.diff(self.offsets)

    def rates_hz(self, sample_rate_hz: float | None) -> Reals:
        """Spikes of each unit over the span of all spikes, Hz; NaN where the span is nothing or the rate unknown."""
        span = float(np.ptp(self.samples)) if len(self.samples) else 0.0
        if not span or sample_rate_hz is None:
            return np.full(len(self.unit_ids), np.nan)
        return np.asarray(self.counts * (sample_rate_hz / span))


@dataclass(frozen=True)
class UnitLabels:
    """Every label that the files give a cluster, as found; lists of one length, one element a label.

    Clusters without spikes have theirs too; `unit_id`, `source` and `name` together name a label.

    Parameters
    ----------
    unit_id : list of int
    source : list of str
        File that the label comes from.
    name : list of str
        Column of that file, or what the sorter calls it: ``KSLabel``, ``group``, ``Amplitude``.
    value : list of str
        As found; a number stays the text that the file has.
    """

    unit_id: list[int] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    value: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SpikeFeatures:
    """What the sorter tells of each spike, in the order of `SpikeTrains.samples`; None where it does not tell.

    Parameters
    ----------
    amplitude_uv : numpy.ndarray of float32, shape (n,), or None
    depth_um : numpy.ndarray of float32, shape (n,), or None
        Along the shank, in the sorter's channel positions; NaN for a spike without one.
    peak_channel : numpy.ndarray of int16, shape (n,), or None
        Saved AP channel on which the spike's template is largest, from 0.
    """

    amplitude_uv: NDArray[np.float32] | None = None
    depth_um: NDArray[np.float32] | None = None
    peak_channel: NDArray[np.int16] | None = None


@dataclass(frozen=True)
class SorterResult:
    """One sorter's result for one probe; None where the files do not tell.

    Parameters
    ----------
    quality, quality_source : list of str
        Each unit's label as found, and the file that it comes from.
    sorter_label : list of (str or None)
        The sorter's own label, also where a curator's stands.
    labels : UnitLabels
        All labels of all files, also those that `quality` does not use.
    features : SpikeFeatures
    n_unassigned : int
        Spikes of the files that belong to no unit (deleted or noise), which are left out.
    """

    sorter: str
    sorter_version: str | None
    curation: str
    sorted_at: datetime | None
    sample_rate_hz: float | None
    has_metrics: bool
    quality: list[str]
    quality_source: list[str]
    sorter_label: list[str | None]
    trains: SpikeTrains
    measures: UnitMeasures
    labels: UnitLabels = field(default_factory=UnitLabels)
    features: SpikeFeatures = field(default_factory=SpikeFeatures)
    n_unassigned: int = 0


class Sorter(Protocol):
    """A module that reads one sorter's folders."""

    def recognizes(self, names: frozenset[str]) -> bool:
        """Whether a folder with files of these names is this sorter's."""
        ...

    def lacks(self, names: frozenset[str]) -> str | None:
        """Name the file that is still to come in a folder with some of this sorter's files; None where it is not its."""
        ...

    def read(self, folder: SortingFolder, scale: Scale) -> SorterResult:
        """Read a recognised folder; every failure is one of the `BadInput` family."""
        ...
