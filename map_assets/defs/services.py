"""What the stages and sensors of one laboratory work with: store, ledger, registry and archive, opened from the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from map_assets.config import Config
from map_assets.store import Store
from map_assets.vocabulary.subject import Laboratory

if TYPE_CHECKING:
    from map_assets.archive.backends.protocol import ArchiveBackend
    from map_assets.archive.journal import Journal
    from map_assets.archive.removal_approval import Desk
    from map_assets.archive.removal_policy import ShareRoot
    from map_assets.lab.registry import Registry
    from map_assets.lab.sorting_choices import SortingChoices
    from map_assets.lab.tracing_corrections import TracingCorrections
    from map_assets.shares.ledger import Ledger
    from map_assets.shares.share import Share


@dataclass(frozen=True)
class Services:
    """The laboratory's services; each is opened at its first use."""

    config: Config

    @cached_property
    def store(self) -> Store:
        """Tables and files."""
        return Store(self.config.store.root)

    @cached_property
    def ledger(self) -> Ledger:
        """What was found on the shares and what became of it."""
        from map_assets.shares.ledger import Ledger

        return Ledger(self.config.registry.url)

    @cached_property
    def registry(self) -> Registry:
        """What people entered."""
        from map_assets.lab.registry import Registry

        return Registry(self.config.registry.url)

    @cached_property
    def sorting_choices(self) -> SortingChoices:
        """Which sortings people said are to be used."""
        from map_assets.lab.sorting_choices import SortingChoices

        return SortingChoices(self.registry)

    @cached_property
    def tracing_corrections(self) -> TracingCorrections:
        """Corrections of tracings that people reviewed."""
        from map_assets.lab.tracing_corrections import TracingCorrections

        return TracingCorrections(self.registry)

    @cached_property
    def archive(self) -> ArchiveBackend:
        """Where raw data go."""
        from map_assets.archive.backends.choice import open_backend, refuse_overlap
        from map_assets.archive.identity import Identities

        archive = self.config.archive
        mount = archive.root if archive.backend == "folder" else None
        if archive.backend == "globus" and archive.globus is not None:
            mount = archive.globus.destination.mount
        if mount is not None:
            refuse_overlap(mount, {share.name: share.path for share in self.shares})
        known = Identities(self.journal)
        return open_backend(archive.backend, archive.root, s3=archive.s3, globus=archive.globus, known=known)

    @cached_property
    def journal(self) -> Journal:
        """Every step of every file on its way into the archive and off its share."""
        from map_assets.archive.journal import Journal

        return Journal(self.config.registry.url)

    @cached_property
    def removal_desk(self) -> Desk:
        """What decisions about removal rest on."""
        from map_assets.archive.removal_approval import Desk
        from map_assets.archive.removal_records import RemovalRecords

        records = RemovalRecords(self.config.registry.url)
        return Desk(self.journal, records, (self.archive,), self.config.archive.removal)

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """The shares, in the order of the configuration."""
        from map_assets.shares.share import Share

        return tuple(
            Share(name, found.kind, found.path, found.rig, found.settle_s, found.marker)
            for name, found in self.config.shares.items()
        )

    @property
    def share_roots(self) -> dict[str, ShareRoot]:
        """The shares with the markers that the configuration names, as removal knows them for themselves."""
        from map_assets.archive.removal_policy import ShareRoot

        return {name: ShareRoot(name, share.path, share.marker) for name, share in self.config.shares.items()}

    @property
    def laboratory(self) -> Laboratory:
        """Who publishes."""
        return Laboratory(self.config.lab.name, self.config.lab.institution)
