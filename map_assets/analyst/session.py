"""`LabSession`: questions about one session. Questions about all live in `lab`, the arithmetic of spikes in `spikes`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from map_assets.analyst.choosing import Chosen, event_times, trial_numbers
from map_assets.analyst.errors import NoFigure, near
from map_assets.analyst.session_spikes import SessionSpikes
from map_assets.analyst.spikes import AlignedSpikes, bin_edges_s, mean_rate
from map_assets.catalog import TABLES
from map_assets.vocabulary.errors import NoSuchTable

if TYPE_CHECKING:
    from map_assets.analyst.explain import Explanation
    from map_assets.analyst.frame import Frame
    from map_assets.analyst.lab import Lab
    from map_assets.analyst.ragged import RaggedSpikes
    from map_assets.analyst.standing import Standing

Window = tuple[float, float]
_FIGURES = tuple(table.name for table in TABLES if "png_file" in table.schema.names)


@dataclass(frozen=True)
class Figure:
    """A drawn figure; a notebook shows it."""

    name: str
    session: str
    png: bytes
    svg_path: Path

    @property
    def svg(self) -> str:
        """The drawing as SVG text."""
        return self.svg_path.read_text("utf-8")

    def _repr_png_(self) -> bytes:
        return self.png


class LabSession:
    """One session, open for reading; `Lab.session` makes one. Spikes once read are kept as long as it is."""

    def __init__(self, lab: Lab, standing: Standing, key: str) -> None:
        self.key = key
        self._lab = lab
        self._standing = standing
        self._spikes = SessionSpikes(standing, key)
        self._nwb: tuple[tuple[Path, str], Any] | None = None

    def __repr__(self) -> str:
        return f"<LabSession {self.key}>"

    # -- tables ------------------------------------------------------------------------------------------------------
    def table(self, name: str, columns: Sequence[str] | None = None) -> Frame:
        """A table of the session; see `Lab.table`."""
        return self._lab.table(name, self.key, columns)

    def tables(self) -> list[str]:
        """Names of the tables that the session has."""
        return [table.name for table in TABLES if self.key in self._standing.having(table.name)]

    def trials(self) -> Frame:
        """The session's trials; skipped ones leave gaps in the numbers."""
        return self.table("trials")

    def licks(self) -> Frame:
        """The session's licks."""
        return self.table("licks")

    def units(self, region: str | None = None, quality: str | None = None) -> Frame:
        """The session's units with place, probe and statistics; see `Lab.units`."""
        return self._lab.units(region, quality, self.key)

    def coverage(self) -> Frame:
        """Which probe observed which trial: session, probe, trial, is_observed; one row for each sorted probe and trial."""
        from map_assets.analyst.frame import frame_from

        trials = self._standing.read("trials", self.key, ["trial"])["trial"].to_numpy()
        probes = np.unique(self._standing.read("units", self.key, ["probe"])["probe"].to_numpy())
        seen = self._spikes.observed().select(["probe", "trial"]).group_by(["probe", "trial"]).aggregate([])
        pairs = set(zip(seen["probe"].to_pylist(), seen["trial"].to_pylist(), strict=True))
        probe, trial = np.repeat(probes, trials.size), np.tile(trials, probes.size)
        is_observed = [pair in pairs for pair in zip(probe.tolist(), trial.tolist(), strict=True)]
        session = pa.array([self.key] * trial.size, pa.string())
        return frame_from(pa.table({"session": session, "probe": probe, "trial": trial, "is_observed": is_observed}))

    def explain(self, table: str, **key: Any) -> Explanation:
        """Where a row of the session comes from: ``s.explain("units", probe=1, unit_id=7)``; see `Lab.explain`."""
        return self._lab.explain(table, {"session": self.key, **key})

    # -- spikes ------------------------------------------------------------------------------------------------------
    def spike_times(self, probe: int, unit_id: int) -> NDArray[np.float64]:
        """All spikes of a unit on the session clock, s, shape (n_spikes,), rising.

        Raises
        ------
        NoSuchUnit
            If the session has no such unit.
        NoSessionClock
            If the probe's clock could not be put onto the session clock.
        NoSuchTable
            If nothing is sorted yet.
        """
        return self._spikes.of(probe, unit_id)

    def spikes(self, probe: int) -> RaggedSpikes:
        """All spikes of a probe as one ragged array: exact samples without a copy, the session clock, ``to_pynapple()``.

        Raises
        ------
        NoSuchUnit
            If the session has no such probe.
        NoSessionClock, NoSuchTable
            As in `spike_times`.
        """
        from map_assets.analyst.ragged import RaggedSpikes

        return RaggedSpikes(self.key, probe, self._spikes.trains(probe))

    def aligned_spikes(
        self,
        event: str = "go",
        probe: int | None = None,
        unit_id: int | None = None,
        window: Window = (-3.0, 3.0),
        trials: Chosen = None,
    ) -> AlignedSpikes:
        """Spikes around an event of each trial, for the units and trials in which the probe observed the trial.

        The window is cut out of the whole train, so that it may reach into the neighbouring trials. Trials without
        the event have no row.

        Parameters
        ----------
        event : str
            ``go``, ``sample``, ``delay``, ``start``, or any other instant of `trials` (``photostim_onset``, or with
            its ``_s``); ``first_lick`` is the first one after the go cue.
        probe, unit_id : int, optional
            Only this probe, only this unit; a unit is named with its probe.
        window : tuple of float
            From, up to but not including, relative to the event, s.
        trials : optional
            Trial numbers, a mask as long as `trials`, or a query (``"outcome == 'hit' and not early_lick"``).

        Raises
        ------
        NoSuchEvent, NoSuchUnit, NoSessionClock, NoSuchTable
            If there is no such instant or unit, or the session has no clock map or sorting yet.
        """
        frame = self.trials()
        trial, at_s = event_times(frame, self.licks, event)
        is_chosen = np.isin(trial, trial_numbers(frame, trials))
        return self._spikes.around(event, trial[is_chosen], at_s[is_chosen], probe, unit_id, window)

    def psth(
        self,
        probe: int,
        unit_id: int,
        event: str = "go",
        condition: Chosen = None,
        window: Window = (-3.0, 3.0),
        bin_s: float = 0.04,
    ) -> Frame:
        """A unit's mean rate around an event.

        Parameters
        ----------
        probe, unit_id, event, window
            As in `aligned_spikes`.
        condition : optional
            Which trials: as `trials` in `aligned_spikes`.
        bin_s : float
            Width of the half-open bins, s; they fill the window.

        Returns
        -------
        Frame
            time_from_event_s (middle of the bin), rate_hz, sem_hz (over trials; NaN with fewer than two); the number
            of trials is ``attrs["n_trials"]``. Without trials the rates are NaN.
        """
        from map_assets.analyst.frame import frame_from

        edges_s = bin_edges_s(window, bin_s)
        spikes = self.aligned_spikes(event, probe, unit_id, window, condition)
        rate_hz, sem_hz = mean_rate(spikes, edges_s)
        middle_s = (edges_s[:-1] + edges_s[1:]) / 2
        fields = [
            pa.field(
                "time_from_event_s", pa.float64(), metadata={"unit": "s", "meaning": f"middle of the bin, from {event}"}
            ),
            pa.field("rate_hz", pa.float64(), metadata={"unit": "Hz", "meaning": "mean over trials"}),
            pa.field("sem_hz", pa.float64(), metadata={"unit": "Hz", "meaning": "its standard error over trials"}),
        ]
        frame = frame_from(pa.table([middle_s, rate_hz, sem_hz], pa.schema(fields)))
        frame.attrs |= {"event": event, "n_trials": len(spikes), "bin_s": bin_s, "probe": probe, "unit_id": unit_id}
        return frame

    def traces(
        self,
        feature: str,
        event: str = "go",
        window: Window = (-0.5, 1.0),
        trials: Chosen = None,
        camera: str | None = None,
    ) -> Frame:
        """A tracked body part around an event, one row a trial.

        Parameters
        ----------
        feature : str
            As the tracker names it: ``jaw``, ``tongue``.
        event, window, trials
            As in `aligned_spikes`.
        camera : str, optional
            ``side``, ``bottom``; every camera by default.

        Returns
        -------
        Frame
            trial, camera, feature; time_from_event_s, x_px, y_px, likelihood (arrays as long as the trial has frames in
            the window; a trial whose frames have no times has no row).

        Raises
        ------
        NoSuchFeature
            If nothing of that name was tracked.
        NoSuchEvent, NoSuchTable
            If there is no such instant, or no tracking yet.
        """
        from map_assets.analyst.traces import cut_traces

        frame = self.trials()
        trial, at_s = event_times(frame, self.licks, event)
        is_chosen = np.isin(trial, trial_numbers(frame, trials))
        tracking = self._standing.read("tracking", self.key)
        return cut_traces(tracking, feature, camera, event, trial[is_chosen], at_s[is_chosen], window)

    # -- files -------------------------------------------------------------------------------------------------------
    def figure(self, name: str) -> Figure:
        """A figure of the session, as it was drawn.

        Raises
        ------
        NoSuchTable
            If there is no figure of that name, or it is not drawn yet.
        NoFigure
            If it is not applicable to the session; the reason is told.
        """
        if name not in _FIGURES:
            raise NoSuchTable(f"There is no figure {name!r}{near(name, _FIGURES)}; there are {', '.join(_FIGURES)}.")
        (row,) = self._standing.read(name, self.key).to_pylist()
        if row["png_file"] is None:
            raise NoFigure(f"The figure {name} of session {self.key} is not applicable: {row['reason']}")
        png = self._standing.file(row["png_file"]).read_bytes()
        return Figure(name, self.key, png, self._standing.file(row["svg_file"]))

    def nwb(self) -> Any:
        """Open the session's NWB file, read only, as a ``pynwb.NWBFile``; it stays open as long as the session lives."""
        import pynwb

        (row,) = self._standing.read("nwb_file", self.key).to_pylist()
        path = self._standing.file(row["path"], row["sha256"])
        known = (path, row["sha256"])
        if self._nwb is None or self._nwb[0] != known:
            # what is read lazily holds its file only weakly
            self._nwb = known, pynwb.NWBHDF5IO(str(path), mode="r").read()
        return self._nwb[1]

    def to_mat(self, probe: int, to: str | Path) -> Path:
        """Write a probe's MATLAB file into a folder and return its path; `docs/matlab.md` has its variables.

        Raises
        ------
        NoSuchTable
            If a table that it needs does not stand yet.
        """
        from map_assets.analyst.giving import give_mat

        return give_mat(self._standing, self.key, probe, Path(to))
