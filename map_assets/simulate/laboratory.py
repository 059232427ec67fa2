"""Writes a whole made-up laboratory: shares, registry sheets, atlas, configuration and truth. The ready-made plans live in `presets`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from map_assets.simulate.atlas import Volume, make_volume, write_volume
from map_assets.simulate.bitcode import see_trials, write_bitcode
from map_assets.simulate.blueprint import LabPlan, Part, SessionPlan
from map_assets.simulate.bpod import write_behavior
from map_assets.simulate.clocks import ProbeClock
from map_assets.simulate.deeplabcut import write_tracking
from map_assets.simulate.defects import Defect, first_and_last_recorded
from map_assets.simulate.histology import write_histology
from map_assets.simulate.jrclust import write_jrclust
from map_assets.simulate.kilosort import make_clusters, write_sorting
from map_assets.simulate.kilosort4 import write_kilosort4
from map_assets.simulate.neurons import make_neurons, make_segments, make_trains
from map_assets.simulate.nidq import write_pulse_codes
from map_assets.simulate.other_tasks import write_other_task
from map_assets.simulate.presets import PRESETS
from map_assets.simulate.raw import make_ap, write_lf
from map_assets.simulate.registry import write_animals, write_insertions, write_people
from map_assets.simulate.spikeglx import sample_rate_text, write_recording
from map_assets.simulate.task import make_trials
from map_assets.simulate.tracks import make_track
from map_assets.simulate.trial import Trial
from map_assets.simulate.truth import write_truth
from map_assets.simulate.truth_tables import ProbeTruth
from map_assets.simulate.writing import write_text
from map_assets.vocabulary.errors import BadConfiguration

SHARES = {"rig1": "behavior", "ephys": "ephys", "histology": "histology", "tracking": "tracking"}
"""Folder of each share, which is its name too, and its kind."""
RECORDED_AFTER_S = 8.0
"""From the end of the last trial to the end of the recording, s."""
_SORTINGS = {
    "kilosort2.5": write_sorting,
    "kilosort4": write_kilosort4,
    "jrclust3": write_jrclust,
    "jrclust4": write_jrclust,
}


@dataclass(frozen=True)
class WrittenSession:
    """What was written of one session: its key and every file, the truth's apart."""

    key: str
    files: tuple[Path, ...]
    truth: tuple[Path, ...]


@dataclass(frozen=True)
class WrittenLaboratory:
    """What was written of a laboratory.

    Parameters
    ----------
    root : pathlib.Path
    config : pathlib.Path
        ``map_assets.toml``, ready to use.
    people, animals, insertions : pathlib.Path
        The registry's sheets.
    annotation : pathlib.Path
        The atlas.
    sessions : tuple of WrittenSession
    """

    root: Path
    config: Path
    people: Path
    animals: Path
    insertions: Path
    annotation: Path
    sessions: tuple[WrittenSession, ...]


def simulate(out: Path, preset: str = "demo", seed: int = 1) -> WrittenLaboratory:
    """Write one of the ready-made laboratories.

    Parameters
    ----------
    out : pathlib.Path
        Folder for it all.
    preset : str
        A name of `presets.PRESETS`.
    seed : int

    Raises
    ------
    BadConfiguration
        If there is no such preset.
    """
    if preset not in PRESETS:
        raise BadConfiguration(f"There is no preset {preset!r}; choose one of {', '.join(PRESETS)}.")
    return write_laboratory(out, PRESETS[preset](seed))


def write_laboratory(
    out: Path,
    plan: LabPlan,
    *,
    data_root: Path | None = None,
    settle_s: float = 0.0,
    scan_interval_s: int | None = None,
) -> WrittenLaboratory:
    """Write a laboratory.

    Parameters
    ----------
    out : pathlib.Path
        Folder for it all; made if it is not there.
    plan : LabPlan
    data_root : pathlib.Path, optional
        Where the configuration sends the store, the archive, the registry and the orchestrator; ``out/data`` if not given.
    settle_s : float
        How long a file must stand still before it is taken up, for the configuration, s.
    scan_interval_s : int, optional
        How often the sensors look at the shares, for the configuration, s; the configuration's own default if not given.
    """
    out = Path(out).absolute()
    data_root = out / "data" if data_root is None else Path(data_root).absolute()
    for share in SHARES:
        (out / share).mkdir(parents=True, exist_ok=True)
    annotation = write_volume(out / "ccf" / "annotation.nrrd", make_volume(plan.voxel_um))
    people = write_people(out / "registry" / "people.csv", plan.people)
    animals = write_animals(out / "registry" / "animals.csv", plan.animals)
    insertions = write_insertions(out / "registry" / "insertions.csv", plan.sessions)
    config = write_text(out / "map_assets.toml", _configuration(out, plan, data_root, settle_s, scan_interval_s))
    sessions = tuple(write_session(out, session, voxel_um=plan.voxel_um) for session in plan.sessions)
    return WrittenLaboratory(out, config, people, animals, insertions, annotation, sessions)


def write_session(out: Path, plan: SessionPlan, *, voxel_um: float = 100.0) -> WrittenSession:
    """Write those parts of a session that its plan says have landed, and its whole truth.

    Called again with other parts (``plan.with_parts(Part.SORTING)``) it adds what comes late: the same seed makes the
    same session.

    Parameters
    ----------
    out : pathlib.Path
        The laboratory's folder.
    plan : SessionPlan
    voxel_um : float
        Of the laboratory's annotation volume.
    """
    if plan.task != "delay response":
        others = write_other_task(out, "rig1", plan)
        return WrittenSession(plan.key, *map(tuple, others))
    volume = make_volume(voxel_um)
    trials = make_trials(plan)
    files: list[Path] = []
    if Part.BEHAVIOR in plan.parts:
        files += write_behavior(out / "rig1", plan, trials)
    if Part.TRACKING in plan.parts:
        files += write_tracking(out / "tracking", plan, trials)
    probes = []
    for number in range(1, len(plan.probes) + 1):
        probe = make_probe(plan, number, trials, volume)
        probes.append(probe)
        files += _write_probe(out, plan, probe, volume)
    if Part.RECORDING in plan.parts:
        files += write_pulse_codes(out / "ephys", plan, trials, [probe.clock for probe in probes])
    truth = write_truth(out, plan, trials, probes, volume)
    return WrittenSession(plan.key, tuple(files), tuple(truth))


def make_probe(plan: SessionPlan, number: int, trials: Sequence[Trial], volume: Volume) -> ProbeTruth:
    """Make all that is true of one probe of a session; writes nothing."""
    clock = make_clock(plan, number, trials)
    track = make_track(plan, number, volume)
    neurons = make_neurons(plan, number, track, volume)
    hemisphere = plan.probes[number - 1].target.split()[0]
    segments = make_segments(trials, clock.session_span_s, hemisphere)
    trains = make_trains(plan, number, neurons, segments, clock)
    return ProbeTruth(
        number, clock, track, see_trials(plan, trials, clock), neurons, make_clusters(plan, number), trains
    )


def make_clock(plan: SessionPlan, number: int, trials: Sequence[Trial]) -> ProbeClock:
    """Set a probe's clock: from before trial 1 to after the last, or as its plan's defects have it."""
    probe = plan.probes[number - 1]
    first, last = first_and_last_recorded(len(trials), plan.defects, plan.n_missing_trials)
    start_s = -probe.starts_before_s
    stop_s = trials[-1].at_s(trials[-1].length) + RECORDED_AFTER_S
    if Defect.EPHYS_STARTS_LATE in plan.defects and first > 1:
        missed = trials[first - 2]
        start_s = missed.at_s(missed.length // 2) + 0.01 * number
    if Defect.EPHYS_ENDS_EARLY in plan.defects and last < len(trials):
        stop_s = trials[last].start_s + 0.2 + 0.01 * number
    rate_hz = float(sample_rate_text(plan, probe))
    n_samples = int(np.floor((stop_s - start_s) / (1 + probe.drift_ppm * 1e-6) * rate_hz))
    return ProbeClock(start_s, probe.drift_ppm, rate_hz, n_samples)


def _write_probe(out: Path, plan: SessionPlan, probe: ProbeTruth, volume: Volume) -> list[Path]:
    files: list[Path] = []
    share = out / "ephys"
    if Part.RECORDING in plan.parts:
        files += _write_raw(share, plan, probe)
        if plan.code_source == "bitcode file":
            files.append(write_bitcode(share, plan, probe.number, probe.seen, probe.clock))
    if Part.SORTING in plan.parts:
        write = _SORTINGS[plan.probes[probe.number - 1].sorter]
        files += write(share, plan, probe.number, probe.neurons, probe.trains, probe.clock)
    if Part.HISTOLOGY in plan.parts:
        files += write_histology(out / "histology", plan, probe.number, probe.track, volume)
    return files


def _write_raw(share: Path, plan: SessionPlan, probe: ProbeTruth) -> list[Path]:
    """Write a probe's recording: a stub of the AP band, or its beginning and the LF band."""
    if not plan.raw_s:
        return write_recording(share, plan, probe.number, probe.clock)
    signal = make_ap(plan, probe.number, probe.neurons, probe.trains, probe.clock)
    written = write_recording(share, plan, probe.number, probe.clock, signal)
    return [*written, *write_lf(plan, probe.number, probe.clock, written[1])]


def _configuration(out: Path, plan: LabPlan, data_root: Path, settle_s: float, scan_interval_s: int | None) -> str:
    """Give the text of ``map_assets.toml``; paths under `out` are relative to it, so the laboratory can be moved."""

    def text(path: Path) -> str:
        # the reader takes a file in a folder named data as the embedded default, whose paths start one folder above
        is_under = path.is_relative_to(out) and out.name != "data"
        return json.dumps((path.relative_to(out) if is_under else path).as_posix())

    lab = {"name": plan.name, "institution": plan.institution, "time_zone": "America/New_York"}
    blocks = ["[lab]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lab.items())]
    for share, kind in SHARES.items():
        rig = 'rig = "RRig1"\n' if kind == "behavior" else ""
        blocks.append(f'[shares.{share}]\nkind = "{kind}"\npath = {text(out / share)}\n{rig}settle_s = {settle_s}\n')
    registry = json.loads(text(data_root / "registry.db"))
    interval = "" if scan_interval_s is None else f"scan_interval_s = {scan_interval_s}\n"
    blocks += [
        f"[store]\nroot = {text(data_root / 'store')}\n",
        f"[registry]\nurl = {json.dumps(f'sqlite:///{registry}')}\n",
        f'[archive]\nbackend = "folder"\nroot = {text(data_root / "archive")}\n',
        f"[ccf]\nannotation = {text(out / 'ccf' / 'annotation.nrrd')}\n",
        f"[orchestration]\nhome = {text(data_root / 'dagster')}\n{interval}",
    ]
    return "\n".join(blocks)
