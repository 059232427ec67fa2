"""The page of questions: every block of it runs, and answers."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sized
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "questions.md"
SECTION = re.compile(r"^(#{1,2} .*)$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, list[tuple[str, str]]]:
    """Blocks, each a language and a text, by the heading that they stand under."""
    parts = SECTION.split(PAGE.read_text())
    return {title.strip("# "): BLOCK.findall(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)}


ASKED = {title: blocks for title, blocks in sections().items() if blocks}
QUESTIONS = [title for title in ASKED if title != "Thirty questions"]


@pytest.fixture(scope="module")
def lab_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configuration of the laboratory that is asked."""
    spec = importlib.util.spec_from_file_location("question_lab", Path(__file__).with_name("question_lab.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build(tmp_path_factory.mktemp("questions"))[0]


@pytest.fixture
def page(lab_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's first block gives, in a folder of its own."""
    monkeypatch.setenv("MAP_ASSETS_CONFIG", str(lab_file))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    ((_, opening),) = ASKED["Thirty questions"]
    exec(opening, names)
    return names


def answers(code: str, names: dict[str, Any]) -> list[Any]:
    """Run a block and give the value of each of its lines that is an expression."""
    found = []
    for node in ast.parse(code).body:
        if isinstance(node, ast.Expr):
            found.append(eval(compile(ast.Expression(node.value), "questions.md", "eval"), names))
        else:
            exec(compile(ast.Module([node], []), "questions.md", "exec"), names)
    return found


def test_there_are_thirty_questions_and_each_has_an_answer() -> None:
    numbers = [int(title.partition(".")[0]) for title in QUESTIONS if title[0].isdigit()]
    assert numbers == list(range(1, 31))


@pytest.mark.parametrize("title", QUESTIONS)
def test_a_question_is_answered(title: str, page: dict[str, Any]) -> None:
    for language, code in ASKED[title]:
        if language == "python":
            found = answers(code, page)
        elif language == "sql":
            found = [page["lab"].sql(code)]
        else:
            continue
        assert found, "a block ends in what it asks for"
        for answer in found:
            assert not isinstance(answer, Sized) or len(answer) > 0, code


def test_every_command_on_the_page_exists() -> None:
    from typer.main import get_command

    from map_assets.cli import app

    lines = [
        line for blocks in ASKED.values() for kind, text in blocks if kind == "console" for line in text.splitlines()
    ]
    assert lines
    for line in lines:
        command, *words = line.split()
        assert command == "map-assets"
        found = get_command(app)
        for word in words[:2]:
            found = found.commands[word]


def test_the_answers_are_the_truth(page: dict[str, Any]) -> None:
    """Unit 0 prefers the right in the delay and unit 1 the left; light on its own side silences ALM."""
    lab, s = page["lab"], page["s"]
    delay = s.table("selectivity").query("period == 'delay'").set_index(["probe", "unit_id"])
    side = s.table("insertions").set_index("probe")["hemisphere"]
    for probe in (1, 2):
        assert delay.loc[(probe, 0), "effect"] > 0.8 and delay.loc[(probe, 1), "effect"] < -0.8
        expected = "contra-selective" if side[probe] == "left" else "ipsi-selective"
        assert delay.loc[(probe, 0), "selectivity"] == expected
    (row,) = answers(dict(ASKED)[next(title for title in ASKED if title.startswith("10."))][0][1], page)
    assert row["rate_hz"].iloc[50:70].mean() == pytest.approx(6.0 + 10.0, rel=0.2)  # half of the trials are right
    light = lab.table("photostim_effect").merge(lab.units(region="ALM")[["session", "probe", "unit_id"]])
    silenced = light.query("photostim_site == 'both_alm' and unit_id > 2")["change"]
    assert silenced.median() < -0.7
    ages = lab.sql(dict(ASKED)[next(title for title in ASKED if title.startswith("3."))][0][1])
    assert ages["age_days"].tolist() == [73, 74, 91, 92]


def test_traces_are_cut_around_the_first_lick(page: dict[str, Any]) -> None:
    s = page["s"]
    jaw = s.traces("jaw", event="first_lick", window=(-0.5, 1.0))
    licks = s.licks().groupby("trial")["time_s"].min()
    assert jaw["trial"].tolist() == licks.index.tolist()
    raw = s.table("tracking").query("feature == 'jaw'").set_index("trial")
    number = int(jaw["trial"].iloc[3])
    at_s = raw.loc[number, "frame_s"] - licks[number]
    is_in = (at_s >= -0.5) & (at_s < 1.0)
    np.testing.assert_allclose(jaw["time_from_event_s"].iloc[3], at_s[is_in])
    np.testing.assert_array_equal(jaw["y_px"].iloc[3], raw.loc[number, "y_px"][is_in])


OTHERS = PAGE.with_name("matlab_and_r.md")


@pytest.mark.skipif(shutil.which("octave-cli") is None, reason="GNU Octave is not on this machine")
def test_octave_counts_what_the_door_counts(page: dict[str, Any]) -> None:
    s = page["s"]
    s.to_mat(1, "exported")
    scripts = [code for language, code in BLOCK.findall(OTHERS.read_text()) if language == "matlab"]
    done = subprocess.run(["octave-cli", "--eval", "\n".join(scripts)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    left, right, psth, place = done.stdout.splitlines()
    first = int(s.units().query("probe == 1")["unit_id"].min())
    for line, side in ((left, "left"), (right, "right")):
        which = f"instruction == '{side}' and not early_lick and photostim_onset_s.isna()"
        spikes = s.aligned_spikes("go", probe=1, unit_id=first, window=(-1.2, 0.0), trials=which)
        assert line == f"{side[0]} {len(spikes)} {spikes.n_spikes.sum() / 1.2 / len(spikes):.6f}"
    n_trials, n_bins, rate = re.match(r"(\d+) trials, (\d+) bins, mean ([\d.]+) Hz", psth).groups()
    hits = s.psth(1, first, condition="outcome == 'hit' and not early_lick")
    assert (int(n_trials), int(n_bins)) == (hits.attrs["n_trials"], 150)
    assert float(rate) == pytest.approx(hits["rate_hz"].mean(), rel=0.02)  # the file holds each trial's own spikes
    assert place.partition(":")[0] == s.units().query("probe == 1")["region"].iloc[0]


def test_the_queries_that_r_asks_are_answered(page: dict[str, Any]) -> None:
    import duckdb

    code = "\n".join(code for language, code in BLOCK.findall(OTHERS.read_text()) if language == "r")
    queries = re.findall(r'dbGetQuery\(con, "(.*?)"\)', code, re.DOTALL)
    assert len(queries) == 3
    found = [duckdb.sql(query.replace("/data/store", str(page["lab"].root))).df() for query in queries]
    assert all(len(answer) for answer in found)
    np.testing.assert_allclose(found[2]["time_s"], page["s"].spike_times(1, 0), atol=1e-9)
