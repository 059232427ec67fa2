"""Where tables and files live: one Parquet file per table and session, replaced atomically, old versions kept."""

from map_assets.store.atomic import replacing
from map_assets.store.store import Store, Version

__all__ = ["Store", "Version", "replacing"]
