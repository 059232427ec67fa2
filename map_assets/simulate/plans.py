"""The door for whoever plans a laboratory: `blueprint` and `presets` in one import. Writing one lives in `laboratory`."""

from map_assets.simulate.blueprint import (
    TARGETS,
    AnimalPlan,
    LabPlan,
    Part,
    PersonPlan,
    ProbePlan,
    SessionPlan,
    Target,
)
from map_assets.simulate.defects import Defect
from map_assets.simulate.filming import Filming
from map_assets.simulate.presets import PRESETS, demo_plan, example_plan, map_session_plan, small_session_plan

__all__ = [
    "PRESETS",
    "TARGETS",
    "AnimalPlan",
    "Defect",
    "Filming",
    "LabPlan",
    "Part",
    "PersonPlan",
    "ProbePlan",
    "SessionPlan",
    "Target",
    "demo_plan",
    "example_plan",
    "map_session_plan",
    "small_session_plan",
]
