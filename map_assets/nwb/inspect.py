"""The two gates that stand before a NWB file: the schema's validation and the NWB inspector. Judging lives in `verdicts`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from map_assets.nwb.roundtrip import compare_with_tables
from map_assets.vocabulary.subject import Subject
from map_assets.vocabulary.table import Verdict

CRITICAL = frozenset({"CRITICAL", "ERROR", "BEST_PRACTICE_VIOLATION"})
"""Importances of the inspector's messages that no file may have."""


@dataclass(frozen=True)
class Message:
    """What a gate said.

    Parameters
    ----------
    gate : str
        ``reading``, ``validation`` or ``inspector``.
    importance : str
        The inspector's own word; ``PYNWB_VALIDATION`` for the schema's validation, ``ERROR`` for a file that fails
        to be read.
    check : str
        Name of the check, or of the kind of error.
    place : str
        Where in the file; empty if unknown.
    text : str
    """

    gate: str
    importance: str
    check: str
    place: str
    text: str

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        return f"{self.gate} {self.importance} {self.check}{place}: {' '.join(self.text.split())}"


@dataclass(frozen=True)
class Inspection:
    """What the gates found in a file.

    Parameters
    ----------
    can_be_read : bool
        False where reading or checking broke off; then the other figures say nothing good.
    identifier : str or None
        The file's own.
    n_trials, n_units : int
        In the file.
    n_validation_errors : int
    n_inspector_checks : int
        Different checks of the inspector that ran on at least one object of the file.
    messages : tuple of Message
    roundtrip : Verdict or None
        Whether the file gives the tables back; None where it was not compared.
    """

    can_be_read: bool
    identifier: str | None
    n_trials: int
    n_units: int
    n_validation_errors: int
    n_inspector_checks: int
    messages: tuple[Message, ...]
    roundtrip: Verdict | None = None

    @property
    def n_critical(self) -> int:
        """Messages of importance CRITICAL, ERROR or BEST_PRACTICE_VIOLATION."""
        return sum(message.importance in CRITICAL for message in self.messages)

    @property
    def n_suggestions(self) -> int:
        """Messages of importance BEST_PRACTICE_SUGGESTION."""
        return sum(message.importance == "BEST_PRACTICE_SUGGESTION" for message in self.messages)


def inspect_nwb(path: Path, tables: Mapping[str, pa.Table] | None = None, subject: Subject | None = None) -> Inspection:
    """Run both gates on a file, the inspector as the DANDI archive has it.

    It does not raise for a bad file: a file that cannot be read is a finding, and it passes no gate.

    Parameters
    ----------
    path : pathlib.Path
    tables : mapping of str to pyarrow.Table, optional
        The tables that the file was made of; then the file is also compared with them.
    subject : Subject, optional
        The animal that it was made for; then what the file says of it is compared, too.
    """
    roundtrip = None if tables is None else compare_with_tables(path, tables, subject)
    ran: set[str] = set()
    told: list[Message] = []
    try:
        from pynwb import NWBHDF5IO, validate

        with NWBHDF5IO(path, "r") as io:
            # Our files use no extension: the schema that the reader has loaded is all there is to validate against.
            for one in validate(io=io, use_cached_namespaces=False):
                told.append(Message("validation", "PYNWB_VALIDATION", one.name, str(one.location or ""), one.reason))
            nwbfile = io.read()
            found = _inspect(nwbfile, ran)
            n_trials = 0 if nwbfile.trials is None else len(nwbfile.trials)
            n_units = 0 if nwbfile.units is None else len(nwbfile.units)
            identifier = str(nwbfile.identifier)
    except Exception as error:  # noqa: BLE001 - a damaged file may fail anywhere in the readers, and each way is a finding
        broken = Message("reading", "ERROR", type(error).__name__, "", str(error))
        return Inspection(False, None, 0, 0, len(told), len(ran), (broken, *told), roundtrip)
    return Inspection(True, identifier, n_trials, n_units, len(told), len(ran), (*told, *found), roundtrip)


def _inspect(nwbfile: Any, ran: set[str]) -> list[Message]:
    """Run every check of the inspector on every object that it is made for; add the names of those that ran to `ran`.

    An unreadable file gives the inspector's own front door one ordinary message and no check; so we count.
    """
    from nwbinspector import configure_checks, load_config, run_checks

    checks = [_counted(check, ran) for check in configure_checks(config=load_config("dandi"))]
    return [
        Message(
            "inspector",
            one.importance.name,
            one.check_function_name,
            "/".join(part for part in ((one.location or "").rstrip("/"), one.object_name) if part),
            one.message,
        )
        for one in run_checks(nwbfile=nwbfile, checks=checks)
        if one is not None
    ]


def _counted(check: Callable[[Any], Any], ran: set[str]) -> Callable[[Any], Any]:
    @functools.wraps(check)
    def counted(item: Any) -> Any:
        ran.add(check.__name__)
        return check(item)

    return counted
