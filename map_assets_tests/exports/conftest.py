"""One made-up session with two probes, as tables and as the truth it was made from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from export_session import ExportSession, make_session


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> ExportSession:
    """The session; read, never changed."""
    return make_session(tmp_path_factory.mktemp("exports"))
