"""What the whole-way tests may ask for."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def browser() -> str:
    """Path of a Chromium; a test that needs one is skipped where none is installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    if os.environ.get("MAP_REQUIRE_BROWSER"):
        pytest.fail("MAP_REQUIRE_BROWSER is set and no Chromium is installed")
    pytest.skip("no Chromium is installed on this machine")
