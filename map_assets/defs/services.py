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
    from map_assets.lab.registry import Registry
    from map_assets.lab.sorting_choices import SortingChoices
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
    def archive(self) -> ArchiveBackend:
        """Where raw data go."""
        from map_assets.archive.backends.choice import open_backend

        return open_backend(self.config.archive.backend, self.config.archive.root)

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """The shares, in the order of the configuration."""
        from map_assets.shares.share import Share

        return tuple(
            Share(name, found.kind, found.path, found.rig, found.settle_s, found.marker)
            for name, found in self.config.shares.items()
        )

    @property
    def laboratory(self) -> Laboratory:
        """Who publishes."""
        return Laboratory(self.config.lab.name, self.config.lab.institution)
