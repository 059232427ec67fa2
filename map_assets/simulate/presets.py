"""Ready-made plans: demonstration, example, benchmark and full size. What a plan may hold stands in `blueprint`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from map_assets.simulate.blueprint import AnimalPlan, LabPlan, Part, ProbePlan, SessionPlan
from map_assets.simulate.defects import Defect

_SERIALS = ("18005118502", "18005117122", "18005110031", "18005117412", "20097910362")
_SMALL = ProbePlan("left ALM", n_units=12, n_sorted_channels=24, rate_scale=0.6, serial_number=_SERIALS[0])
_ENOUGH_ANCHORS = 50
"""With fewer trials, anchors rounded to whole samples leave the clock's map uncertain by about 10 us at its ends."""


def demo_plan(seed: int = 1) -> LabPlan:
    """Plan three animals and six sessions, all small: what a lab sees in a week.

    Two probes with a complete set of files; four shanks with landmarks; two sessions on one day, in one of which the
    probes start late and free water is given, while the other still waits for its sorting; early licks and repeated
    go cues; and a truncated behaviour file, which can only be set aside.
    """
    animals = (
        AnimalPlan("MK011", 990011),
        AnimalPlan("MK012", 990012, sex="F", username="okafor"),
        AnimalPlan("MK013", 990013, source="Janelia"),
    )
    probes = {
        "alm": replace(_SMALL, n_units=16),
        "thalamus": replace(
            _SMALL,
            target="left Thalamus",
            n_units=14,
            serial_number=_SERIALS[1],
            drift_ppm=-14.0,
            starts_before_s=13.1,
        ),
        "shanks": replace(
            _SMALL,
            target="right Striatum",
            model="NP2.0 four-shank",
            n_sorted_channels=32,
            serial_number=_SERIALS[4],
            histology="landmarks",
        ),
        "midbrain": replace(_SMALL, target="right Midbrain", serial_number=_SERIALS[3], histology="landmarks"),
        "medulla": replace(_SMALL, target="left Medulla", n_units=10, histology="none"),
        "plain": replace(
            _SMALL, target="right ALM", n_units=6, is_curated=False, has_mean_waveforms=True, serial_number=_SERIALS[2]
        ),
    }
    sessions = (
        replace(
            _session(animals[0], datetime(2024, 3, 5, 10, 25, 8), 60, probes["alm"], probes["thalamus"]),
            n_tracked_trials=2,
        ),
        _session(animals[0], datetime(2024, 3, 6, 10, 41, 30), 30, probes["shanks"]),
        replace(
            _session(animals[1], datetime(2024, 3, 6, 13, 2, 44), 26, probes["midbrain"]),
            defects=frozenset({Defect.EPHYS_STARTS_LATE, Defect.FREE_WATER}),
        ),
        replace(
            _session(animals[1], datetime(2024, 3, 6, 16, 20, 15), 20, probes["medulla"]),
            order_in_day=2,
            parts=frozenset({Part.BEHAVIOR, Part.RECORDING}),
        ),
        replace(
            _session(animals[2], datetime(2024, 3, 7, 11, 5, 2), 24, probes["plain"]),
            defects=frozenset({Defect.EARLY_LICKS, Defect.REPEATED_GO_CUES}),
        ),
        replace(
            _session(animals[2], datetime(2024, 3, 8, 11, 12, 59), 20),
            defects=frozenset({Defect.TRUNCATED_MAT}),
            parts=frozenset({Part.BEHAVIOR}),
        ),
    )
    return LabPlan(animals, tuple(replace(session, seed=seed) for session in sessions))


def example_plan(seed: int = 1) -> LabPlan:
    """Plan one animal and one session with one probe: the smallest laboratory that has everything."""
    animal = AnimalPlan("MK001", 990001)
    session = _session(animal, datetime(2024, 3, 4, 10, 15, 30), 24, replace(_SMALL, n_units=8, rate_scale=1.0))
    return LabPlan((animal,), (replace(session, seed=seed, n_tracked_trials=1),), voxel_um=200.0)


def small_session_plan(seed: int = 1) -> LabPlan:
    """Plan one session of 100 units and 100 trials on one probe."""
    animal = AnimalPlan("MK021", 990021)
    probe = ProbePlan("left ALM", n_units=100, n_sorted_channels=96, rate_scale=1.5)
    return LabPlan((animal,), (replace(_session(animal, datetime(2024, 3, 11, 10, 3, 20), 100, probe), seed=seed),))


def map_session_plan(seed: int = 1) -> LabPlan:
    """Plan one session of the size of the MAP project's: 4 probes of 500 units, 60 million spikes, 550 trials in 90 minutes."""
    animal = AnimalPlan("MK031", 990031)
    targets = ("left ALM", "right ALM", "left Striatum", "left Thalamus")
    probes = [
        ProbePlan(
            target,
            n_units=500,
            rate_scale=1.38,
            serial_number=serial,
            drift_ppm=20.0 - 9.0 * index,
            starts_before_s=14.0 + 0.4 * index,
        )
        for index, (target, serial) in enumerate(zip(targets, _SERIALS, strict=False))
    ]
    session = _session(animal, datetime(2024, 3, 12, 10, 31, 5), 550, *probes)
    return LabPlan((animal,), (replace(session, seed=seed, extra_iti_s=2.6, n_bin_samples=300),))


def _session(animal: AnimalPlan, named_at: datetime, n_trials: int, *probes: ProbePlan) -> SessionPlan:
    """Plan a small session; a short one has exact anchors."""
    return SessionPlan(
        animal=animal.animal,
        subject_id=animal.subject_id,
        named_at=named_at,
        n_trials=n_trials,
        probes=probes,
        anchors="whole samples" if n_trials >= _ENOUGH_ANCHORS else "seconds",
        extra_iti_s=0.4,
        n_bin_samples=40,
    )


PRESETS: dict[str, Callable[[int], LabPlan]] = {
    "demo": demo_plan,
    "example": example_plan,
    "small-session": small_session_plan,
    "map-session": map_session_plan,
}
