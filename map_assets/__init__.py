"""map_assets: a neurophysiology laboratory's asset graph, from rig files to validated, queryable, publishable data."""

__version__ = "0.1.0"
