"""What a session is due for: a pure function of what stands, what was done and what has landed. Acting on it is the sensors' part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from map_assets.defs.stage import Stage

FileMark = tuple[str, str, int, int, int]
"""Share, path, size, modification and change time of a settled file."""


_WAITED_FOR = {
    "subject": "the registry's row of animal {animal}, with its date of birth: import it with `map-assets registry import SHEET`",
    "transferred": "the mover: its raw files are on their way into the archive (`map-assets archive status`)",
    "annotation": "an annotation volume: set [ccf] annotation to an Allen CCF nrrd file",
}


@dataclass(frozen=True)
class Done:
    """How a stage ended last.

    Parameters
    ----------
    signature : str
        Of its inputs then.
    made : tuple of str
        Tables that it made last.
    blocked : str
        Names of blocking checks that failed on those; what rests on its tables waits then.
    has_failed : bool
        Whether the last attempt failed; the tables, if any, are those of an earlier one.
    inputs : mapping of str to (str or None), optional
        Version of each table that it may take, as it stood then; None where that was not noted.
    """

    signature: str
    made: tuple[str, ...] = ()
    blocked: str = ""
    has_failed: bool = False
    inputs: Mapping[str, str | None] | None = None


@dataclass(frozen=True)
class SessionState:
    """All that a decision about one session rests on.

    Parameters
    ----------
    session : str
    tables : mapping of str to str
        Version of each of the session's tables that stands.
    lab_tables : mapping of str to str
        The same for the laboratory's tables.
    done : mapping of str to Done
        Each stage's last end.
    files : mapping of str to sequence of FileMark
        Settled, usable files by role, those that were ingested and have left the share since too.
    absent : mapping of str to sequence of str
        Names of those that have left the share, by role.
    torn : mapping of str to sequence of str
        Of these, the ones in whose folder other files of the session and role still are.
    moving : frozenset of str
        Roles of which a file is still changing.
    registry : mapping of str to str or None
        Fingerprint of what each `Need` gives, from the registry or the configuration; None where there is nothing.
    parameters : mapping of str to str
        Fingerprint of each stage's settings.
    """

    session: str
    tables: Mapping[str, str] = field(default_factory=dict)
    lab_tables: Mapping[str, str] = field(default_factory=dict)
    done: Mapping[str, Done] = field(default_factory=dict)
    files: Mapping[str, Sequence[FileMark]] = field(default_factory=dict)
    absent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    torn: Mapping[str, Sequence[str]] = field(default_factory=dict)
    moving: frozenset[str] = frozenset()
    registry: Mapping[str, str | None] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """Stages to run, in order, and what other stages wait for."""

    stages: tuple[str, ...]
    waits: Mapping[str, str]
    digest: str


def signature(stage: Stage, state: SessionState) -> str:
    """Fingerprint all that a stage's result depends on: code, settings, files, tables, registry."""
    seen = {
        "version": stage.version,
        "parameters": state.parameters.get(stage.name),
        "files": sorted(mark for role, marks in state.files.items() if stage.opens(role) for mark in marks),
        "tables": {name: state.tables.get(name) for name in stage.inputs},
        "lab": {name: state.lab_tables.get(name) for name in stage.lab_reads},
        "registry": {need: state.registry.get(need) for need in stage.needs},
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def decide(stages: Iterable[Stage], state: SessionState) -> Decision:
    """Decide what a session is due for.

    Stages come in the order of the work. One is due when its inputs are there and it was never done, or something that
    its result depends on has changed since, or will change in this run. One that failed waits until something changes,
    and so does all that rests on it, however its older tables may stand.
    """
    refused = {name: done.blocked for done in state.done.values() if done.blocked for name in done.made}
    stale: dict[str, str] = {}
    chosen: list[str] = []
    will_stand = set(state.tables)
    will_change: set[str] = set()
    waits: dict[str, str] = {}
    marks: list[str] = []
    for stage in stages:
        made = {table.name for table in stage.writes}
        has_files = any(stage.opens(role) and state.files.get(role) for role in state.files)
        if stage.roles and not has_files and not (stage.keeps and made & set(state.tables)):
            continue
        if not set(stage.reads) <= will_stand or (stage.one_of and will_stand.isdisjoint(stage.one_of)):
            continue
        now, last = signature(stage, state), state.done.get(stage.name)
        is_same = last is not None and last.signature == now and will_change.isdisjoint(stage.inputs)
        unusable = stale if stage.shows_refused else refused | stale
        reason = _waits_for(stage, state, unusable)
        if last is not None and is_same and last.has_failed:
            stale |= dict.fromkeys(made, f"{stage.name}, which failed")
        elif last is not None and is_same and _stands(last, state):
            continue
        elif reason is not None:
            waits[stage.name] = reason
            if not unusable.keys().isdisjoint(stage.inputs) or _rests_on_older(stage, last, state, will_change):
                stale |= dict.fromkeys(made, reason)
        else:
            chosen.append(stage.name)
            marks.append(now)
            will_stand |= made
            will_change |= made
            refused = {name: checks for name, checks in refused.items() if name not in made}
    digest = hashlib.sha256("\n".join([*chosen, *marks]).encode()).hexdigest()[:16]
    return Decision(tuple(chosen), waits, digest)


def _waits_for(stage: Stage, state: SessionState, unusable: Mapping[str, str]) -> str | None:
    """Say what a stage has to wait for before it can be done; None for nothing."""
    moving = sorted(role for role in state.moving if stage.opens(role) and stage.answers_for(role))
    if moving:
        return f"files that are still changing ({', '.join(moving)})"
    absent = state.torn if stage.keeps else state.absent
    gone = sorted(
        name for role, names in absent.items() if role in stage.roles and role in stage.claims for name in names
    )
    if gone:
        return f"files that were ingested and are not on the share any more ({', '.join(gone[:3])})"
    # what was never made holds up nobody who merely may read it
    upstream = sorted({unusable[name] for name in stage.inputs if name in unusable and name in state.tables})
    if upstream:
        return f"what it rests on ({', '.join(upstream)})"
    missing = [text for need, text in _WAITED_FOR.items() if need in stage.needs and state.registry.get(need) is None]
    return missing[0].format(animal=state.session.partition("_")[0]) if missing else None


def _rests_on_older(stage: Stage, last: Done | None, state: SessionState, will_change: Set[str]) -> bool:
    """Whether what stands of a stage was made from other tables than those that stand now or after this run."""
    if last is None or last.inputs is None:
        return False
    seen = {name: state.tables.get(name) for name in stage.inputs}
    return dict(last.inputs) != seen or not will_change.isdisjoint(stage.inputs)


def _stands(last: Done, state: SessionState) -> bool:
    return set(last.made) <= set(state.tables)
