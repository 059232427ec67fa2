"""Figures and NWB files: shown as they stand, and never from outside the store."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from map_assets.analyst import open_lab
from map_assets.analyst.errors import NoFigure
from map_assets.analyst.lab import Lab
from map_assets.store import Store
from map_assets.vocabulary.errors import NoSuchTable, UnsafePath


def test_a_figure_shows_itself_in_a_notebook(lab: Lab, small: ModuleType) -> None:
    figure = lab.session(small.WHOLE).figure("behavior_performance")
    assert figure.png == figure._repr_png_() == small.png(200)
    assert figure.svg == "<svg/>"
    assert (figure.name, figure.session) == ("behavior_performance", small.WHOLE)


def test_a_figure_that_is_not_applicable_says_why(lab: Lab, small: ModuleType) -> None:
    with pytest.raises(NoFigure, match="no unit has a good label"):
        lab.session(small.WHOLE).figure("unit_raster_psth")


def test_a_figure_that_is_not_there_is_said(lab: Lab, small: ModuleType) -> None:
    with pytest.raises(NoSuchTable, match="near it: behavior_performance"):
        lab.session(small.WHOLE).figure("behaviour_performance")
    with pytest.raises(NoSuchTable, match="has no table behavior_performance"):
        lab.session(small.OTHER).figure("behavior_performance")


def test_the_nwb_file_opens_read_only(lab: Lab, small: ModuleType) -> None:
    nwb = lab.session(small.WHOLE).nwb()
    assert nwb.identifier == small.WHOLE
    assert len(nwb.trials) == 39
    np.testing.assert_allclose(nwb.units["spike_times"][1], small.SPIKE_SECONDS[1, 7])
    assert nwb.read_io.mode == "r"
    nwb.read_io.close()
    with pytest.raises(NoSuchTable, match="nwb_file"):
        lab.session(small.OTHER).nwb()


@pytest.fixture
def store(small: ModuleType, tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    small.write_behavior(store, small.WHOLE)
    small.write_figures(store, small.WHOLE)
    return store


@pytest.mark.parametrize("path", ["../secret.png", "/etc/hostname", "files/link/secret.png"])
def test_a_path_that_leaves_the_store_is_refused(path: str, store: Store, small: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (store.root / "files" / "link").symlink_to(tmp_path)
    columns = {"status": ["drawn"], "png_file": [path], "svg_file": [path]}
    small.written(store, small.BEHAVIOR_PERFORMANCE, small.WHOLE, columns)
    with pytest.raises(UnsafePath):
        open_lab(store.root).session(small.WHOLE).figure("behavior_performance")


def test_a_file_that_was_lost_is_said(store: Store, small: ModuleType) -> None:
    store.file_path("behavior_performance", small.WHOLE, ".png").unlink()
    with pytest.raises(NoSuchTable, match="materialize its asset again"):
        open_lab(store.root).session(small.WHOLE).figure("behavior_performance")


def test_the_store_may_be_named_relative_to_where_one_stands(
    store: Store, small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.root.parent)
    lab = open_lab("store")
    assert lab.session(small.WHOLE).figure("behavior_performance").png == small.png(200)
    assert len(lab.sql("select * from trials")) == 39
