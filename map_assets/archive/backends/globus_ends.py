"""What the end of a Globus task left, file by file: what arrived is named, what did not is explained. Asking for tasks lives in `globus`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Self

from map_assets.archive.backends.globus_served import ServedArchive, staging
from map_assets.archive.backends.globus_sources import changed, not_to_be_sent
from map_assets.archive.backends.globus_verdicts import CHANGED, FULL, Document, Verdict, files_named
from map_assets.archive.backends.protocol import ArchiveBlocked, Item, NotInArchive
from map_assets.archive.reading import read_once
from map_assets.vocabulary.errors import BadInput, MapAssetsError

if TYPE_CHECKING:
    from map_assets.archive.backends.globus import GlobusArchive

_HASHED_AT_ONCE_BYTES: Final = 1 << 30
_CHECKSUMS: Final = frozenset({"EXTERNAL_CHECKSUM_MISMATCH", "VERIFY_CHECKSUM"})
_DENIED: Final = frozenset({"PERMISSION_DENIED", "INVALID_PATH_NAME"})
_NO_TASK: Final = "-"


class TransferFailed(MapAssetsError):
    """Globus could not move this file; it may be tried again."""


@dataclass
class Part:
    """The files of a submission that one task moves."""

    submission: str
    task: str
    items: list[Item]

    def staged(self, item: Item) -> PurePosixPath:
        """Where a file stands in the archive until it gets its name."""
        place = hashlib.sha256(str(item.archive_path).encode()).hexdigest()
        return staging(self.submission) / f"{item.sha256[:16]}-{place[:16]}"


@dataclass
class End:
    """One task, as Globus tells of it now."""

    part: Part
    archive: GlobusArchive
    served: ServedArchive
    document: Document
    verdict: Verdict
    has_left: bool = False
    _sent: dict[str, Document] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, part: Part, archive: GlobusArchive, served: ServedArchive) -> Self:
        """Ask for a part's task."""
        if part.task == _NO_TASK:
            return cls(part, archive, served, {}, Verdict("succeeded", ""))
        try:
            document = served.client.task(part.task)
        except NotInArchive:
            detail = f"Globus does not know task {part.task} any more; its files are asked for again."
            return cls(part, archive, served, {}, Verdict("failed", detail, "UNKNOWN"))
        return cls(part, archive, served, document, served.verdict(document))

    @property
    def is_full(self) -> bool:
        """Whether the archive has no room."""
        return self.verdict.code in FULL

    def count(self, name: str) -> int:
        """Return a count of the task's document; 0 where there is none."""
        value = self.document.get(name)
        return value if isinstance(value, int) else 0

    def take_in(self, failed: dict[str, MapAssetsError], claims: dict[str, str]) -> None:
        """Give what arrived its names; what is known not to be there goes to `failed`, what Globus claims to `claims`.

        Of a task that ended well every file with its size is taken, listed or not; of another, those that it lists as
        moved whole. Either way they are read back later.
        """
        if not self.part.items:
            return None
        if not self.verdict.is_over:
            return self._stand_already(failed) if self.part.task == _NO_TASK else None
        archive, destination = self.archive, self.archive.settings.destination
        self._sent = self._listed()
        staged = {name: size for name, is_folder, size in
                  archive.client.entries(destination, staging(self.part.submission)) if not is_folder}  # fmt: skip
        self.has_left = True
        blamed = self._blamed()
        arrived: list[tuple[PurePosixPath, Item]] = []
        for item in self.part.items:
            place, own = str(item.archive_path), self.part.staged(item)
            size, claim = staged.get(own.name), (self._sent or {}).get(destination.at(own))
            if claim is not None and claim.get("checksum"):
                claims[place] = f"{str(claim.get('checksum_algorithm') or '').lower()}:{claim['checksum']}"
            if size == item.size and (claim is not None or self.verdict.state == "succeeded"):
                arrived.append((own, item))
            else:
                error = self._missing(item, size, blamed.get(place, ""), was_sent=claim is not None)
                if error is not None:
                    failed[place] = error
        for (_, item), conflict in zip(arrived, archive.name_all(arrived), strict=True):
            if conflict is not None:
                failed[str(item.archive_path)] = conflict
        archive.make_durable(self.part.items)
        return None

    # -- inside ------------------------------------------------------------------------------------------------------------
    def _stand_already(self, failed: dict[str, MapAssetsError]) -> None:
        for item in self.part.items:
            size = self.archive.stat(item.archive_path)
            error = not_to_be_sent(item) if size is None else self.archive.conflict(item, size)
            if error is not None:
                failed[str(item.archive_path)] = error

    def _listed(self) -> dict[str, Document] | None:
        """What Globus says it moved, by path in the archive's collection; None where it does not say."""
        if self.document.get("history_deleted"):
            return None
        try:
            return {str(one.get("destination_path")): one for one in self.served.client.successes(self.part.task)}
        except (NotInArchive, ArchiveBlocked):
            return None

    def _blamed(self) -> dict[str, str]:
        """Codes of the files that skipped errors or events name, by archive path."""
        if self.verdict.state == "succeeded" and not self.document.get("faults"):
            return {}
        sources = {self.archive.source_path(item): str(item.archive_path) for item in self.part.items}
        places = self.archive.settings.destination
        staged = {places.at(self.part.staged(item)): str(item.archive_path) for item in self.part.items}
        found = files_named(self.served.client.events(self.part.task), sources | staged)
        if self.count("subtasks_skipped_errors"):
            for one in self.served.client.skipped(self.part.task):
                place = sources.get(str(one.get("source_path")))
                if place is not None:
                    found[place] = str(one.get("error_code") or "SKIPPED")
        return found

    def _missing(self, item: Item, staged_size: int | None, code: str, *, was_sent: bool) -> MapAssetsError | None:
        """Explain a file that did not arrive whole; None where it stands already, or where the task's end says enough."""
        if staged_size is None:
            size = self.archive.stat(item.archive_path)
            if size is not None:  # named at an earlier look, or there before
                is_ours = was_sent and size == item.size
                return None if is_ours else self.archive.conflict(item, size)
        elif not code and staged_size != item.size:
            code = "FILE_SIZE_CHANGED" if self.verdict.state == "succeeded" else ""
        source_error: MapAssetsError | None = not_to_be_sent(item)
        if source_error is None and not code and self.verdict.state != "succeeded":
            return None
        if code in FULL and self.verdict.state == "blocked":
            return None
        source_error = source_error or self._source(item, code)
        if source_error is not None:
            return source_error
        told = f"Globus task {self.part.task} did not bring {item.path} of share {item.share!r} ({code or 'not there'})"
        if code in _DENIED:
            return ArchiveBlocked(
                f"{told}; give the client the right to read it, or rename it, and let it be tried again."
            )
        return TransferFailed(f"{told}; it is tried again.")

    def _source(self, item: Item, code: str) -> MapAssetsError | None:
        """Say what is wrong with a source file, where that is why it did not arrive."""
        if code in CHANGED and self.verdict.code == "CANCELED":
            return changed(item, "Globus saw it change again and again")
        if code in _CHECKSUMS and item.size <= _HASHED_AT_ONCE_BYTES:
            found = hashlib.sha256()
            try:
                read_once(item.source, found.update)
            except BadInput as error:
                return error
            if found.hexdigest() != item.sha256:
                return changed(item, f"it now has sha256 {found.hexdigest()}")
        return None
