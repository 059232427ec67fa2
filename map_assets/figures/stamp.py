"""What a drawing says of itself: session, figure and the hash of its data, in the file's own metadata. Drawing lives in `drawing`."""

from __future__ import annotations

import html
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from map_assets.figures.drawing import Drawing

AnyDrawing = TypeVar("AnyDrawing", bound=Drawing)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(_SIGNATURE) + 4 + 4 + 13 + 4
"""The signature and the first chunk, IHDR, whose size is fixed; text may stand anywhere behind it."""


def stamped(drawing: AnyDrawing, facts: Mapping[str, str]) -> AnyDrawing:
    """Write facts into a drawing's PNG and SVG, and into its page if it has one; nothing that is seen changes.

    Parameters
    ----------
    drawing : Drawing
        Or a `pages.Page`.
    facts : mapping of str to str
        As in ``{"session": ..., "figure": ..., "data_sha256": ...}``; ASCII. PNG holds each as a ``tEXt`` chunk, SVG as a
        ``dc:identifier`` ``name:value`` of its metadata, HTML as a ``meta`` element.

    Notes
    -----
    A figure that left the store, on a slide or in a mail, still tells which data it shows.
    """
    changes: dict[str, Any] = {"png": _in_png(drawing.png, facts), "svg": _in_svg(drawing.svg, facts)}
    page = getattr(drawing, "html", None)
    if page is not None:
        changes["html"] = _in_html(page, facts)
    return replace(drawing, **changes)


def _in_png(png: bytes, facts: Mapping[str, str]) -> bytes:
    chunks = b"".join(_chunk(name, value) for name, value in facts.items())
    return png[:_HEADER_END] + chunks + png[_HEADER_END:]


def _chunk(name: str, value: str) -> bytes:
    body = b"tEXt" + name.encode("ascii") + b"\0" + value.encode("ascii")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _in_svg(svg: bytes, facts: Mapping[str, str]) -> bytes:
    said = "".join(
        f"    <dc:identifier>{html.escape(f'{name}:{value}')}</dc:identifier>\n" for name, value in facts.items()
    )
    before, end, behind = svg.partition(b"   </cc:Work>")
    return before + said.encode() + end + behind


def _in_html(page: bytes, facts: Mapping[str, str]) -> bytes:
    said = "".join(
        f'<meta name="{html.escape(name)}" content="{html.escape(value)}">\n' for name, value in facts.items()
    )
    before, end, behind = page.partition(b"</head>")
    return before + b"\n" + said.encode() + end + behind
