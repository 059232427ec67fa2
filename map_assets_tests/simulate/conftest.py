"""A small made-up laboratory for the tests of its formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from map_assets.simulate.laboratory import WrittenLaboratory, write_laboratory
from map_assets.simulate.plans import LabPlan, ProbePlan, SessionPlan, example_plan


@pytest.fixture(scope="session")
def plan() -> LabPlan:
    """One animal, one session, a probe of each model, both histologies, video of one trial."""
    lab = example_plan(seed=7)
    (session,) = lab.sessions
    (probe,) = session.probes
    probes = (
        probe,
        replace(
            probe, model="NP2.0", target="left Striatum", serial_number="2", drift_ppm=-35.0, histology="landmarks"
        ),
        replace(probe, model="NP2.0 four-shank", target="right Thalamus", serial_number="3", is_curated=False),
    )
    return replace(lab, sessions=(replace(session, probes=probes, early_share=0.3, no_answer_share=0.2),))


@pytest.fixture(scope="session")
def session(plan: LabPlan) -> SessionPlan:
    """The plan of that one session."""
    return plan.sessions[0]


@pytest.fixture(scope="session")
def laboratory(plan: LabPlan, tmp_path_factory: pytest.TempPathFactory) -> WrittenLaboratory:
    """That laboratory, written."""
    return write_laboratory(tmp_path_factory.mktemp("laboratory"), plan)


@pytest.fixture(scope="session")
def probe_plan(session: SessionPlan) -> ProbePlan:
    """The first probe's plan."""
    return session.probes[0]


@pytest.fixture(scope="session")
def ephys(laboratory: WrittenLaboratory) -> Path:
    """The share of recordings and sortings."""
    return laboratory.root / "ephys"
