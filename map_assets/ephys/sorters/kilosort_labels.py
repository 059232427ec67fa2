"""What people and Kilosort said of clusters: the label files of a Kilosort or Phy folder. Spikes are read in `kilosort`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from map_assets.ephys.sorters.protocol import SortingFolder
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

CURATED_FILE = "cluster_group.tsv"
SORTER_FILE = "cluster_KSLabel.tsv"
OLDER_FILE = "cluster_groups.csv"
LABEL_FILES = (CURATED_FILE, SORTER_FILE, OLDER_FILE)
"""From the most to the least curated; for each cluster the first that has a label for it counts."""

NO_LABEL = "unsorted"
"""What Phy shows for a cluster without a label."""

_PHY_ACTION = re.compile(r"Merge clusters|Split clusters?|Change metadata_group", re.IGNORECASE)
_NOISE_TEST = frozenset({"good", "noise"})
_TODO = "Copy the file from the sorting computer again."


@dataclass(frozen=True)
class Labels:
    """Labels by cluster id, file by file, and the name of each file's label column."""

    by_file: Mapping[str, Mapping[int, str]]
    column: Mapping[str, str]

    def of(self, unit_id: int) -> tuple[str, str]:
        """Return a cluster's label as found, and its file; `NO_LABEL` and ``none`` where no file has one."""
        for name in LABEL_FILES:
            label = self.by_file.get(name, {}).get(unit_id)
            if label is not None:
                return label, name
        return NO_LABEL, "none"

    def sorters(self, unit_id: int) -> str | None:
        """Return Kilosort's own label of a cluster, or None."""
        own = self.by_file.get(SORTER_FILE, {}).get(unit_id)
        if own is None and self.column.get(CURATED_FILE) == "KSLabel":
            return self.by_file[CURATED_FILE].get(unit_id)
        return own


def read_labels(folder: SortingFolder) -> Labels:
    """Read every label file of a folder; a folder without any has no labels.

    Raises
    ------
    UnreadableFile
        If a label file has no cluster_id column, or an id that is no number, or two labels for one cluster.
    """
    by_file, column = {}, {}
    for name in LABEL_FILES:
        if name in folder:
            by_file[name], column[name] = _read(folder, name)
    return Labels(by_file, column)


def is_curated(folder: SortingFolder, labels: Labels, unit_ids: Iterable[int], n_templates: int | None) -> bool:
    """Whether a person's decisions are in a sorting.

    Any of these shows it: ``phy.log`` tells of a merge, a split or a changed label; there are clusters that no
    template has (merges and splits get new ids); the ``group`` column of ``cluster_group.tsv`` differs from Kilosort's
    own label. Labels that are all ``good`` or ``noise`` do not count: the automatic noise test of
    ecephys_spike_sorting writes these under the same name.
    """
    if "phy.log" in folder and _PHY_ACTION.search(_text(folder, "phy.log")):
        return True
    if n_templates is not None and any(unit_id >= n_templates for unit_id in unit_ids):
        return True
    groups = labels.by_file.get(CURATED_FILE, {})
    if labels.column.get(CURATED_FILE) != "group" or set(groups.values()) <= _NOISE_TEST:
        return False
    return any(label != labels.sorters(unit_id) for unit_id, label in groups.items())


def _read(folder: SortingFolder, name: str) -> tuple[dict[int, str], str]:
    """Read one file: tab- or comma-separated whatever its suffix, a cluster_id column and a label column."""
    lines = [line for line in _text(folder, name).splitlines() if line.strip()]
    path = folder.path(name)
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    if not rows or len(rows[0]) < 2 or "cluster_id" not in rows[0]:
        raise UnreadableFile(path, "it has no cluster_id and label columns", expected="these two columns", todo=_TODO)
    ids = rows[0].index("cluster_id")
    wanted = [column for column in ("group", "KSLabel") if column in rows[0]]
    column = wanted[0] if wanted else next(column for column in rows[0] if column != "cluster_id")
    values = rows[0].index(column)
    labels: dict[int, str] = {}
    for row in rows[1:]:
        if len(row) <= max(ids, values) or not row[ids].isdecimal():
            raise UnreadableFile(path, f"row {row!r} has no cluster id and label", expected="both", todo=_TODO)
        unit_id, label = int(row[ids]), row[values]
        if label and labels.setdefault(unit_id, label) != label:
            raise UnreadableFile(path, f"cluster {unit_id} has two labels", expected="one", todo=_TODO)
    return labels, column


def _text(folder: SortingFolder, name: str) -> str:
    path = folder.path(name)
    with unchanged(path):
        return path.read_bytes().decode("utf-8-sig", errors="replace")
