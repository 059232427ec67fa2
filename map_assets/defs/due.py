"""What a session is due for: a pure function of what stands, what was done and what has landed. Acting on it is the sensors' part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from map_assets.defs.stage import Stage

FileMark = tuple[str, str, int, int]
"""Share, path, size and mtime of a settled file."""


_WAITED_FOR = {
    "subject": "the registry's row of animal {animal}, with its date of birth: import it with `map-assets registry import SHEET`",
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
        Tables that it made; none if it failed.
    blocked : str
        Names of blocking checks that failed; what rests on its tables waits then.
    """

    signature: str
    made: tuple[str, ...] = ()
    blocked: str = ""


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
        Settled, usable files by role.
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
    its result depends on has changed since, or will change in this run. One that failed waits until something changes.
    """
    blocked = {name: done.blocked for done in state.done.values() if done.blocked for name in done.made}
    chosen: list[str] = []
    will_stand = set(state.tables)
    will_change: set[str] = set()
    waits: dict[str, str] = {}
    marks: list[str] = []
    for stage in stages:
        if stage.roles and not any(stage.opens(role) and state.files.get(role) for role in state.files):
            continue
        moving = sorted(role for role in state.moving if stage.opens(role) and role in stage.claims)
        if moving:
            waits[stage.name] = f"files that are still changing ({', '.join(moving)})"
            continue
        if not set(stage.reads) <= will_stand or (stage.one_of and will_stand.isdisjoint(stage.one_of)):
            continue
        missing = [
            text for need, text in _WAITED_FOR.items() if need in stage.needs and state.registry.get(need) is None
        ]
        if missing:
            waits[stage.name] = missing[0].format(animal=state.session.partition("_")[0])
            continue
        refused = sorted({blocked[name] for name in stage.inputs if name in blocked})
        if refused:
            waits[stage.name] = f"checks that failed upstream ({', '.join(refused)})"
            continue
        now = signature(stage, state)
        last = state.done.get(stage.name)
        if last is not None and last.signature == now and will_change.isdisjoint(stage.inputs) and _stands(last, state):
            continue
        chosen.append(stage.name)
        marks.append(now)
        made = {table.name for table in stage.writes}
        will_stand |= made
        will_change |= made
        blocked = {name: checks for name, checks in blocked.items() if name not in made}
    digest = hashlib.sha256("\n".join([*chosen, *marks]).encode()).hexdigest()[:16]
    return Decision(tuple(chosen), waits, digest)


def _stands(last: Done, state: SessionState) -> bool:
    return set(last.made) <= set(state.tables)
