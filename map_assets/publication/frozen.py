"""Which versions of a session's tables and NWB file stand, and whether they may be published. Where they are put lives in `release` and `dandiset`."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from map_assets.publication.errors import NotPublishable
from map_assets.publication.tables import DANDI_ASSETS
from map_assets.store import Store, replacing
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import sha256_of, unchanged

_READ_ONLY = 0o444
PART = ".part"
"""How the names of what is not finished end."""
NWB = "nwb"
NWB_SUFFIX = ".nwb"
_AGAIN = "make it again with `map-assets ingest SESSION --again nwb_file`"


@dataclass(frozen=True)
class Frozen:
    """One version of a table or NWB file, as the store's history keeps it.

    Parameters
    ----------
    session : str
    kind : str
        Table, or ``nwb``.
    version : str
        First 16 hex digits of the sha256 of its bytes.
    written_at : datetime.datetime
    path : pathlib.Path
        In the history, where it never changes.
    """

    session: str
    kind: str
    version: str
    written_at: datetime
    path: Path


@dataclass(frozen=True)
class FrozenNwb:
    """A session's NWB file that passed its gates.

    Parameters
    ----------
    file : Frozen
    sha256 : str
        Of the file, as the gates saw it.
    made_from : dict of str to str
        Version of each table that the file is made of.
    code : str
        What wrote it, as the file itself says: name and version.
    subject : str
        The file's subject id.
    modalities : tuple of str
        ``behavior``, ``ecephys``, ``ogen``, as far as the file has them.
    """

    file: Frozen
    sha256: str
    made_from: dict[str, str]
    code: str
    subject: str
    modalities: tuple[str, ...]


def freeze_tables(store: Store, session: str, only: Collection[str] | None = None) -> list[Frozen]:
    """Name the standing version of every table of a session, by table; the record of uploads is none of them.

    Raises
    ------
    NotPublishable
        If a table stands without a version in the history.
    """
    found = []
    for table in store.tables():
        if table != DANDI_ASSETS.name and store.has(table, session) and (only is None or table in only):
            found.append(_last(store, table, session, ".parquet"))
    return found


def freeze_nwb(store: Store, session: str, inputs: Collection[str]) -> FrozenNwb:
    """Name the standing version of a session's NWB file, if it may be published.

    Parameters
    ----------
    inputs : collection of str
        Names of the tables that an NWB file is made of.

    Raises
    ------
    NotPublishable
        If there is none, it failed a gate, it is not the one that the gates saw, or it was made from other versions of
        its tables than those that stand.
    """
    if not store.has("nwb_file", session):
        raise NotPublishable(f"{session} has no NWB file that was checked; {_AGAIN}.")
    row = store.read("nwb_file", session).to_pylist()[0]
    failed = (
        "cannot be read back" if not row["can_be_read"]
        else f"has {row['n_validation_errors']} validation errors" if row["n_validation_errors"]
        else f"has {row['n_inspector_critical']} critical messages of the inspector" if row["n_inspector_critical"]
        else "was not compared with its tables" if row["differences"] is None
        else f"differs from its tables ({row['differences'][:200]})" if row["differences"]
        else None
    )  # fmt: skip
    if failed is not None:
        raise NotPublishable(f"The NWB file of {session} {failed}, so it is not published.")
    file = _last(store, NWB, session, NWB_SUFFIX)
    if file.version != row["sha256"][:16]:
        raise NotPublishable(f"The NWB file of {session} is not the one that its gates saw; {_AGAIN}.")
    made_from = {one.kind: one.version for one in freeze_tables(store, session, inputs)}
    _refuse_other_tables(session, row.get("made_from"), made_from)
    code, subject, modalities = _told_by(file.path)
    return FrozenNwb(file, row["sha256"], made_from, code, subject, modalities)


def _refuse_other_tables(session: str, told: str | None, standing: Mapping[str, str]) -> None:
    """Hold the versions that a file was made from against those that stand; stamps of two clocks prove nothing."""
    if told is None:
        raise NotPublishable(f"The record of {session}'s NWB file does not say from which tables it is made; {_AGAIN}.")
    made_from = json.loads(told)
    differ = [name for name in sorted({*made_from, *standing}) if made_from.get(name) != standing.get(name)]
    if differ:
        raise NotPublishable(
            f"The NWB file of {session} is made from another version of {', '.join(differ)} than stands now; "
            "`map-assets ingest` makes it again."
        )


def _last(store: Store, kind: str, session: str, suffix: str) -> Frozen:
    versions = store.history(kind, session, suffix)
    if not versions:
        raise NotPublishable(f"{kind} of {session} has no version in the store's history; materialize it again.")
    written_at, version, path = versions[-1]
    return Frozen(session, kind, version, written_at, path)


def _told_by(path: Path) -> tuple[str, str, tuple[str, ...]]:
    """Read from an NWB file what wrote it, its subject and its modalities."""
    import h5py

    try:
        with unchanged(path), h5py.File(path, "r") as file:
            code = " ".join(one.decode() for one in file["general/was_generated_by"][()].ravel())
            subject = file["general/subject/subject_id"].asstr()[()]
            has_ephys = "units" in file or "general/extracellular_ephys" in file
            has_light = bool(len(file.get("stimulus/presentation", ())) and "general/optogenetics" in file)
    except (OSError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            path,
            f"its subject or its origin cannot be read ({error})",
            expected="an NWB file of this laboratory",
            todo=f"M{_AGAIN[1:]}.",
        ) from error
    return code, subject, ("behavior", *["ecephys"] * has_ephys, *["ogen"] * has_light)


def put(frozen: Frozen, target: Path, *, may_copy: bool = False) -> str:
    """Give a version a second name at `target`, without a second copy of its bytes, and hash it.

    Returns
    -------
    str
        The sha256 of its bytes, lower-case hex.

    Raises
    ------
    NotPublishable
        If the file systems allow no link and `may_copy` is False, or the bytes are no more what the version says.
    """
    make_folder(target.parent)
    try:
        os.link(frozen.path, target)
    except FileExistsError:
        if not target.samefile(frozen.path) and sha256_of(target)[:16] != frozen.version:
            raise NotPublishable(
                f"{target} stands with other content; take it away or choose another folder."
            ) from None
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}:
            raise
        if not may_copy:
            raise NotPublishable(
                f"{_lasting(target)} is on another file system than the store, so that files can only be copied; "
                "choose a folder beside the store, or ask for copies with --copy."
            ) from error
        with replacing(target) as part:
            shutil.copyfile(frozen.path, part)
    if target.samefile(frozen.path):
        with suppress(PermissionError):  # somebody else's file, whose owner may not have thought of it
            target.chmod(_READ_ONLY)  # all names are one file: who mends it in one place would change every release
    sha256 = sha256_of(target)
    if sha256[:16] != frozen.version:
        raise NotPublishable(
            f"{frozen.kind} of {frozen.session} in the store's history is not what it was when it was written; "
            "look at the disk, then materialize it again."
        )
    return sha256


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises
    ------
    NotPublishable
        If it cannot be made, as where a file stands in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotPublishable(
            f"{folder} cannot be used as a folder ({error.strerror or error}); choose another with --to."
        ) from error


def _lasting(target: Path) -> Path:
    """Return the nearest folder above that is not gone again when the command has ended."""
    return next(one for one in target.parents if not any(part.endswith(PART) for part in one.parts))


def plain_label(text: str) -> str:
    """Make a text into a label of a DANDI path: the signs that the archive refuses become hyphens."""
    return re.sub(r"[_*\\/<>:|\"'?%@;.\s]+", "-", text).strip("-")
