"""Where JRCLUST keeps what, and what it measured of its units. Its spikes and labels are read in `jrclust`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.sorters.jrclust_file import JrclustFile
from map_assets.ephys.sorters.protocol import Reals, SortingFolder, UnitMeasures, Wholes
from map_assets.ephys.sorters.trains import Spikes

_LARGEST_CHANNEL = int(np.iinfo(np.int16).max)
_AXES_OF_WAVEFORMS = 3


@dataclass(frozen=True)
class Names:
    """Where a version keeps what."""

    times: str
    clusters: str
    sites: str
    positions: str
    notes: str
    unit_sites: str
    amplitudes: str
    snr: str
    waveforms: str
    isolation: str
    l_ratio: str


NAMES = {
    "3": Names(
        times="viTime_spk",
        clusters="S_clu/viClu",
        sites="viSite_spk",
        positions="mrPos_spk",
        notes="S_clu/csNote_clu",
        unit_sites="S_clu/viSite_clu",
        amplitudes="S_clu/vrVpp_uv_clu",
        snr="S_clu/vrSnr_clu",
        waveforms="S_clu/trWav_raw_clu",
        isolation="S_clu/vrIsoDist_clu",
        l_ratio="S_clu/vrLRatio_clu",
    ),
    "4": Names(
        times="spikeTimes",
        clusters="spikeClusters",
        sites="spikeSites",
        positions="spikePositions",
        notes="clusterNotes",
        unit_sites="clusterSites",
        amplitudes="unitVppRaw",
        snr="unitSNR",
        waveforms="meanWfLocalRaw",
        isolation="unitIsoDist",
        l_ratio="unitLRatio",
    ),
}


class Sites:
    """Which channel (from 0) each site (from 1) is."""

    def __init__(self, folder: SortingFolder, file: JrclustFile, name: str) -> None:
        self.folder = folder
        self.channels = file.vector(name).astype(np.int64) - 1 if file.has(name) else None

    def of(self, sites: NDArray[np.generic]) -> Wholes:
        """Return the channels of these sites."""
        numbers = sites.astype(np.int64)
        n_sites = _LARGEST_CHANNEL if self.channels is None else len(self.channels)
        if len(numbers) and (numbers.min() < 1 or numbers.max() > n_sites):
            raise self.folder.misfit("a site's number is below 1 or has no channel", f"1 to {n_sites}")
        channels = numbers - 1 if self.channels is None else self.channels[numbers - 1]
        if len(channels) and not 0 <= channels.min() <= channels.max() <= _LARGEST_CHANNEL:
            raise self.folder.misfit("a site's channel is negative or too large", "channels from 1")
        return np.asarray(channels, np.int64)


def make_measures(
    folder: SortingFolder,
    file: JrclustFile,
    version: str,
    spikes: Spikes,
    to_channel: Sites,
    rate_hz: float | None,
) -> UnitMeasures:
    """Join what the file tells of every unit that has spikes.

    Parameters
    ----------
    folder : SortingFolder
    file : JrclustFile
    version : str
        ``3`` or ``4``.
    spikes : Spikes
    to_channel : Sites
    rate_hz : float or None
        For the firing rates.

    Raises
    ------
    UnreadableFile
        If a variable is damaged or missing.
    PiecesDoNotFit
        If a variable has not one element for each unit.
    """
    names, unit_ids = NAMES[version], spikes.trains.unit_ids
    sites = _of_units(folder, names.unit_sites, file.vector(names.unit_sites), unit_ids)
    x_um, y_um = (_of_units(folder, "the units' positions", values, unit_ids) for values in _places(file, version))
    metrics = {"snr": names.snr, "isolation_distance": names.isolation, "l_ratio": names.l_ratio}
    found = {
        name: _of_units(folder, variable, file.vector(variable), unit_ids)
        for name, variable in metrics.items()
        if file.has(variable) and file.vector(variable).size
    }
    return UnitMeasures(
        peak_channel=to_channel.of(sites),
        x_um=x_um,
        y_um=y_um,
        amplitude_uv=_of_units(folder, names.amplitudes, file.vector(names.amplitudes), unit_ids),
        firing_rate_hz=spikes.trains.rates_hz(rate_hz),
        waveform_uv=_waveforms(folder, file, names.waveforms, unit_ids),
        metrics={name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()},
    )


def _places(file: JrclustFile, version: str) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return the units' centres, x and y, um."""
    if version == "3":
        return file.vector("S_clu/vrPosX_clu"), file.vector("S_clu/vrPosY_clu")
    centres = file.numbers("clusterCentroids")
    return (centres[0], centres[1]) if centres.ndim == 2 and len(centres) == 2 else (np.empty(0), np.empty(0))


def _of_units(folder: SortingFolder, name: str, values: NDArray[np.generic], unit_ids: Wholes) -> Reals:
    """Take what stands for each unit: element 0 is cluster 1."""
    if len(unit_ids) and unit_ids[-1] > len(values):
        raise folder.misfit(f"{name} has {len(values)} elements, and there is a cluster {unit_ids[-1]}", "one for each")
    return values.ravel()[unit_ids - 1].astype(np.float64)


def _waveforms(folder: SortingFolder, file: JrclustFile, name: str, unit_ids: Wholes) -> list[NDArray[np.float32]]:
    """Read each unit's mean waveform on its peak channel, which is the first of its channels, uV."""
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(unit_ids)
    whole = file.numbers(name) if file.has(name) else np.empty(0)
    if not whole.size:
        return found
    if whole.ndim != _AXES_OF_WAVEFORMS or (len(unit_ids) and unit_ids[-1] > len(whole)):
        raise folder.misfit(f"{name} has shape {whole.shape}", "units, channels and samples")
    for place, unit_id in enumerate(unit_ids.tolist()):
        waveform = whole[unit_id - 1, 0].astype(np.float32)
        if np.isfinite(waveform).all():
            found[place] = waveform
    return found
