"""The store that the notebooks are run on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SMALL_STORE = Path(__file__).parents[1] / "analyst" / "small_store.py"


@pytest.fixture(scope="session")
def notebook_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of a store with behaviour, ephys, histology, a figure and an NWB file."""
    spec = importlib.util.spec_from_file_location("small_store", SMALL_STORE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_small_store(tmp_path_factory.mktemp("notebooks") / "store")
