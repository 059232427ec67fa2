"""The door to behaviour files: exactly one format reads a file. What a format's fields mean lives in `formats`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pyarrow as pa

from map_assets.behavior.formats import delay_response, foraging, multi_target_licking
from map_assets.behavior.pybpod import HEADER, PybpodLog, parse_log
from map_assets.behavior.settings import settings_gui
from map_assets.vocabulary.errors import NoFormatRecognizes, TwoFormatsRecognize, UnreadableFile
from map_assets.vocabulary.files import FoundFile, unchanged
from map_assets.vocabulary.matlab import MatlabFile, parse_matlab


class BehaviorFormat(Protocol):
    """A task's behaviour file."""

    @property
    def name(self) -> str:
        """Name of the format, as it stands in `behavior_file`."""

    def recognizes(self, content: MatlabFile | PybpodLog, protocols: Path | None) -> bool:
        """Whether the content (never the name) is this task's."""

    def read(
        self, session: str, file: FoundFile, content: MatlabFile | PybpodLog, protocols: Path | None
    ) -> dict[str, pa.Table]:
        """Read the tables that `read_behavior` returns."""


FORMATS: tuple[BehaviorFormat, ...] = (delay_response.FORMAT, multi_target_licking.FORMAT, foraging.FORMAT)
"""A new task is a module in `formats` and its name here."""

_TODO = "Copy the file from the rig again; if the rig's own is damaged, there is nothing to read."
_HEAD = 4096
"""Bytes in which a PyBpod log has its header line."""


def read_behavior(session: str, file: FoundFile, *, protocols: Path | None = None) -> dict[str, pa.Table]:
    """Read a session's behaviour file.

    Parameters
    ----------
    session : str
        The session's key; the date in it must be the file's.
    file : FoundFile
        The rig's file, of role ``behavior``; any size.
    protocols : pathlib.Path, optional
        Folder of the lab's own protocol files; those that it lacks are the package's.

    Returns
    -------
    dict of str to pyarrow.Table
        A table for each of `behavior.tables.TABLES`; those that a task has nothing for have no rows. Each trial of the
        file is in ``trials`` or, with the reason, in ``skipped_trials``.

    Raises
    ------
    UnreadableFile
        If the file is empty, truncated, damaged, of another kind, or lacks a field that its task has.
    NoFormatRecognizes, TwoFormatsRecognize
        If its content is of no task that is read, or of more than one.
    PiecesDoNotFit
        If its fields disagree on the number of trials, or its date or animal is not that of its name.
    ChangedWhileRead
        If it was written to while it was read.
    BadConfiguration
        If a protocol file of the lab cannot be used.
    """
    content = _open(file.path)
    found = [candidate for candidate in FORMATS if candidate.recognizes(content, protocols)]
    tasks = ", ".join(candidate.name for candidate in FORMATS)
    if not found:
        raise NoFormatRecognizes(
            file.path,
            f"its content is of no known task ({_describe(content)})",
            expected=f"a file of a task that this version reads: {tasks}",
            todo="Keep it off the behaviour share, or wait for a version that reads it.",
        )
    if len(found) > 1:
        raise TwoFormatsRecognize(
            file.path,
            f"{len(found)} formats claim it: {', '.join(candidate.name for candidate in found)}",
            expected="exactly one",
            todo="Narrow what these formats recognise.",
        )
    return found[0].read(session, file, content, protocols)


def _open(path: Path) -> MatlabFile | PybpodLog:
    """Read a file once, as what its first bytes say it is."""
    with unchanged(path):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UnreadableFile(
                path, f"cannot be read ({error.strerror})", expected="a readable file", todo=_TODO
            ) from error
    if HEADER in data[:_HEAD] or (path.suffix.lower() == ".csv" and data):
        return parse_log(path, data)
    return parse_matlab(path, data, todo=_TODO)


def _describe(content: MatlabFile | PybpodLog) -> str:
    """Say what was found in a file that no format claims."""
    if isinstance(content, PybpodLog):
        return f"a PyBpod log of the experiment '{content.name('EXPERIMENT-NAME') or ''}'"
    data = content.struct("SessionData")
    if not data.names:
        return f"variables {', '.join(content.variables)}; no struct SessionData"
    settings = ", ".join(settings_gui(data).names) or "none"
    return f"Bpod's SessionData with GUI settings {settings}"
