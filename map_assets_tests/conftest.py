"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("MAP_SHARED_DATA", Path(__file__).resolve().parents[1].parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real files that are not part of the project; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        if os.environ.get("MAP_REQUIRE_SHARED"):
            pytest.fail(f"MAP_REQUIRE_SHARED is set and the folder of real test files is not there: {SHARED}")
        pytest.skip(f"the folder of real test files is not on this machine: {SHARED}")
    return SHARED


@pytest.fixture(autouse=True)
def _no_settings_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own configuration and terminal out of the tests."""
    for name in [*os.environ]:
        if name.startswith("MAP_ASSETS") or name in {"DAGSTER_HOME", "COLUMNS"}:
            monkeypatch.delenv(name)
