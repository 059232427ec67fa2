"""Which sorter made a Kilosort folder, and with what parameters, told by its files and its path. Nothing in it is ever run."""

from __future__ import annotations

import ast
import math
import re
from pathlib import PurePosixPath

from map_assets.ephys.sorters.protocol import SortingFolder
from map_assets.vocabulary.files import unchanged

KILOSORT4 = "kilosort4"

_VERSION = re.compile(r"(?<![a-z])(py)?(?:kilosort|ks)[._-]?(2[._]?5|[1-4])(?!\d)", re.IGNORECASE)
_RUN = re.compile(r"_g\d+(_|$)")
_LINE = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.{1,4096})")
_ONLY_KILOSORT4 = frozenset(
    {"kept_spikes.npy", "spike_detection_templates.npy", "whitening_mat_dat.npy", "ops.npy", "kilosort4.log"}
)
"""Files that no other Kilosort writes; ``ops.npy`` is a pickle and never opened."""
_LOGGED = re.compile(r"\bKilosort version (4[\w.+-]{0,40})")
_LOG_HEAD = 1 << 16

Parameters = dict[str, float | str]


def read_parameters(folder: SortingFolder) -> Parameters:
    """Return numbers and texts of ``params.py``, read line by line; empty where there is none."""
    if "params.py" not in folder:
        return {}
    path = folder.path("params.py")
    with unchanged(path):
        lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    found: Parameters = {}
    for line in lines:
        if pair := _LINE.fullmatch(line):
            try:
                value = ast.literal_eval(pair[2].strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                found[pair[1]] = value
    return found


def rate_of(parameters: Parameters) -> float | None:
    """Return the sample rate that the sorter was told, Hz."""
    rate = parameters.get("sample_rate")
    return float(rate) if isinstance(rate, int | float) and math.isfinite(rate) and rate > 0 else None


def sorter_of(folder: SortingFolder, parameters: Parameters) -> tuple[str, str | None]:
    """Tell sorter and version.

    Kilosort 4 is known by files that only it writes; its log has the exact version. Otherwise the nearest folder that
    names a sorter tells, else the path of the data that was sorted.
    """
    if _ONLY_KILOSORT4 & set(folder.files):
        return KILOSORT4, _logged_version(folder) or "4"
    return _named(folder.relpath, str(parameters.get("dat_path", "")))


def _logged_version(folder: SortingFolder) -> str | None:
    if "kilosort4.log" not in folder:
        return None
    path = folder.path("kilosort4.log")
    with unchanged(path), path.open("rb") as stream:
        found = _LOGGED.search(stream.read(_LOG_HEAD).decode("utf-8", errors="replace"))
    return found[1].rstrip(".") if found else None


def _named(relpath: PurePosixPath, data_path: str) -> tuple[str, str | None]:
    """Tell by the path; the animal's folder (the first) and SpikeGLX run folders are named by the animal and do not count."""
    folders = [part for part in relpath.parts[1:] if not _RUN.search(part)]
    found = _VERSION.findall("/".join(folders)) or _VERSION.findall(data_path)
    if not found:
        return "kilosort", None
    prefix, digits = found[-1]
    version = "2.5" if digits.startswith("2") and digits.endswith("5") else digits
    return f"{prefix.lower()}kilosort{version}", version
