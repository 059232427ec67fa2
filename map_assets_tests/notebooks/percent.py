"""Text notebooks: a percent-format file as the notebook that Jupyter would open."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

_CELL = re.compile(r"^# %%(?P<kind> \[markdown\])?$", re.MULTILINE)


def read_percent(path: Path) -> nbformat.NotebookNode:
    """Read a percent-format file; a cell is all that follows its ``# %%``, text is commented out.

    Raises
    ------
    ValueError
        If a line of a text cell is no comment.
    """
    _, _, body = path.read_text("utf-8").partition("# ---\n\n")
    marks = [*_CELL.finditer(body)]
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        text = body[mark.end() : None if following is None else following.start()].strip("\n")
        if mark["kind"]:
            lines = text.split("\n")
            wrong = [line for line in lines if not (line == "#" or line.startswith("# "))]
            if wrong:
                raise ValueError(f"{path.name}: {wrong[0]!r} stands in a text cell and is no comment")
            notebook.cells.append(nbformat.v4.new_markdown_cell("\n".join(line[2:] for line in lines)))
        else:
            notebook.cells.append(nbformat.v4.new_code_cell(text))
    return notebook
