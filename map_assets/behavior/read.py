"""The door to behaviour files: exactly one format reads a file. What a format's fields mean lives in `formats`."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from map_assets.behavior.formats import delay_response
from map_assets.vocabulary.errors import NoFormatRecognizes, TwoFormatsRecognize
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.matlab import MatlabFile, open_matlab


class BehaviorFormat(Protocol):
    """A task's behaviour file."""

    @property
    def name(self) -> str:
        """Name of the format, as it stands in `behavior_file`."""

    def recognizes(self, content: MatlabFile) -> bool:
        """Whether the content (never the name) is this task's."""

    def read(self, session: str, file: FoundFile, content: MatlabFile) -> dict[str, pa.Table]:
        """Read the tables that `read_behavior` returns."""


FORMATS: tuple[BehaviorFormat, ...] = (delay_response.FORMAT,)

_TODO = "Copy the file from the rig again; if the rig's own is damaged, there is nothing to read."

_UNREAD_TASKS = {("X_center", "Y_center", "Z_center"): "a multi-target-licking file"}
"""GUI settings that tell a task for which there is no format."""


def read_behavior(session: str, file: FoundFile) -> dict[str, pa.Table]:
    """Read a session's behaviour file.

    Parameters
    ----------
    session : str
        The session's key; the date in it must be the file's.
    file : FoundFile
        The rig's file, of role ``behavior``; any size.

    Returns
    -------
    dict of str to pyarrow.Table
        ``behavior_file``, ``trials``, ``skipped_trials``, ``trial_events``, ``licks`` and ``photostim_sites``, each as
        declared in `behavior.tables`. Each trial of the file is in ``trials`` or, with the reason, in
        ``skipped_trials``.

    Raises
    ------
    UnreadableFile
        If the file is empty, truncated, damaged, MATLAB 7.3, no MATLAB file, or lacks a field that its task has.
    NoFormatRecognizes, TwoFormatsRecognize
        If its content is of no task that is read, or of more than one.
    PiecesDoNotFit
        If its fields disagree on the number of trials, or its date is not that of its name.
    ChangedWhileRead
        If it was written to while it was read.
    """
    content = open_matlab(file.path, todo=_TODO)
    found = [candidate for candidate in FORMATS if candidate.recognizes(content)]
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
    return found[0].read(session, file, content)


def _describe(content: MatlabFile) -> str:
    """Say what was found in a file that no format claims."""
    data = content.struct("SessionData")
    if not data.names:
        return f"variables {', '.join(content.variables)}; no struct SessionData"
    gui = delay_response.settings_gui(data)
    for names, task in _UNREAD_TASKS.items():
        if all(name in gui for name in names):
            return f"{'/'.join(names)}: {task}"
    settings = ", ".join(gui.names) or "none"
    return f"Bpod's SessionData with GUI settings {settings}"
