"""Which probe a file belongs to, told by its path alone. What a file holds is read elsewhere in this room."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from map_assets.vocabulary.errors import NameDoesNotParse
from map_assets.vocabulary.files import FoundFile

_IMEC = re.compile(r"(?<![A-Za-z])imec(\d+)(?!\d)", re.IGNORECASE)
_BARE_IMEC = re.compile(r"(?<![A-Za-z])imec(?![A-Za-z\d])", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"[1-9]\d?")


def probe_of(relpath: PurePosixPath, animal: str) -> int | None:
    """Tell a file's probe (insertion number, from 1).

    ``imecN`` in a folder's name is probe N + 1; a folder named by a bare number N (one or two digits) is probe N. The
    nearest folder that tells decides, so that all files of a probe's folder belong together; where no folder tells,
    the file's own name does. ``imec`` without a number is a phase 3A probe, of which a rig has but one: probe 1.

    Parameters
    ----------
    relpath : pathlib.PurePosixPath
        Path of a file under its share's root.
    animal : str
        The session's animal; the share's folder of that name is never a probe, even if it is a number.

    Returns
    -------
    int or None
        None where nothing in the path tells.
    """
    folders = list(relpath.parts[:-1])
    if folders and folders[0] == animal:
        folders = folders[1:]
    for folder in reversed(folders):
        if (imec := _last_imec(folder)) is not None:
            return imec
        if _BARE_NUMBER.fullmatch(folder):
            return int(folder)
    if (imec := _last_imec(relpath.name)) is not None:
        return imec
    return 1 if any(_BARE_IMEC.search(part) for part in (*folders, relpath.name)) else None


def need_probe(file: FoundFile, animal: str) -> int:
    """Tell a file's probe.

    Raises
    ------
    NameDoesNotParse
        If nothing in its path tells.
    """
    probe = probe_of(file.relpath, animal)
    if probe is None:
        raise NameDoesNotParse(
            file.path,
            "neither its folders nor its name tell the probe",
            expected="a folder with imecN in its name, or named by the insertion number alone",
            todo="Move the file into its probe's folder.",
        )
    return probe


def _last_imec(part: str) -> int | None:
    found = _IMEC.findall(part)
    return int(found[-1]) + 1 if found else None
