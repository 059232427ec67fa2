"""Whether SpikeGLX has finished a recording and all of it has been copied. Reading recordings lives in `ephys`.

SpikeGLX writes ``fileSHA1``, ``fileTimeSecs`` and ``fileSizeBytes`` into a ``.meta`` only when it closes the recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import unchanged

END_MARKS = ("fileSHA1", "fileTimeSecs", "fileSizeBytes")
_MOST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class EndMarks:
    """What a ``.meta`` tells of its recording's end.

    Parameters
    ----------
    missing : str or None
        What is not there yet, as ``no fileSHA1``; None where SpikeGLX has finished.
    bin_bytes : int or None
        Size that the ``.bin`` must have, B.
    created : datetime.datetime or None
        When the recording (before CatGT, if it ran) was begun, on the recording computer's wall clock.
    is_read : bool
        False where the ``.meta`` could not be read just now.
    """

    missing: str | None
    bin_bytes: int | None = None
    created: datetime | None = None
    is_read: bool = True


def read_end_marks(path: Path) -> EndMarks:
    """Read a ``.meta``; one that cannot be read now counts as unfinished."""
    try:
        with unchanged(path), path.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8", "replace")
    except BadInput as error:
        return EndMarks(error.found, is_read=False)
    except OSError as error:
        return EndMarks(f"it cannot be read ({error.strerror})", is_read=False)
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key.strip(): value.strip() for key, value in values.items()}
    created = _instant(values.get("fileCreateTime_original") or values.get("fileCreateTime"))
    missing = next((f"no {mark}" for mark in END_MARKS if not values.get(mark)), None)
    size = values.get("fileSizeBytes", "")
    if missing is None and not (size.isascii() and size.isdigit()):
        missing = f"fileSizeBytes is {size!r}"
    return EndMarks(missing, int(size) if missing is None else None, created)


def why_incomplete(meta_name: str, marks: EndMarks | None, bin_name: str, bin_size: int | None) -> str | None:
    """Say what a recording's pair of files still lacks; None where it is complete.

    Parameters
    ----------
    meta_name, bin_name : str
        File names, for the sentence.
    marks : EndMarks or None
        Of the ``.meta``; None where there is none.
    bin_size : int or None
        Bytes of the ``.bin``; None where it is not on the share (only its ``.meta`` was kept there).
    """
    if marks is None:
        return f"SpikeGLX is still writing: no {meta_name} beside {bin_name}"
    if not marks.is_read:
        return f"{meta_name}: {marks.missing}"
    if marks.missing is not None:
        return f"SpikeGLX is still writing: {marks.missing} in {meta_name}"
    if bin_size is None or bin_size == marks.bin_bytes:
        return None
    if bin_size < (marks.bin_bytes or 0):
        return f"incomplete copy: {bin_size} of {marks.bin_bytes} bytes of {bin_name}"
    return f"{bin_name} holds {bin_size} bytes, and {meta_name} names {marks.bin_bytes}; one of them is of another recording"


def _instant(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
