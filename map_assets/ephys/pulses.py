"""CatGT's lists of pulses: one text file of leading edges a line. Edges in a ``.bin`` itself are found in `edges`.

CatGT names a list ``{run}_tcat.{stream}.XA_{word}_{width}.txt`` (analog), ``XD_{word}_{bit}_{width}`` (digital) or
``SY_{word}_{bit}_{width}`` (a probe's sync word); ``width`` is the pulses' in ms, 0 for any, and later releases write
the letters small and ``imec0.ap`` where earlier ones wrote ``imec0``. TPrime's lists have ``.adj`` before ``.txt``:
the same edges on another stream's clock. Lists of trailing edges (``iXA``, ``xia``) and lists out of a probe's LF band,
whose clock is coarser, are none of these.
Each line is one time, s on the stream's nominal clock (https://billkarsh.github.io/SpikeGLX/#catgt).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.bitcode import LONGEST_RECORDING_S
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

_NAME = re.compile(
    r"(?:.*?\.)?(?:(?P<stream>nidq|obx\d*|imec\d{0,3})\.(?P<band>ap\.|lf\.)?)?"
    r"(?P<kind>xa|xd|sy)_(?P<word>\d{1,5})_(?P<rest>\d{1,6}(?:_\d{1,6})?)(?P<adjusted>[._]adj)?\.txt",
    re.IGNORECASE | re.ASCII,
)
_LINES = re.compile(rb"(?:[ \t]*(?:-?\d+(?:\.\d*)?(?:[eE][-+]?\d{1,2})?)?[ \t]*\r?\n)*")
_MOST_BYTES = 64 * 2**20
_TODO = "Let CatGT extract it again, or copy it again."


@dataclass(frozen=True)
class PulseList:
    """What a list's name tells.

    Parameters
    ----------
    stream : str
        ``nidq``, ``imecN`` or ``obxN``; a list that names none is of the NI-DAQ.
    line : str
        As in the name, in capitals: ``XA_0_0``.
    bit : int or None
        Of a digital word.
    width_ms : int
        Zero stands for any.
    is_adjusted : bool
        Whether TPrime carried it onto another stream's clock.
    """

    stream: str
    line: str
    bit: int | None
    width_ms: int
    is_adjusted: bool


def parse_pulse_list(name: str) -> PulseList | None:
    """Read a list's name; None where it is no list of leading edges."""
    met = _NAME.fullmatch(name)
    if met is None:
        return None
    if (met["band"] or "").lower() == "lf.":
        return None
    kind, numbers = met["kind"].upper(), met["rest"].split("_")
    if (kind == "XA") != (len(numbers) == 1) or (kind == "SY" and not met["stream"]):
        return None
    stream = (met["stream"] or "nidq").lower()
    return PulseList(
        "imec0" if stream == "imec" else stream,
        f"{kind}_{met['word']}_{met['rest']}",
        int(numbers[0]) if len(numbers) > 1 else None,
        int(numbers[-1]),
        met["adjusted"] is not None,
    )


def read_pulses(path: Path) -> NDArray[np.float64]:
    """Read a list, shape (n,), s; an empty file is a line without pulses.

    Raises
    ------
    UnreadableFile
        If it holds something else than one time a line, its last line is cut off, its times do not rise, or one is
        beyond `bitcode.LONGEST_RECORDING_S`.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    with unchanged(path) as status:
        if status.st_size > _MOST_BYTES:
            raise _odd(path, f"it holds {status.st_size} bytes", "a list of times")
        data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        raise _odd(path, "its last line is cut off", "a line end after each time")
    if not _LINES.fullmatch(data):
        raise _odd(path, "it holds something else than times", "one number a line")
    times = np.array(data.split(), np.float64)
    if not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise _odd(path, "its times do not rise", "leading edges in their order")
    if len(times) and max(-times[0], times[-1]) > LONGEST_RECORDING_S:
        raise _odd(path, "it has a time beyond ten days", "times of one recording")
    return times


def _odd(path: Path, found: str, expected: str) -> UnreadableFile:
    return UnreadableFile(path, found, expected=expected, todo=_TODO)
