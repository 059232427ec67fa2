"""A lab member's own analysis, in a package of their own: `analysis` declares one. How it is run lives in `defs.grafts`.

What such a package needs can be imported from here; nothing here knows Dagster.
"""

from map_assets.figures.drawing import Drawing, NotApplicable, drawn
from map_assets.figures.pages import Page, page
from map_assets.graft.declare import Claim, Graft, GraftDoesNotFit, Script, analysis, by_script
from map_assets.graft.door import open_private
from map_assets.vocabulary.table import SESSION, Column, Table, Verdict, flag, instant, many, real, text, whole

__all__ = [
    "SESSION",
    "Claim",
    "Column",
    "Drawing",
    "Graft",
    "GraftDoesNotFit",
    "NotApplicable",
    "Page",
    "Script",
    "Table",
    "Verdict",
    "analysis",
    "by_script",
    "drawn",
    "flag",
    "instant",
    "many",
    "open_private",
    "page",
    "real",
    "text",
    "whole",
]
