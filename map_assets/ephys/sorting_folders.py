"""Which folders of a session hold sortings, of which probe, and which sorter reads each. Reading them lives in `sortings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from map_assets.ephys.probe_number import probe_of
from map_assets.ephys.sorters.protocol import Sorter, SortingFolder
from map_assets.vocabulary.errors import BadInput, NameDoesNotParse, NoFormatRecognizes, TwoFormatsRecognize
from map_assets.vocabulary.files import FoundFile, Rejected


class ProbeFolder(NamedTuple):
    """One sorting of one probe, not yet read."""

    probe: int
    folder: SortingFolder
    sorter: Sorter


def find_sortings(
    files: Sequence[FoundFile], sorters: Sequence[Sorter], animal: str
) -> tuple[list[ProbeFolder], list[Rejected]]:
    """Find the folders that a sorter recognises; a folder above or below one merely accompanies it.

    Parameters
    ----------
    files : sequence of FoundFile
        With the role ``sorting``.
    sorters : sequence of Sorter
        Exactly one of them may recognise a folder.
    animal : str
        The session's animal.

    Returns
    -------
    found : list of ProbeFolder
        By probe and path.
    rejected : list of Rejected
        Folders that none or several sorters recognise, or whose path tells no probe.
    """
    found: list[ProbeFolder] = []
    rejected: list[Rejected] = []
    strange: list[SortingFolder] = []
    recognized: list[PurePosixPath] = []
    for folder in _folders(files):
        readers = [sorter for sorter in sorters if sorter.recognizes(frozenset(folder.files))]
        if not readers:
            strange.append(folder)
            continue
        recognized.append(folder.relpath)
        try:
            found.append(ProbeFolder(_probe(folder, readers, animal), folder, readers[0]))
        except BadInput as error:
            rejected.append(Rejected(tuple(folder.files.values()), error))
    for folder in strange:
        if not any(path.is_relative_to(folder.relpath) or folder.relpath.is_relative_to(path) for path in recognized):
            rejected.append(Rejected(tuple(folder.files.values()), _unknown(folder)))
    return sorted(found, key=lambda one: (one.probe, str(one.folder.relpath))), rejected


def _folders(files: Sequence[FoundFile]) -> list[SortingFolder]:
    by_folder: dict[tuple[Path, PurePosixPath], dict[str, FoundFile]] = defaultdict(dict)
    for file in files:
        by_folder[file.root, file.relpath.parent][file.relpath.name] = file
    return [SortingFolder(relpath, found) for (_, relpath), found in sorted(by_folder.items())]


def _probe(folder: SortingFolder, sorters: Sequence[Sorter], animal: str) -> int:
    if len(sorters) > 1:
        raise TwoFormatsRecognize(
            Path(folder.relpath),
            f"{len(sorters)} sorters recognise it",
            expected="one",
            todo="Keep each sorter's result in a folder of its own.",
        )
    probe = probe_of(folder.relpath / "any file", animal)
    if probe is None:
        raise NameDoesNotParse(
            Path(folder.relpath),
            "no folder of its path tells the probe",
            expected="a folder with imecN in its name, or named by the insertion number alone",
            todo="Move the sorting into its probe's folder.",
        )
    return probe


def _unknown(folder: SortingFolder) -> NoFormatRecognizes:
    return NoFormatRecognizes(
        Path(folder.relpath),
        f"no sorter recognises it (it holds {', '.join(sorted(folder.files)[:5])})",
        expected="spike_times.npy with spike_clusters.npy (Kilosort, Phy), *_jrc.mat or *.ap_res.mat (JRCLUST), or "
        "numpysorting_info.json with spikes.npy (SpikeInterface)",
        todo="Copy the sorter's whole folder.",
    )
