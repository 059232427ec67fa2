"""Which versions of a session's tables and NWB file stand, and whether they may be published. Where they are put lives in `release` and `dandiset`."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from map_assets.publication.errors import NotPublishable
from map_assets.publication.tables import DANDI_ASSETS
from map_assets.store import Store
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import sha256_of, unchanged

NWB = "nwb"
NWB_SUFFIX = ".nwb"
_AGAIN = "materialize nwb_file of the session again"


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
        If there is none, it failed a gate, it is not the one that the gates saw, or a table is younger than it.
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
    younger = [one for one in freeze_tables(store, session, inputs) if one.written_at > file.written_at]
    if younger:
        names = ", ".join(one.kind for one in younger)
        raise NotPublishable(f"The NWB file of {session} is older than {names}; {_AGAIN}.")
    made_from = {one.kind: one.version for one in freeze_tables(store, session, inputs)}
    code, subject, modalities = _told_by(file.path)
    return FrozenNwb(file, row["sha256"], made_from, code, subject, modalities)


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
            todo=f"{_AGAIN.capitalize()}.",
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
    target.parent.mkdir(parents=True, exist_ok=True)
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
                f"{target.parent} is on another file system than the store, so that files can only be copied; "
                "choose a folder beside the store, or ask for copies with --copy."
            ) from error
        shutil.copyfile(frozen.path, target)
    sha256 = sha256_of(target)
    if sha256[:16] != frozen.version:
        raise NotPublishable(
            f"{frozen.kind} of {frozen.session} in the store's history is not what it was when it was written; "
            "look at the disk, then materialize it again."
        )
    return sha256


def plain_label(text: str) -> str:
    """Make a text into a label of a DANDI path: the signs that the archive refuses become hyphens."""
    return re.sub(r"[_*\\/<>:|\"'?%@;.\s]+", "-", text).strip("-")
