"""The delayed-response task's protocol file: its light, its ports, its training steps. Which file it is stands in `protocol_file`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.behavior.protocol_file import ProtocolFile, read_protocol_file


@dataclass(frozen=True)
class Site:
    """Where the light of one stimulation code goes; um from Bregma and the surface, degrees."""

    name: str
    hemisphere: str
    ap_um: float
    ml_um: float
    dv_um: float
    theta_deg: float
    phi_deg: float


@dataclass(frozen=True)
class Period:
    """When in the trial the light comes on, and in which sessions.

    Parameters
    ----------
    name : str
    animal, file : str
        Regular expressions for the animal's and the behaviour file's name, matched from the start.
    first_protocol_type, last_protocol_type : float
        Training protocols with stimulation, both included.
    is_from_end : bool
        Whether onset counts from the end of the trial's last delay, or from its start.
    shift_s : float
        Onset after that, s.
    """

    name: str
    animal: str
    file: str
    first_protocol_type: float
    last_protocol_type: float
    is_from_end: bool
    shift_s: float

    def fits(self, animal: str, file: str) -> bool:
        """Whether sessions of this animal with this behaviour file have this period."""
        return bool(re.match(self.animal, animal) and re.match(self.file, file))


@dataclass(frozen=True)
class Photostim:
    """How a rig stimulates."""

    device: str
    wavelength_nm: float
    power_mw: float
    duration_s: float
    autolearn: int
    delay_s: float
    delay_decimals: int
    skull_reference: str
    brain_area: str
    periods: tuple[Period, ...]
    sites: Mapping[int, Site]

    def period(self, animal: str, file: str) -> Period | None:
        """Return the first period that fits the session."""
        return next((period for period in self.periods if period.fits(animal, file)), None)

    def onset_s(
        self,
        period: Period | None,
        code: float,
        protocol_type: float,
        autolearn: float | None,
        delays_s: NDArray[np.float64],
    ) -> float | None:
        """Tell from a trial itself whether it was stimulated, and when.

        Parameters
        ----------
        period : Period or None
            The session's; without one nothing is stimulated.
        code : float
            ``StimTrials``; zero is none.
        protocol_type, autolearn : float
            The trial's GUI settings.
        delays_s : numpy.ndarray of float, shape (n, 2)
            Entry and exit of the trial's delays.

        Returns
        -------
        float or None
            Onset of the light, on the clock of `delays_s`, s; None without stimulation.
        """
        if period is None or code == 0 or autolearn != self.autolearn or not len(delays_s):
            return None
        start_s, stop_s = (float(value) for value in delays_s[-1])
        is_whole = round(stop_s - start_s, self.delay_decimals) == round(self.delay_s, self.delay_decimals)
        if not is_whole or not period.first_protocol_type <= protocol_type <= period.last_protocol_type:
            return None
        return (stop_s if period.is_from_end else start_s) + period.shift_s


@dataclass(frozen=True)
class Protocol:
    """A protocol file, read.

    Parameters
    ----------
    source : str
        Name and version of the file, for rows that rest on it.
    fewest_trials : int
        Files with fewer trials are set aside.
    lick_ports : dict of str to str
        Port -> the rig's event of a contact with it.
    """

    source: str
    task: str
    task_protocol: int
    first_protocol_type: int
    first_with_early_licks: int
    fewest_trials: int
    lick_ports: Mapping[str, str]
    protocol_types: Mapping[int, str]
    autolearn: Mapping[int, str]
    photostim: Photostim


def read_protocol(name: str, folder: Path | None = None) -> Protocol:
    """Read a delayed-response protocol file by its name without suffix; parameters and errors as of `read_protocol_file`."""
    return read_protocol_file(name, folder, _protocol)


def _protocol(file: ProtocolFile) -> Protocol:
    found = file.values
    light = dict(found["photostim"])
    periods = tuple(
        Period(
            name=period["name"],
            animal=re.compile(period["animal"]).pattern,
            file=re.compile(period["file"]).pattern,
            first_protocol_type=float(period["first_protocol_type"]),
            last_protocol_type=float(period.get("last_protocol_type", math.inf)),
            is_from_end=_is_from_end(period["from"]),
            shift_s=float(period["shift_s"]),
        )
        for period in light.pop("periods")
    )
    sites = {int(code): Site(**site) for code, site in light.pop("sites").items()}
    return Protocol(
        source=file.source,
        task=found["task"],
        task_protocol=int(found["task_protocol"]),
        first_protocol_type=int(found["first_protocol_type"]),
        first_with_early_licks=int(found["first_with_early_licks"]),
        fewest_trials=int(found["fewest_trials"]),
        lick_ports=dict(found["lick_ports"]),
        protocol_types={int(number): text for number, text in found["protocol_types"].items()},
        autolearn={int(number): text for number, text in found["autolearn"].items()},
        photostim=Photostim(**light, periods=periods, sites=sites),
    )


def _is_from_end(written: str) -> bool:
    if written not in ("delay_start", "delay_end"):
        raise ValueError(f"a period counts from {written!r}, neither delay_start nor delay_end")
    return written == "delay_end"
