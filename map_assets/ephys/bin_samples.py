"""Samples of a ``.bin`` of any stream, read piece by piece. What its channels are is told in `spikeglx_bin` and `nidq`.

The file is read, not mapped into memory: on a share that goes away, or in a file that someone shortens, a map ends the
whole process, and a read ends in an error that names the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import ChangedWhileRead, PiecesDoNotFit, UnreadableFile

_BYTES = 2


@dataclass(frozen=True)
class BinSamples:
    """A file of int16 samples that is sliced by its rows as an array is; every slice is read anew.

    Parameters
    ----------
    path : pathlib.Path
    shape : tuple of int
        Samples and saved channels.
    """

    path: Path
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Size of the file, B."""
        return _BYTES * self.shape[0] * self.shape[1]

    def __getitem__(self, rows: slice) -> NDArray[np.int16]:
        """Read rows, shape (n, n_channels).

        Raises
        ------
        ChangedWhileRead
            If they are not there any more.
        UnreadableFile
            If the file cannot be read.
        """
        first, stop, step = rows.indices(self.shape[0])
        n_channels = self.shape[1]
        n_values = max(0, stop - first) * n_channels
        try:
            values = np.fromfile(self.path, "<i2", n_values, offset=first * n_channels * _BYTES)
        except FileNotFoundError as error:
            raise self._changed("it is not there any more") from error
        except OSError as error:
            raise UnreadableFile(
                self.path, f"it cannot be read ({error})", expected="a readable .bin file", todo="Copy it again."
            ) from error
        if len(values) != n_values:
            raise self._changed(f"it ends before sample {stop}")
        return values.reshape(-1, n_channels)[::step]

    def _changed(self, found: str) -> ChangedWhileRead:
        return ChangedWhileRead(
            self.path,
            found,
            expected=f"its {self.nbytes} bytes to the end",
            todo="It is read again once it stands still.",
        )


def open_samples(path: Path, n_channels: int) -> BinSamples:
    """Open a ``.bin`` of `n_channels` saved channels; nothing of it is read yet.

    Raises
    ------
    UnreadableFile
        If it is not there.
    PiecesDoNotFit
        If its size is no whole number of samples.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableFile(
            path, f"it cannot be opened ({error})", expected="a readable .bin file", todo="Copy it again."
        ) from error
    if n_channels < 1 or size % (_BYTES * n_channels):
        raise PiecesDoNotFit(
            path,
            f"its {size} bytes are no whole number of samples of {n_channels} channels",
            expected=f"a multiple of {_BYTES * n_channels} bytes, as the .meta beside it has it",
            todo="Copy the .bin and its .meta from the acquisition computer again.",
        )
    return BinSamples(path, (size // (_BYTES * n_channels), n_channels))
