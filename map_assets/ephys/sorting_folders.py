"""Which folders of a session hold sortings, of which probe, and which sorter reads each. Reading them lives in `sortings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
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
        Folders that none or several sorters recognise, or whose path tells no probe. One that holds a part of a
        sorter's files waits for the rest, with the folders in it.
    """
    found: list[ProbeFolder] = []
    rejected: list[Rejected] = []
    seen = [_see(folder, sorters) for folder in _folders(files)]
    known = [one.folder.relpath for one in seen if one.readers]
    waiting = [one.folder.relpath for one in seen if one.lacks and not _is_about(one.folder.relpath, known)]
    for one in seen:
        path = one.folder.relpath
        folder = SortingFolder(path, one.folder.files, _below(one, seen))
        if one.readers:
            try:
                found.append(ProbeFolder(_probe(folder, one.readers, animal), folder, one.readers[0]))
            except BadInput as error:
                rejected.append(Rejected(tuple(folder.files.values()), error))
        elif (
            one.lacks and path in waiting and not any(path.is_relative_to(other) for other in waiting if other != path)
        ):
            all_files = (*folder.files.values(), *folder.below.values())
            rejected.append(Rejected(all_files, folder.lacks(one.lacks)))
        elif not _is_about(path, [*known, *waiting]):
            rejected.append(Rejected(tuple(folder.files.values()), _unknown(folder)))
    return sorted(found, key=lambda one: (one.probe, str(one.folder.relpath))), rejected


class _Seen(NamedTuple):
    """A folder, the sorters that recognise it, and the file that it waits for where it holds a part of a sorter's."""

    folder: SortingFolder
    readers: Sequence[Sorter]
    lacks: str | None

    @property
    def root(self) -> Path:
        return next(iter(self.folder.files.values())).root


def _see(folder: SortingFolder, sorters: Sequence[Sorter]) -> _Seen:
    names = frozenset(folder.files)
    readers = [sorter for sorter in sorters if sorter.recognizes(names)]
    lacks = None if readers else next((name for sorter in sorters if (name := sorter.lacks(names))), None)
    return _Seen(folder, readers, lacks)


def _is_about(path: PurePosixPath, folders: Iterable[PurePosixPath]) -> bool:
    """Whether a folder is, or is above or below, one of these."""
    return any(one.is_relative_to(path) or path.is_relative_to(one) for one in folders)


def _below(one: _Seen, seen: Sequence[_Seen]) -> dict[str, FoundFile]:
    """Files of the folders in one that are no sortings themselves, by path from it."""
    path = one.folder.relpath
    inner = [
        other.folder
        for other in seen
        if other.root == one.root and path in other.folder.relpath.parents and not other.readers
    ]
    return {file.relpath.relative_to(path).as_posix(): file for folder in inner for file in folder.files.values()}


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
