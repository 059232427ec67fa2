"""The laboratory that the notebooks are run on."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
QUESTION_LAB = Path(__file__).parents[1] / "analyst" / "question_lab.py"


@pytest.fixture(scope="session")
def notebook_lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configuration of a laboratory with behaviour, ephys, histology, analyses, a figure and an NWB file.

    `NOTEBOOK_LAB` names another, such as the one that `make demo` leaves behind.
    """
    named = os.environ.get("NOTEBOOK_LAB")
    if named:
        return Path(named).resolve()
    spec = importlib.util.spec_from_file_location("question_lab", QUESTION_LAB)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build(tmp_path_factory.mktemp("notebooks"))[0]
