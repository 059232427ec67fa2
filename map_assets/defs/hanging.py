"""How a figure's stage ends: the drawing put into the store and onto the asset's page, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from map_assets.defs.stage import Made, Work
from map_assets.defs.work import digest_of
from map_assets.figures.drawing import Drawing, NotApplicable
from map_assets.figures.pages import Page
from map_assets.figures.stamp import stamped
from map_assets.vocabulary.table import Table


def hang(work: Work, table: Table, drawn: Drawing | NotApplicable, inputs: tuple[str, ...]) -> Made:
    """Put a drawing into the store and say where it hangs, or why there is none."""
    digest = digest_of(work.session, work.services, inputs)
    row: dict[str, object] = {"session": work.session, "data_sha256": digest}
    if isinstance(drawn, NotApplicable):
        row |= {"status": "not applicable", "reason": drawn.reason}
        return Made({table.name: table.from_rows([row])}, notes={"not applicable": drawn.reason})
    drawn = stamped(drawn, {"session": work.session, "figure": table.name, "data_sha256": digest})
    store = work.services.store
    png = store.write_file(table.name, work.session, ".png", _writer(drawn.png))
    svg = store.write_file(table.name, work.session, ".svg", _writer(drawn.svg))
    row |= {
        "status": "drawn",
        "png_file": png.path.relative_to(store.root).as_posix(),
        "svg_file": svg.path.relative_to(store.root).as_posix(),
        "png_bytes": png.n_bytes,
    }
    if isinstance(drawn, Page):
        html = store.write_file(table.name, work.session, ".html", _writer(drawn.html))
        row |= {"html_file": html.path.relative_to(store.root).as_posix()}
    return Made({table.name: table.from_rows([row])}, pictures={table.name: drawn.png})


def _writer(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write
