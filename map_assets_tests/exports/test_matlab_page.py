"""The page about MATLAB names all that stands in a file, and nothing else as a variable."""

from __future__ import annotations

import re
from pathlib import Path

from export_session import ExportSession

from map_assets.exports.mat import make_mat

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "matlab.md").read_text()
OWN_NAMES = {"neuron_unit_quality_control", "tracking"}  # their fields go by the columns of other tables


def test_the_page_lists_the_variables_and_no_other(made: ExportSession) -> None:
    table = PAGE.partition("## Variables")[2].partition("A camera has")[0]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {name for cell in firsts for name in re.findall(r"`(\w+)`", cell)}
    assert listed == set(make_mat(made.key, 1, made.tables))


def test_the_page_names_the_fields_of_every_struct(made: ExportSession) -> None:
    variables = make_mat(made.key, 1, made.tables)
    structs = {name: value for name, value in variables.items() if isinstance(value, dict) and name not in OWN_NAMES}
    assert len(structs) == 4
    missing = [f"{name}.{field}" for name, value in structs.items() for field in value if f"`{field}`" not in PAGE]
    assert missing == []
    side = variables["tracking"]["camera_0_side"]
    assert [field for field in side if f"`{field}`" not in PAGE and not field.startswith("tongue")] == []
