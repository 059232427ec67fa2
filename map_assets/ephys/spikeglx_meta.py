"""The keys of one SpikeGLX ``.meta`` file, as text and as numbers. What they say of a probe is read in `spikeglx`.

Format: lines of ``key=value``, tables as ``~key=(header)(entry)(entry)...``
(https://billkarsh.github.io/SpikeGLX/Sgl_help/Metadata_30.html).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.files import unchanged

_TODO = "Copy the .meta file from the acquisition computer again."
_LARGEST_WHOLE = 2.0**53
"""A float counts no further one by one."""
_HIGHEST_RATE_HZ = 1e8
_GROUP = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True)
class Meta:
    """A meta file's keys, as text.

    Parameters
    ----------
    path : pathlib.Path
    values : mapping of str to str
        Exactly as written; a key that is written ``~key`` is found under ``key``, too.
    """

    path: Path
    values: Mapping[str, str]

    def text(self, *keys: str) -> str | None:
        """Return the first of `keys` that is there and not empty, or None."""
        return next((self.values[key] for key in keys if self.values.get(key)), None)

    def need(self, *keys: str) -> str:
        """Return the first of `keys` that is there and not empty.

        Raises
        ------
        UnreadableFile
            If none is.
        """
        found = self.text(*keys)
        if found is None:
            raise UnreadableFile(self.path, f"it has no {' or '.join(keys)}", expected="a whole meta file", todo=_TODO)
        return found

    def number(self, *keys: str) -> float:
        """Return the first of `keys` as a finite number.

        Raises
        ------
        UnreadableFile
            If none is there, or it is no number.
        """
        found = self.need(*keys)
        try:
            value = float(found)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.odd(f"{keys[0]} is {found!r}", "a number")
        return value

    def whole(self, *keys: str) -> int:
        """Return the first of `keys` as a whole number; errors as in `number`."""
        value = self.number(*keys)
        if value != int(value) or abs(value) >= _LARGEST_WHOLE:
            raise self.odd(f"{keys[0]} is {value}", "a whole number")
        return int(value)

    def rate_hz(self, key: str) -> float:
        """Return a sample rate, Hz; errors as in `number`, and if it is none that a recording has."""
        value = self.number(key)
        if not 1 <= value <= _HIGHEST_RATE_HZ:
            raise self.odd(f"{key} is {value}", "a rate in Hz")
        return value

    def table(self, key: str) -> list[str]:
        """Return a table's header and entries without their brackets; empty if the file has no such table."""
        return _GROUP.findall(self.values.get(key, ""))

    def odd(self, found: str, expected: str) -> UnreadableFile:
        """Make the error that says what is wrong with the file."""
        return UnreadableFile(self.path, found, expected=expected, todo=_TODO)


def read_meta(path: Path) -> Meta:
    """Read a meta file's keys; each line is split at its first ``=``.

    Raises
    ------
    UnreadableFile
        If it is no text of ``key=value`` lines.
    ChangedWhileRead
        If it was written to meanwhile.
    """
    with unchanged(path):
        data = path.read_bytes()
    lines = data.decode("utf-8", errors="replace").splitlines()
    pairs = [(key.strip(), value.strip()) for key, equals, value in (line.partition("=") for line in lines) if equals]
    values = dict(pairs)
    if b"\0" in data or not values.keys() & {"typeThis", "nSavedChans", "fileName"}:
        raise UnreadableFile(path, "it is no SpikeGLX meta file", expected="lines of key=value", todo=_TODO)
    return Meta(path, {**{key.lstrip("~"): value for key, value in pairs if key.startswith("~")}, **values})
