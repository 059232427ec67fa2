"""Every notebook is text without outputs, and runs from top to bottom."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from percent import read_percent

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
PICTURES = {"overview": 1, "behavior": 2, "ephys": 2, "histology": 2, "export": 0, "your_own_analysis": 1}


def test_the_notebooks_are_those_that_are_written_about() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(PICTURES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_text_that_jupyter_opens(path: Path) -> None:
    notebook = read_percent(path)
    nbformat.validate(notebook)
    assert "format_name: percent" in path.read_text().partition("# ---\n\n")[0]
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert all(cell.source for cell in notebook.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(
    path: Path, notebook_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAP_ASSETS_CONFIG", str(notebook_lab))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = read_percent(path)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= PICTURES[path.stem]
    assert not [name for name in tmp_path.iterdir() if name.name == "data"]


def test_a_text_cell_that_is_no_comment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text("# ---\n# x\n# ---\n\n# %% [markdown]\n# fine\nnot fine\n")
    with pytest.raises(ValueError, match="not fine"):
        read_percent(path)
