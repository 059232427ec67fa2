"""The plan of the small laboratory that the terminal's tests ask about, and who asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from map_assets.cli import app
from map_assets.config import load_config
from map_assets.defs.services import Services
from map_assets.simulate.plans import AnimalPlan, Defect, LabPlan, Part, SessionPlan

GOOD = "MK041_20240305_102508"
DAMAGED = "MK041_20240306_110000"
PLAN = LabPlan(
    (AnimalPlan("MK041", 990041),),
    (
        SessionPlan("MK041", 990041, datetime(2024, 3, 5, 10, 25, 8), 8, (), parts=frozenset({Part.BEHAVIOR})),
        SessionPlan(
            *("MK041", 990041, datetime(2024, 3, 6, 11, 0, 0), 8, ()),
            defects=frozenset({Defect.TRUNCATED_MAT}),
            parts=frozenset({Part.BEHAVIOR}),
        ),
    ),
    voxel_um=200.0,
)
DONE = (
    "behavior",
    "sessions",
    "behavior_performance",
    "archive_manifest",
    "archive_transfer",
    "archive_verification",
    "archive_receipt",
)


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """A person at the terminal of one laboratory."""

    root: Path

    @property
    def config_file(self) -> Path:
        return self.root / "map_assets.toml"

    @property
    def services(self) -> Services:
        return Services(load_config(self.config_file))

    def __call__(self, *arguments: str, code: int = 0) -> Answer:
        done = CliRunner().invoke(app, list(arguments), env={"MAP_ASSETS_CONFIG": str(self.config_file)})
        answer = Answer(done.exit_code, done.stdout, done.stderr)
        assert answer.code == code, (answer, done.exception)
        return answer
