"""Tables are made anew when a person asks for it, though nothing that they rest on has changed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_laboratory import Terminal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "publication"))
from publishing_laboratory import BEHAVIOR_ONLY, make_laboratory


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A laboratory in which nothing is due for the session."""
    lab = Terminal(make_laboratory(tmp_path_factory.mktemp("again") / "lab"))
    lab("ingest", BEHAVIOR_ONLY)
    return lab


def test_a_damaged_file_stays_until_it_is_asked_for_again(
    lab: Terminal, tmp_path: Path, one_sentence: Callable[[str], str]
) -> None:
    standing = lab.services.store.file_path("nwb", BEHAVIOR_ONLY, ".nwb")
    with standing.open("r+b") as file:  # its name in the history is the same file
        file.write(b"x")
    to = ("--to", str(tmp_path))
    lab("ingest", BEHAVIOR_ONLY)
    assert "--again nwb_file" in one_sentence(lab("export", "nwb", BEHAVIOR_ONLY, *to, code=1).err)
    lab("ingest", BEHAVIOR_ONLY, "--again", "nwb_file")
    lab("export", "nwb", BEHAVIOR_ONLY, *to)


@pytest.mark.parametrize(
    ("words", "said"),
    [((BEHAVIOR_ONLY, "--again", "nothing"), "No stage makes nothing"), (("--again", "units"), "Name the sessions")],
)
def test_what_cannot_be_made_again_is_said(
    lab: Terminal, one_sentence: Callable[[str], str], words: tuple[str, ...], said: str
) -> None:
    assert said in one_sentence(lab("ingest", *words, code=1).err)
