"""A small laboratory that stages have worked on, and a way to ask the terminal about it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from map_assets.config import load_config
from map_assets.defs.dispatch import due_for_sessions
from map_assets.defs.services import Services
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform
from map_assets.shares.scan import scan_all
from map_assets.simulate.laboratory import write_laboratory
from map_assets.vocabulary.errors import UnreadableFile

sys.path.insert(0, str(Path(__file__).parent))
from small_laboratory import DAMAGED, DONE, GOOD, PLAN, Terminal


@pytest.fixture(scope="session")
def worked_on(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The laboratory's folder: one session as far as its files go, whose NWB file waits for its animal; one damaged file."""
    root = tmp_path_factory.mktemp("cli") / "lab"
    write_laboratory(root, PLAN)
    services = Services(load_config(root / "map_assets.toml"))
    scan_all(services.shares, services.ledger)
    for name in DONE:
        perform(BY_NAME[name], GOOD, services)
    with pytest.raises(UnreadableFile):
        perform(BY_NAME["behavior"], DAMAGED, services)
    due_for_sessions(services, services.ledger.sessions())
    services.ledger.close()
    services.registry.close()
    return root


@pytest.fixture
def lab(worked_on: Path) -> Terminal:
    """The laboratory, to be looked at."""
    return Terminal(worked_on)


@pytest.fixture
def own_lab(worked_on: Path, tmp_path: Path) -> Terminal:
    """A copy of the laboratory, to be changed."""
    return Terminal(Path(shutil.copytree(worked_on, tmp_path / "lab")))


@pytest.fixture
def new_lab(tmp_path: Path) -> Terminal:
    """A laboratory with one empty share that nobody has looked at."""
    (tmp_path / "rig1").mkdir()
    (tmp_path / "map_assets.toml").write_text('[shares.rig1]\nkind = "behavior"\npath = "rig1"\n')
    return Terminal(tmp_path)


@pytest.fixture
def one_sentence() -> Callable[[str], str]:
    """Check that an error is one plain line, and give it."""

    def check(err: str) -> str:
        (line,) = err.strip().splitlines()
        assert line.startswith("map-assets: ")
        assert "Traceback" not in line
        return line

    return check
