"""Stores with two sessions, to look at or to change."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from map_assets.publication.about import About, read_about
from map_assets.publication.release import create_release
from map_assets.publication.shelf import Release
from map_assets.store import Store

sys.path.insert(0, str(Path(__file__).parent))
from publishing_laboratory import ABOUT, INPUTS, SESSIONS, make_laboratory


@pytest.fixture(scope="session")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The laboratory, made once."""
    return make_laboratory(tmp_path_factory.mktemp("publication") / "lab")


@pytest.fixture
def store(publishing: Path, tmp_path: Path) -> Store:
    """A store of one's own, with copies of the two sessions."""
    return Store(shutil.copytree(publishing / "data" / "store", tmp_path / "store"))


@pytest.fixture
def about(tmp_path: Path) -> About:
    """What is said of a release."""
    path = tmp_path / "about.toml"
    path.write_text(ABOUT)
    return read_about(path)


@pytest.fixture(scope="session")
def made_release(publishing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one release, made once; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("releases")
    said = read_about(publishing / "about.toml")
    store = Store(publishing / "data" / "store")
    create_release(store, "spring", SESSIONS, said, inputs=INPUTS, code="map_assets 0", to=folder, may_copy=True)
    return folder


@pytest.fixture
def release(made_release: Path, tmp_path: Path) -> Release:
    """A release of one's own."""
    from map_assets.publication.shelf import open_release

    return open_release(Path(shutil.copytree(made_release, tmp_path / "releases")) / "spring")
