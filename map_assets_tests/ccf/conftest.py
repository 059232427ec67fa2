"""Small histology shares and atlases for the CCF room's tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import nrrd
import numpy as np
import pyarrow as pa
import pytest

from map_assets.ccf.annotation import AnnotationVolume, make_annotation
from map_assets.ephys.tables import PROBE_SITES
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190228_151010"


@pytest.fixture
def session() -> str:
    return SESSION


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., FoundFile]:
    """Write a file under a histology share and return it as a scan would."""

    def write(relpath: str, content: bytes | str | dict, role: str = "histology") -> FoundFile:
        path = tmp_path / "share" / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = json.dumps(content) if isinstance(content, dict) else content
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
        state = path.stat()
        root = tmp_path / "share"
        return FoundFile("histology", root, PurePosixPath(relpath), role, state.st_size, state.st_mtime_ns)

    return write


@pytest.fixture(scope="session")
def small_volume(tmp_path_factory: pytest.TempPathFactory) -> AnnotationVolume:
    """A volume of 200 um voxels: 672 (CP) on the left, 385 (VISp) on the right, nothing in the upper quarter."""
    folder = tmp_path_factory.mktemp("atlas")
    labels = np.zeros((66, 40, 57), np.uint32)
    labels[:, 10:, :28] = 672
    labels[:, 10:, 28:] = 385
    nrrd.write(str(folder / "annotation_200.nrrd"), labels)
    return AnnotationVolume.open(folder, make_annotation(folder / "annotation_200.nrrd", folder))


def sites(electrodes: np.ndarray, *, kind: str = "np1", probe: int = 1, per_shank: int | None = None) -> pa.Table:
    """`probe_sites` of a probe: ``np1`` (staggered columns, one shank) or ``np2`` (four shanks)."""
    number = np.asarray(electrodes)
    per_shank = per_shank or (960 if kind == "np1" else 1280)
    shank, contact = np.divmod(number, per_shank)
    row, column = np.divmod(contact, 2)
    x_um = np.where(row % 2 == 0, 16, 0) + 32 * column if kind == "np1" else 32 * column + 250 * shank
    return PROBE_SITES.from_columns(
        {
            "session": [SESSION] * len(number),
            "probe": np.full(len(number), probe),
            "electrode": number,
            "channel": np.arange(len(number)),
            "shank": shank,
            "x_um": x_um.astype(float),
            "y_um": row * (20.0 if kind == "np1" else 15.0),
            "is_used": np.ones(len(number), bool),
        }
    )


@pytest.fixture
def make_sites() -> Callable[..., pa.Table]:
    return sites
