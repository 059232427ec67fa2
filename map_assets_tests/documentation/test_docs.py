"""The documents are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from map_assets.catalog import markdown

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [
    CHECKOUT / "README.md",
    CHECKOUT / "CONTRIBUTING.md",
    CHECKOUT / "CHANGELOG.md",
    *(CHECKOUT / "docs").rglob("*.md"),
]


def test_the_page_of_tables_is_what_the_code_declares() -> None:
    assert (CHECKOUT / "docs" / "tables.md").read_text() == markdown(), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_every_command_in_the_readme_is_one_that_exists() -> None:
    from typer.main import get_command

    from map_assets.cli import app

    commands = set(get_command(app).commands)
    used = set(re.findall(r"^map-assets ([a-z]+)", (CHECKOUT / "README.md").read_text(), re.MULTILINE))
    assert used
    assert used <= commands


def test_every_make_target_in_the_readme_is_one_that_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        used = set(re.findall(r"`make ([a-z]+)|^make ([a-z]+)", page.read_text(), re.MULTILINE))
        assert {name for pair in used for name in pair if name} <= targets, page


def test_the_readme_is_about_the_real_configuration() -> None:
    import tomllib

    from map_assets.config import Config

    block = re.search(r"```toml\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    assert Config(**tomllib.loads(block[1])).shares["rig1"].rig == "RRig2"
