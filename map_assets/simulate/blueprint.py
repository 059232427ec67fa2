"""What to make: plans of laboratories, sessions and probes. The ready-made plans live in `presets`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from map_assets.simulate.defects import Defect
from map_assets.simulate.filming import PLAIN, Filming
from map_assets.vocabulary.session import SessionKey

Anchors = Literal["whole samples", "exact samples", "seconds"]
CodeSource = Literal["bitcode file", "pulse lists", "adjusted pulse lists", "nidq"]
Histology = Literal["ibl", "landmarks", "track", "none"]
Task = Literal["delay response", "multi target licking", "foraging"]
Sorter = Literal["kilosort2.5", "kilosort4", "jrclust3", "jrclust4"]


class Part(StrEnum):
    """What lands on the shares at different times."""

    BEHAVIOR = "behavior"
    RECORDING = "recording"
    """SpikeGLX meta and bin, and the bitcode file."""
    SORTING = "sorting"
    HISTOLOGY = "histology"
    TRACKING = "tracking"


ALL_PARTS = frozenset(Part)


@dataclass(frozen=True)
class Target:
    """Where a probe is aimed.

    Parameters
    ----------
    brain_area : str
        As the lab names it: ALM, Striatum, Thalamus, Midbrain, Medulla.
    ap_um, ml_um : float
        Entry from Bregma, anterior and right positive, um.
    depth_um : float
        From the brain's surface to the tip along the probe, um, positive.
    tilt_deg : float
        Lean of the probe's top away from the midline, degrees.
    """

    brain_area: str
    ap_um: float
    ml_um: float
    depth_um: float
    tilt_deg: float = 8.0


TARGETS: dict[str, Target] = {
    f"{side} {name}": Target(name, ap, sign * ml, depth)
    for name, ap, ml, depth in (
        ("ALM", 2500.0, 1500.0, 3300.0),
        ("Striatum", 600.0, 2000.0, 4300.0),
        ("Thalamus", -1400.0, 1300.0, 4600.0),
        ("Midbrain", -3300.0, 1200.0, 4500.0),
        ("Medulla", -5600.0, 1100.0, 4800.0),
    )
    for side, sign in (("left", -1.0), ("right", 1.0))
}


@dataclass(frozen=True)
class ProbePlan:
    """One probe of one session.

    Parameters
    ----------
    target : str
        A name of `TARGETS`.
    model : str
        A name of `probes.MODELS`.
    n_units : int
        Units the sorter finds.
    rate_scale : float
        Factor on the regions' firing rates.
    drift_ppm : float
        How much faster the session clock runs than this probe's nominal one.
    starts_before_s : float
        From the start of the recording to the start of trial 1, s.
    n_sorted_channels : int
        Channels that the sorter keeps (evenly spread); fewer make smaller templates.
    is_curated : bool
        Whether a person merged and labelled clusters, which leaves sparse cluster ids.
    has_mean_waveforms : bool
        Whether ``mean_waveforms.npy`` comes with the metrics; it has a row for every id and channel.
    histology : str
        ``ibl`` (channel_locations), ``landmarks`` (siteInfo), ``track`` (points of the track alone) or ``none``.
    serial_number : str
    sorter : str
        Whose files the sorting is written in; JRCLUST and Kilosort 4 bring no metrics.
    has_pc_features : bool
        Whether a Kilosort 2.5 folder has ``pc_features.npy``, 384 bytes a spike: for small sessions.
    """

    target: str
    model: str = "NP1.0"
    n_units: int = 15
    rate_scale: float = 1.0
    drift_ppm: float = 20.0
    starts_before_s: float = 12.3
    n_sorted_channels: int = 383
    is_curated: bool = True
    has_mean_waveforms: bool = False
    histology: Histology = "ibl"
    serial_number: str = "18005118502"
    sorter: Sorter = "kilosort2.5"
    has_pc_features: bool = False


@dataclass(frozen=True)
class SessionPlan:
    """One session of one animal.

    Parameters
    ----------
    animal : str
        Water-restriction name.
    subject_id : int
    named_at : datetime.datetime
        Date and time of the behaviour file's name, the rig's wall clock; trial 1 starts about a minute later.
    n_trials : int
        Trials the animal did. One is allowed.
    probes : tuple of ProbePlan
        Numbered from 1; folder ``imec{number - 1}``.
    seed : int
    protocol : str
        The rig's name of the training protocol, a part of the file's name.
    protocol_type, autolearn : int
        As in the rig's menus; photostimulation counts at 5 and 4 only.
    is_reversed : bool
        Whether trial type 0 means left.
    task : str
        Sessions of other tasks than ``delay response`` are behaviour alone: give them no probes.
    n_ports : int
        Lick ports of foraging: 2 or 3.
    lost_share : float
        Of the trials of other tasks: planned and never run (multi-target licking), or broken off (foraging).
    sample_s, delay_s : float
        Lengths of the epochs, s.
    extra_iti_s : float
        Mean pause between trials beyond the rig's own 0.08 s.
    photostim_share, auto_water_share, early_share, no_answer_share : float
        Of the trials.
    anchors : str
        Form of sTrig and goCue in the bitcode file: ``whole samples`` (as a rig does: each is up to half a sample off),
        ``exact samples`` (fractions kept) or ``seconds`` (exact, of the probe's clock). Rounding to whole samples
        leaves the ends of a fitted map 2.7 us (one sigma) uncertain at 50 trials and more below, so shorter sessions
        whose spikes are compared to 10 us take ``seconds``.
    code_source : str
        Where the trials' codes are: each probe's decoded ``bitcode file``, CatGT's ``pulse lists``, those and TPrime's
        (``adjusted pulse lists``), or only the lines of the ``nidq``.
    has_trial_numbers : bool
        Whether the bitcode file carries trialNum.
    has_rig_record : bool
        Whether the bitcode file tells the rig's events, licks and the cameras' frames too.
    n_tracked_trials : int
        Trials, from the first, of which there is video.
    filming : Filming
        Forms of the trackers' results, maps and videos.
    order_in_day : int
        1 for the animal's first session of the day; the second's run folder ends in ``_g1`` and its tracking in ``_2``.
    defects : frozenset of Defect
    n_missing_trials : int
        For the defects that leave trials out.
    parts : frozenset of Part
        What has landed so far.
    n_bin_samples : int
        Length of the stub that stands for each recording's raw data.
    raw_s : float
        Instead of the stub, so much of the recording's beginning with spikes, noise and a field potential (`raw`), s;
        23 MB a second and probe. 0 leaves the stub.
    """

    animal: str
    subject_id: int
    named_at: datetime
    n_trials: int = 60
    probes: tuple[ProbePlan, ...] = (ProbePlan("left ALM"),)
    seed: int = 1
    protocol: str = "tw2"
    protocol_type: int = 5
    autolearn: int = 4
    is_reversed: bool = False
    task: Task = "delay response"
    n_ports: int = 2
    lost_share: float = 0.08
    sample_s: float = 0.65
    delay_s: float = 1.2
    extra_iti_s: float = 0.5
    photostim_share: float = 0.2
    auto_water_share: float = 0.04
    early_share: float = 0.12
    no_answer_share: float = 0.06
    anchors: Anchors = "whole samples"
    code_source: CodeSource = "bitcode file"
    has_trial_numbers: bool = False
    has_rig_record: bool = False
    n_tracked_trials: int = 0
    filming: Filming = PLAIN
    order_in_day: int = 1
    defects: frozenset[Defect] = frozenset()
    n_missing_trials: int = 3
    parts: frozenset[Part] = ALL_PARTS
    n_bin_samples: int = 100
    raw_s: float = 0.0

    @property
    def key(self) -> str:
        """The session's key."""
        return str(SessionKey(self.animal, self.named_at.date(), self.named_at.time()))

    @property
    def behavior_name(self) -> str:
        """Name of the behaviour file."""
        if Defect.UNPARSABLE_NAME in self.defects:
            return f"{self.animal}_{self.protocol}_final2.mat"
        if self.task == "foraging":
            return f"{self.named_at:%Y%m%d-%H%M%S}.csv"
        return f"{self.animal}_{self.protocol}_{self.named_at:%Y%m%d_%H%M%S}.mat"

    @property
    def run_name(self) -> str:
        """Name of the SpikeGLX run with its gate."""
        return f"{self.animal}_{self.named_at:%m%d%y}_g{self.order_in_day - 1}"

    @property
    def bpod_started_at(self) -> datetime:
        """Zero of the rig's own clock, some seconds before the name."""
        return self.named_at - timedelta(seconds=8.2)

    def with_parts(self, *parts: Part) -> SessionPlan:
        """The same session with other parts landed."""
        return replace(self, parts=frozenset(parts))


@dataclass(frozen=True)
class PersonPlan:
    """One person of the registry; `full_name` is "Last, First"."""

    username: str
    full_name: str


PEOPLE = (PersonPlan("rivera", "Rivera, Alma"), PersonPlan("okafor", "Okafor, Ben"))


@dataclass(frozen=True)
class AnimalPlan:
    """One animal of the registry."""

    animal: str
    subject_id: int
    sex: str = "M"
    date_of_birth: date = date(2023, 9, 4)
    username: str = "rivera"
    source: str = "Jackson Labs"


@dataclass(frozen=True)
class LabPlan:
    """A whole laboratory.

    Parameters
    ----------
    animals : tuple of AnimalPlan
    sessions : tuple of SessionPlan
    voxel_um : float
        Of the annotation volume: 100 or 200.
    name, institution : str
        Of the made-up lab.
    people : tuple of PersonPlan
    """

    animals: tuple[AnimalPlan, ...]
    sessions: tuple[SessionPlan, ...]
    voxel_um: float = 100.0
    name: str = "The Made-up Lab"
    institution: str = "Institute for Simulated Mice"
    people: tuple[PersonPlan, ...] = PEOPLE

    def session(self, key: str) -> SessionPlan:
        """Find a session's plan by its key; KeyError if there is none."""
        return {plan.key: plan for plan in self.sessions}[key]
