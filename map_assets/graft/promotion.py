"""What it takes to join the shared graph, and the record of it; moving the tables lives in `defs.graft_promotion`.

::

    {root}/grafts/{name}.toml     one promoted analysis: whose, from which package, which code, when, by whom, why
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from map_assets.graft.declare import Graft
from map_assets.store import replacing
from map_assets.vocabulary.errors import BadConfiguration, MapAssetsError

_SHOWN = 3


class MayNotBePromoted(MapAssetsError):
    """A grafted analysis is not ready for the shared graph; its text lists what is in the way."""


@dataclass(frozen=True)
class Promoted:
    """The record of a promotion.

    Parameters
    ----------
    name, namespace, package, package_version, version, source_sha256 : str
    promoted_at : str
        ISO 8601, UTC.
    who, why : str
    n_sessions : int
        Sessions whose tables were taken over.
    """

    name: str
    namespace: str
    package: str
    package_version: str
    version: str
    source_sha256: str
    promoted_at: str
    who: str
    why: str
    n_sessions: int


@dataclass(frozen=True)
class Standing:
    """How far a grafted analysis has come in its namespace.

    Parameters
    ----------
    made : sequence of str
        Sessions whose results stand and are made from what stands now.
    due : sequence of str
        Sessions that have the inputs, and no such result.
    failed, refused : sequence of str
        Sessions in which it failed, or a blocking claim does not hold.
    differing : sequence of str
        Sessions in which doing it again came out different.
    """

    made: Sequence[str]
    due: Sequence[str] = ()
    failed: Sequence[str] = ()
    refused: Sequence[str] = ()
    differing: Sequence[str] = ()


def record_path(root: Path, name: str) -> Path:
    """Where the record of a promoted analysis stands under a store's root."""
    return root / "grafts" / f"{name}.toml"


def read_record(root: Path, name: str) -> Promoted | None:
    """Read the record of a promotion; None where there is none.

    Raises
    ------
    BadConfiguration
        If it cannot be read.
    """
    path = record_path(root, name)
    if not path.is_file():
        return None
    try:
        return Promoted(**tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, TypeError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path} is no record of a promotion: {error}; promote {name} again.") from error


def write_record(root: Path, record: Promoted) -> Path:
    """Write the record of a promotion; an earlier one is replaced."""
    path = record_path(root, record.name)
    # a JSON text or number is a TOML one as well
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in asdict(record).items()]
    with replacing(path) as part:
        part.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def is_promoted(graft: Graft, root: Path) -> bool:
    """Whether exactly this code of a graft is part of the shared graph; a changed line makes it private again."""
    record = read_record(root, graft.name)
    mine = (graft.namespace, graft.version, graft.source_sha256)
    return record is not None and (record.namespace, record.version, record.source_sha256) == mine


def objections(graft: Graft, standing: Standing, earlier: Promoted | None, *, is_taken: bool) -> list[str]:
    """Say what is in the way of a promotion, a sentence each; nothing where it may be done.

    Parameters
    ----------
    graft : Graft
    standing : Standing
    earlier : Promoted or None
        Record under its name.
    is_taken : bool
        Whether a shared table of its name stands.
    """
    found = []
    silent = [column.name for column in graft.table.columns if not column.meaning.strip()]
    if silent:
        found.append(f"columns {', '.join(silent)} of {graft.name} say no meaning")
    if not graft.claims:
        found.append(f"{graft.name} makes no claim that could be checked: declare `claims`")
    if earlier is not None and earlier.namespace != graft.namespace:
        found.append(f"{graft.name} was promoted from the namespace {earlier.namespace}")
    if earlier is None and is_taken:
        found.append(f"a shared table {graft.name} stands already")
    if earlier is not None and earlier.version == graft.version and earlier.source_sha256 != graft.source_sha256:
        found.append(f"its code differs from what was promoted as version {graft.version}: raise the version")
    if not standing.made:
        found.append("no session has a result made from what stands now")
    for sessions, what in (
        (standing.due, "is not made, or not from what stands now"),
        (standing.failed, "failed"),
        (standing.refused, "does not hold what it claims"),
        (standing.differing, "came out different when it was done again"),
    ):
        if sessions:
            found.append(f"it {what} in {_some(sessions)}")
    return found


def _some(sessions: Sequence[str]) -> str:
    more = f" and {len(sessions) - _SHOWN} more" if len(sessions) > _SHOWN else ""
    return ", ".join(sessions[:_SHOWN]) + more
