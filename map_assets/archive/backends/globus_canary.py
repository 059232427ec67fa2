"""Proof, with one small file and before more is sent, that two collections check checksums. Sending more lives in `globus`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from map_assets.archive.backends.globus_served import ServedArchive, staging
from map_assets.archive.backends.globus_settings import CollectionSettings
from map_assets.archive.backends.protocol import ArchiveBlocked, Item
from map_assets.store.atomic import replacing

_GOOD_FOR_S: Final = 86_400.0
_LARGEST_BYTES: Final = 64 << 20


class Canary:
    """For each pair of collections and algorithm, once a day: a small file with its own sha256 must arrive, and the same
    with a wrong one must not.

    Parameters
    ----------
    served : ServedArchive
    """

    def __init__(self, served: ServedArchive) -> None:
        self.served = served
        self.settings = served.settings
        self._seen: dict[str, float] = {}

    def prove(self, source: CollectionSettings, items: Sequence[Item], paths: Sequence[str]) -> None:
        """Send the smallest of these files twice, unless this was done today; nothing is proved without a small one.

        Raises
        ------
        ArchiveBlocked
            If the collections do not check, or cannot.
        ArchiveNotReady
            If it has not ended yet.
        """
        settings = self.settings
        pair = f"{source.collection} {settings.destination.collection} {settings.algorithm}"
        smallest = min(range(len(items)), key=lambda n: items[n].size)
        if not settings.has_canary or settings.algorithm == "MD5" or items[smallest].size > _LARGEST_BYTES:
            return  # the manifest has no MD5 that could be sent along
        if time.time() - self._last(pair) < _GOOD_FOR_S:
            return
        item, path = items[smallest], paths[smallest]
        wrong = item.sha256[:-1] + ("0" if item.sha256[-1] != "0" else "1")
        well = self._send(f"canary {pair}", source, path, item.sha256)
        if well["status"] != "SUCCEEDED":
            verdict = self.served.verdict(well)
            if verdict.code in {"FILE_NOT_FOUND", "EXTERNAL_CHECKSUM_MISMATCH", "FILE_SIZE_CHANGED", "CANCELED"}:
                return  # the file's own fault: the transfer itself will say so
            raise ArchiveBlocked(
                f"Collections {source.collection} and {settings.destination.collection} would not move one file with its "
                f"{settings.algorithm} ({verdict.detail}); mend that, or set algorithm = 'MD5' where they know no other."
            )
        if self._send(f"canary wrong {pair}", source, path, wrong)["status"] == "SUCCEEDED":
            raise ArchiveBlocked(
                f"Collections {source.collection} and {settings.destination.collection} took a file with a wrong "
                f"{settings.algorithm} and called it well: they do not check. Nothing is sent; ask their administrators."
            )
        self._note(pair)

    def _send(self, key: str, source: CollectionSettings, path: str, sha256: str) -> dict[str, str]:
        destination = self.settings.destination
        submission, ended = self.served.errands.run(
            key,
            source,
            destination,
            lambda submission: [(path, destination.at(staging(submission) / "canary"), sha256)],
            "prove that checksums are checked",
        )
        self.served.client.remove_folder(destination, staging(submission))
        return dict(ended)

    @property
    def _record(self) -> Path:
        return self.settings.records / "canaries.json"

    def _last(self, pair: str) -> float:
        if pair not in self._seen:
            self._seen |= self._kept()
        return self._seen.get(pair, 0.0)

    def _kept(self) -> dict[str, float]:
        try:
            found = json.loads(self._record.read_text(encoding="utf-8"))
            return {str(pair): float(at) for pair, at in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}  # a canary more does no harm

    def _note(self, pair: str) -> None:
        self._seen = self._kept() | {pair: time.time()}
        with replacing(self._record) as part:
            part.write_text(json.dumps(self._seen), encoding="utf-8")
