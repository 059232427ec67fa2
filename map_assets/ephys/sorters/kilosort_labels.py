"""What people and Kilosort said of clusters: the label files of a Kilosort or Phy folder. Spikes are read in `kilosort_trains`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from map_assets.ephys.sorters.label_tables import LabelTable, labels_of, read_label_tables, read_text
from map_assets.ephys.sorters.protocol import SortingFolder, UnitLabels

CURATED_FILE = "cluster_group.tsv"
SORTER_FILE = "cluster_KSLabel.tsv"
OLDER_FILE = "cluster_groups.csv"
LABEL_FILES = (CURATED_FILE, SORTER_FILE, OLDER_FILE)
"""From the most to the least curated; for each cluster the first that has a label for it counts."""

NO_LABEL = "unsorted"
"""What Phy shows for a cluster without a label."""

_PHY_ACTION = re.compile(r"Merge clusters|Split clusters?|Change metadata_group", re.IGNORECASE)
_NOISE_TEST = frozenset({"good", "noise"})


@dataclass(frozen=True)
class Labels:
    """Labels by cluster id, file by file, the name of each file's label column, and every cell of every file."""

    by_file: Mapping[str, Mapping[int, str]]
    column: Mapping[str, str]
    all: UnitLabels

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
    tables = read_label_tables(folder, LABEL_FILES)
    column = {name: _label_column(tables[name]) for name in LABEL_FILES if name in tables}
    return Labels({name: tables[name].columns[column[name]] for name in column}, column, labels_of(tables))


def is_curated(folder: SortingFolder, labels: Labels, unit_ids: Iterable[int], n_templates: int | None) -> bool:
    """Whether a person's decisions are in a sorting.

    Any of these shows it: ``phy.log`` tells of a merge, a split or a changed label; there are clusters that no
    template has (merges and splits get new ids); the ``group`` column of ``cluster_group.tsv`` differs from Kilosort's
    own label. Labels that are all ``good`` or ``noise`` do not count: the automatic noise test of
    ecephys_spike_sorting writes these under the same name.
    """
    if "phy.log" in folder and _PHY_ACTION.search(read_text(folder, "phy.log")):
        return True
    if n_templates is not None and any(unit_id >= n_templates for unit_id in unit_ids):
        return True
    groups = labels.by_file.get(CURATED_FILE, {})
    if labels.column.get(CURATED_FILE) != "group" or set(groups.values()) <= _NOISE_TEST:
        return False
    return any(label != labels.sorters(unit_id) for unit_id, label in groups.items())


def _label_column(table: LabelTable) -> str:
    wanted = [column for column in ("group", "KSLabel") if column in table.columns]
    return wanted[0] if wanted else next(iter(table.columns))
