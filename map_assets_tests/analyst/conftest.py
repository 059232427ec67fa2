"""The small store, built once, and the lab that opens it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.lab import Lab


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The module that makes the store, with what it put there."""
    spec = importlib.util.spec_from_file_location("small_store", Path(__file__).with_name("small_store.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def store_root(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that tests only read."""
    return small.build_small_store(tmp_path_factory.mktemp("small") / "store")


@pytest.fixture
def lab(store_root: Path) -> Lab:
    return open_lab(store_root)
