"""Small real files of the acquisition system and the sorter, made for tests of the ephys room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.tables import TRIALS
from map_assets.ephys.sorters.protocol import SortingFolder
from map_assets.ephys.tables import EPHYS_TRIALS
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190303_151010"


def found(root: Path, relpath: str, role: str) -> FoundFile:
    """A file as a scan finds it."""
    status = (root / relpath).stat()
    return FoundFile("ephys", root, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns)


def found_all(root: Path, role: str) -> list[FoundFile]:
    """Every file under a root, in one role."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return [found(root, path.relative_to(root).as_posix(), role) for path in paths]


def write_meta(path: Path, **changes: str | None) -> Path:
    """A NP1.0 meta file with four saved channels; a change of None leaves the key out."""
    keys: dict[str, str | None] = {
        "fileCreateTime": "2019-03-03T15:10:00",
        "fileTimeSecs": "100.0",
        "fileSizeBytes": "30000000",
        "fileSHA1": "ABCDEF",
        "imAiRangeMax": "0.6",
        "imDatPrb_pn": "PRB_1_4_0480_1",
        "imDatPrb_sn": "18194809281",
        "imDatPrb_type": "0",
        "imSampRate": "30000.25",
        "nSavedChans": "5",
        "snsApLfSy": "4,0,1",
        "snsSaveChanSubset": "0:3,768",
        "typeImEnabled": "1",
        "typeThis": "imec",
        "~imroTbl": "(0,384)" + "".join(f"({channel} 0 0 500 250 1)" for channel in range(384)),
        "~snsShankMap": "(1,2,480)(0:0:0:1)(0:1:0:1)(0:0:1:1)(0:1:1:0)",
    }
    keys.update(changes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}={value}\n" for key, value in keys.items() if value is not None))
    return path


def write_bitcode(path: Path, codes: Sequence[str], **variables: Any) -> Path:
    """A bitcode file with text codes and whatever else is given."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"bitCodeS": np.array(codes), **variables})
    return path


def write_kilosort(
    folder: Path,
    trains: Mapping[int, Sequence[int]],
    *,
    templates_of: Mapping[int, int] | None = None,
    n_templates: int | None = None,
    rate: str = "30000.25",
) -> Path:
    """A Kilosort folder of four channels; cluster c's template is largest on channel c % 4 with a peak-to-peak of c + 1."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.concatenate([np.full(len(train), unit) for unit, train in trains.items()]).astype(np.uint32)
    times = np.concatenate([np.asarray(train, np.uint64) for train in trains.values()])
    order = np.argsort(times, kind="stable")
    template_of = np.arange(int(ids.max()) + 1, dtype=np.uint32)
    for unit, template in (templates_of or {}).items():
        template_of[unit] = template
    n_templates = n_templates or int(ids.max()) + 1
    templates = np.zeros((n_templates, 6, 4), np.float32)
    for template in range(n_templates):
        templates[template, 2, template % 4] = -(template + 1)
    arrays = {
        "spike_times": times[order][:, None],
        "spike_clusters": ids[order][:, None],
        "spike_templates": template_of[ids[order]][:, None],
        "amplitudes": np.full((len(times), 1), 10.0),
        "templates": templates,
        "whitening_mat_inv": np.eye(4) * 2,
        "channel_map": np.arange(4, dtype=np.int32)[None, :],
        "channel_positions": np.array([[43.0, 0.0], [11.0, 0.0], [59.0, 20.0], [27.0, 20.0]]),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "params.py").write_text(f"dat_path = 'run.bin'\nn_channels_dat = 385\nsample_rate = {rate}\n")
    return folder


def sorting_folder(path: Path, relpath: str = "SC022/run_g0/run_g0_imec0/imec0_ks2") -> SortingFolder:
    """The folder as read_sortings sees it; its place on the share is made up."""
    files, below = {}, {}
    for file in sorted(path.rglob("*")):
        if file.is_file() and not file.is_symlink():
            status = file.stat()
            name = file.relative_to(path)
            found = FoundFile("ephys", path, PurePosixPath(name), "sorting", status.st_size, status.st_mtime_ns)
            (below if len(name.parts) > 1 else files)[name.as_posix()] = found
    return SortingFolder(PurePosixPath(relpath), files, below)


def trials_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A `trials` table; what a row does not say is ordinary."""
    ordinary = {
        "session": SESSION,
        "instruction": "left",
        "outcome": "hit",
        "early_lick": False,
        "is_auto_water": False,
        "is_free_water": False,
        "n_samples": 1,
        "n_delays": 1,
        "n_go_cues": 1,
    }
    found = [{**ordinary, "stop_s": row["start_s"] + 4.0, **row} for row in rows]
    until_s = [*(row["start_s"] for row in found[1:]), *(row["stop_s"] for row in found[-1:])]
    return TRIALS.from_rows([{"until_s": end_s, **row} for end_s, row in zip(until_s, found, strict=True)])


def ephys_trials_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """An `ephys_trials` table, numbered from 1 where a row does not say otherwise."""
    ordinary = {"session": SESSION, "probe": 1, "file": "SC022_bitcode.mat"}
    return EPHYS_TRIALS.from_rows([{**ordinary, "ephys_trial": number, **row} for number, row in enumerate(rows, 1)])


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The makers above, by name."""
    makers: tuple[Callable[..., Any], ...] = (found, found_all, write_meta, write_bitcode, write_kilosort)
    makers += (trials_table, ephys_trials_table, sorting_folder)
    return SimpleNamespace(session=SESSION, **{maker.__name__: maker for maker in makers})
