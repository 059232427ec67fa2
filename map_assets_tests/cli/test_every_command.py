"""Every command explains itself, and the page about the terminal is true."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from map_assets.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def walk(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, below in command.commands.items():
        yield from walk(below, f"{name} {word}".strip())


COMMANDS = dict(walk(get_command(app)))


def test_the_commands_are_those_of_this_version() -> None:
    assert set(COMMANDS) == {
        *("demo", "simulate", "up", "ingest", "status", "sessions", "show", "tables", "query", "config"),
        *("export mat", "export viewer", "export nwb"),
        *("quarantine list", "quarantine show", "quarantine retry", "quarantine release"),
        *("registry import", "registry check", "registry history", "registry undo"),
        *("new-analysis", "graft list", "graft run", "graft check", "graft promote"),
        *("archive status", "archive verify", "archive plan", "archive approve", "archive remove", "archive hold"),
        *("archive lift", "archive retry", "archive revoke", "archive register", "archive retrieve"),
        *("histology list", "histology changes", "histology correct", "histology review", "histology undo"),
        *("sorting list", "sorting choose", "sorting undo", "sorting log", "sorting changes"),
        *("release create", "release list", "release verify", "release fetch", "release approve", "release doi"),
        *("dandi layout", "dandi upload", "dandi list", "dandi try"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_one_sentence_what_it_does(name: str) -> None:
    said = COMMANDS[name].help.strip()
    assert said.endswith(".")
    assert "\n" not in said
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "500"})
    assert shown.exit_code == 0
    assert said in shown.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_says_what_it_is_for(name: str) -> None:
    silent = [
        param.name for param in COMMANDS[name].params if param.name != "help" and not getattr(param, "help", None)
    ]
    assert silent == []


def test_the_page_has_a_section_for_every_command_and_for_no_other() -> None:
    assert set(re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)) == set(COMMANDS)


def examples() -> list[tuple[str, str]]:
    sections = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    pairs = zip(sections[::2], sections[1::2], strict=True)
    return [(name, line) for name, text in pairs for line in re.findall(r"^map-assets .+$", text, re.MULTILINE)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    assert any(section == name for section, _ in examples())


@pytest.mark.parametrize(("name", "line"), examples())
def test_every_example_is_one_that_the_command_understands(name: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command = get_command(app)
    for word in name.split():
        assert words.pop(0) == word
        command = command.commands[word]
    command.make_context(name, words, resilient_parsing=False)
