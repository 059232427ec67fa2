"""A session's raw binaries: which file holds a probe's band, and whether all of it is there. What is computed of them lives in `waveforms` and `lfp`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from map_assets.ephys.probe_number import probe_of
from map_assets.ephys.spikeglx_bin import WHOLE, BinFile, open_bin
from map_assets.ephys.spikeglx_gains import channel_counts, saved_channels
from map_assets.ephys.spikeglx_meta import Meta
from map_assets.vocabulary.errors import CompanionMissing
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.session import SessionKey

AP, LF = ".ap.bin", ".lf.bin"
_CATGT = "_tcat."
_FILTERED = re.compile(r"-(aphipass|apfilter|gblcar|gbldmx|loccar)", re.IGNORECASE)
"""CatGT's options that take the slow part out of an AP band."""


@dataclass(frozen=True)
class RawPair:
    """A binary and the meta file beside it."""

    bin: FoundFile
    meta: FoundFile


@dataclass(frozen=True)
class RawFiles:
    """One session's meta files and the binaries that stand beside one, by share and path."""

    animal: str
    metas: tuple[FoundFile, ...]
    pairs: tuple[RawPair, ...]

    def meta_of(self, recording: dict[str, Any]) -> FoundFile | None:
        """Return the meta file that a row of `recordings` was read from."""
        relpath = PurePosixPath(recording["meta_file"])
        return next((meta for meta in self.metas if meta.relpath == relpath), None)

    def recorded(self, recording: dict[str, Any]) -> RawPair | None:
        """Return the AP band that a row of `recordings` describes: what the sorter read; None where it is not there."""
        meta = self.meta_of(recording)
        return next((pair for pair in self.pairs if pair.meta == meta), None)

    def of_probe(self, probe: int, ending: str) -> list[RawPair]:
        """Return a probe's pairs with that ending, CatGT's output first, then by path."""
        found = [pair for pair in self.pairs if pair.bin.relpath.name.lower().endswith(ending)]
        found = [pair for pair in found if probe_of(pair.bin.relpath, self.animal) == probe]
        return sorted(found, key=lambda pair: (_CATGT not in pair.bin.relpath.name, pair.bin.relpath.as_posix()))


def pair_files(session: str, files: Sequence[FoundFile], ending: str) -> tuple[RawFiles, tuple[Rejected, ...]]:
    """Lay binaries and meta files together.

    Parameters
    ----------
    session : str
        Session key.
    files : sequence of FoundFile
        The session's files; those with the roles ``spikeglx_bin`` and ``spikeglx_meta`` count.
    ending : str
        `AP` or `LF`: which binaries are refused where no meta file stands beside them.

    Returns
    -------
    raw : RawFiles
    rejected : tuple of Rejected
        Binaries with that ending that wait for their meta file.
    """
    ordered = sorted(files, key=lambda file: (file.share, file.relpath.as_posix()))
    metas = {(file.share, file.relpath): file for file in ordered if file.role == "spikeglx_meta"}
    pairs, rejected = [], []
    for file in ordered:
        if file.role != "spikeglx_bin":
            continue
        meta = metas.get((file.share, file.relpath.with_suffix(".meta")))
        if meta is not None:
            pairs.append(RawPair(file, meta))
        elif file.relpath.name.lower().endswith(ending):
            rejected.append(Rejected((file,), _lonely(file)))
    return RawFiles(SessionKey.parse(session).animal, tuple(metas.values()), tuple(pairs)), tuple(rejected)


def holds_slow_part(meta: Meta) -> bool:
    """Whether an AP band holds the field potential too.

    It does on probes that have no LF band of their own (``acqApLfSy``), unless CatGT has filtered the band or taken the
    common signal out of it. A meta file that does not count the acquired channels leaves it open, which is no yes.

    Raises
    ------
    UnreadableFile
        If that count is no three numbers.
    """
    if meta.text("acqApLfSy") is None:
        return False
    commands = " ".join(value for key, value in meta.values.items() if key.startswith("catGTCmdline"))
    return channel_counts(meta, "acqApLfSy").lf == 0 and _FILTERED.search(commands) is None


def acquired_channels(meta: Meta) -> NDArray[np.int64]:
    """Number the saved AP and LF channels as the probe does, in file order; a contact's AP and LF channel have one number.

    Returns
    -------
    numpy.ndarray of int, shape (n_ap + n_lf,)

    Raises
    ------
    UnreadableFile
        If the meta file does not tell which channels were saved.
    PiecesDoNotFit
        If it names more or fewer than it counts.
    """
    acquired = channel_counts(meta, "acqApLfSy")
    saved = saved_channels(meta)
    saved = saved[saved < acquired.ap + acquired.lf]
    return np.asarray(np.where(saved < acquired.ap, saved, saved - acquired.ap), np.int64)


def open_whole(pair: RawPair) -> BinFile:
    """Open a binary of which all is there.

    Raises
    ------
    CompanionMissing
        If SpikeGLX has not closed it, or the rest of it has still to be copied.
    BadInput
        As in `spikeglx_bin.open_bin`.
    """
    opened = open_bin(pair.bin.path, pair.meta.path)
    if opened.state != WHOLE:
        raise CompanionMissing(
            pair.bin.path,
            f"it is not all there ({opened.state}, {opened.samples.nbytes} bytes so far)",
            expected=f"as many bytes as {pair.meta.relpath.name} names when the recording is closed",
            todo="Let the copy finish, or copy it again; it is then read.",
        )
    return opened


def _lonely(file: FoundFile) -> CompanionMissing:
    return CompanionMissing(
        file.path,
        "no meta file stands beside it",
        expected=file.relpath.with_suffix(".meta").name,
        todo="Copy that file there; this one is then read.",
    )
