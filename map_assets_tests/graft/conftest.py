"""A laboratory for grafts, copied for each test that changes it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from grafting import GraftLab, forget, write_lab


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> GraftLab:
    """A laboratory with two sessions, to be looked at."""
    return write_lab(tmp_path_factory.mktemp("grafts") / "lab")


@pytest.fixture
def lab(made_up: GraftLab, tmp_path: Path) -> Iterator[GraftLab]:
    """A copy of it, to be worked in."""
    own = GraftLab(Path(shutil.copytree(made_up.root, tmp_path / "lab")), made_up.keys)
    yield own
    for name in ("go_change", "counted"):
        forget(name)
