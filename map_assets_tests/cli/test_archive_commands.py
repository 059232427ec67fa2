"""Archived files are looked at, verified, planned, approved, removed and brought back from the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from small_laboratory import Answer
from typer.testing import CliRunner

from map_assets.cli import (
    archive,
    archive_mend,  # noqa: F401 - adds its commands to archive's
)
from map_assets.cli.terminal import House

sys.path.insert(0, str(Path(__file__).parents[1] / "archive"))
from removing import FILES, SESSION, SHARE, UUID, Bench

Check = Callable[[str], str]
A, B, C, M = FILES
APP = typer.Typer(cls=House)
APP.add_typer(archive.app, name="archive")


@dataclass
class Archive:
    """A person at the terminal of a laboratory with one archived session."""

    bench: Bench

    def __call__(self, *arguments: str, code: int = 0) -> Answer:
        config = str(self.bench.work / "map_assets.toml")
        done = CliRunner().invoke(APP, ["archive", *arguments], env={"MAP_ASSETS_CONFIG": config})
        answer = Answer(done.exit_code, done.stdout, done.stderr)
        assert answer.code == code, (answer, done.exception)
        return answer

    def as_another(self, *arguments: str, code: int = 0) -> Answer:
        """The same command by another user of the machine."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "getuid", lambda: 2_000_000_123)
            return self(*arguments, code=code)

    def plan(self) -> str:
        return str(self("plan", SESSION, "--json").rows[0]["plan"])


@pytest.fixture
def lab(tmp_path: Path) -> Archive:
    """A laboratory whose one session was archived a month ago."""
    bench = Bench(tmp_path, now=datetime.now(UTC) - timedelta(days=30))
    bench.record()
    bench.archive_all()
    (tmp_path / "map_assets.toml").write_text(
        f'[shares.{SHARE}]\nkind = "raw"\npath = "{SHARE}"\nmarker = "{UUID}"\n'
        f'[registry]\nurl = "{bench.url}"\n[archive]\nroot = "archive"\n[store]\nroot = "store"\n'
    )
    return Archive(bench)


def test_the_status_counts_bytes_by_where_they_stand(lab: Archive) -> None:
    (row,) = lab("status", "--json").rows
    total = sum(len(content) for content, _ in FILES.values())
    assert (row["session"], row["n_files"], row["verified_bytes"]) == (SESSION, 4, total)
    assert row["removable_bytes"] == total - len(FILES[M][0]) and row["freed_bytes"] == 0
    assert SESSION in lab("status").out


def test_from_plan_to_removal_each_step_asks_for_the_one_before(lab: Archive, one_sentence: Check) -> None:
    shown = lab("plan", SESSION, "--json")
    assert {row["path"] for row in shown.rows if row["is_removable"]} == {A, B, C}
    plan = lab.plan()
    assert f"--plan {plan}" in lab("plan", SESSION).err
    one_sentence(lab("approve", SESSION, "--plan", "0" * 16, "--because", "x", code=1).err)
    given = lab("approve", SESSION, "--plan", plan, "--because", "published", "--who", "rivera", "--json").rows
    assert len(given) == 3 and all(len(row["sha256"]) == 64 for row in given)
    rehearsed = lab.as_another("remove", SESSION, "--who", "okafor")
    assert "nothing was removed" in rehearsed.err and lab.bench.on_share() == set(FILES)
    refused = lab("remove", "--yes", "--who", "rivera", code=1)
    assert "cannot run it too" in refused.err and lab.bench.on_share() == set(FILES)
    refused = lab("remove", "--yes", "--who", "okafor", code=1)
    assert "under another name" in refused.err and lab.bench.on_share() == set(FILES)
    done = lab.as_another("remove", "--yes", "--who", "okafor", "--json").rows
    assert {row["state"] for row in done} == {"QUARANTINED"} and lab.bench.on_share() == {M}
    assert "in quarantine until" in lab.as_another("remove", "--json", "--who", "okafor").rows[0]["said"]
    lab.bench.now = datetime.now(UTC) + timedelta(days=8)
    lab.bench.remove()
    (row,) = lab("status", SESSION, "--json").rows
    assert row["freed_bytes"] == sum(len(FILES[name][0]) for name in (A, B, C))


def test_one_file_is_approved_by_its_full_name_only(lab: Archive, one_sentence: Check) -> None:
    plan = lab.plan()
    said = one_sentence(
        lab("approve", SESSION, "--plan", plan, "--because", "x", "--file", f"{SHARE}:run/*", code=1).err
    )
    assert "never a folder or a pattern" in said
    said = lab("approve", SESSION, "--plan", plan, "--because", "x", "--file", f"{SHARE}:{A}").out
    assert "1 files" in said and lab.bench.states()[A] == "APPROVED" and lab.bench.states()[B] == "RECEIPTED"


def test_verify_reads_and_says_what_is_not_proven(lab: Archive) -> None:
    assert {row["verdict"] for row in lab("verify", SESSION, "--json").rows} == {"equal"}
    assert len(lab("verify", "--gb", "0", "--json").rows) == 1
    lab.bench.damage(A, b"rot")
    answer = lab("verify", "--json", code=1)
    assert {row["archive_path"]: row["verdict"] for row in answer.rows}[f"{SESSION}/{SHARE}/{A}"] == "different"
    assert "1 of 4 copies are not proven" in answer.err
    assert lab.bench.states()[A] == "SUSPECT"


def test_listing_compares_both_ways_without_reading(lab: Archive) -> None:
    assert "agree" in lab("verify", "--listing").err
    lab.bench.damage(A)
    (lab.bench.archive / "stranger.bin").write_bytes(b"?")
    rows = lab("verify", "--listing", "--json", code=1).rows
    assert {row["what"] for row in rows} == {"missing", "unknown"}
    assert [row["what"] for row in lab("verify", SESSION, "--listing", "--json", code=1).rows] == ["missing"]


def test_a_hold_puts_files_back_and_is_lifted(lab: Archive, one_sentence: Check) -> None:
    lab("approve", SESSION, "--plan", lab.plan(), "--because", "x", "--who", "rivera")
    lab.as_another("remove", "--yes", "--who", "okafor")
    assert lab.bench.on_share() == {M}
    one_sentence(lab("hold", SESSION, "--because", "x", "--file", "run", code=1).err)
    lab("hold", SESSION, "--because", "a paper")
    assert lab.bench.on_share() == set(FILES)
    assert not any(row["is_removable"] for row in lab("plan", SESSION, "--json").rows)
    assert "3 files" in lab("lift", SESSION, "--because", "printed").out
    assert any(row["is_removable"] for row in lab("plan", SESSION, "--json").rows)


def test_an_approval_that_is_revoked_puts_files_back(lab: Archive, one_sentence: Check) -> None:
    lab("approve", SESSION, "--plan", lab.plan(), "--because", "x")
    lab.as_another("remove", "--yes")
    assert lab.bench.on_share() == {M}
    assert "1 approvals" in lab("revoke", SESSION, "--because", "a mistake").out
    assert lab.bench.on_share() == set(FILES)
    one_sentence(lab("revoke", "XX1_20200101_000000", "--because", "x", code=1).err)


def test_no_copy_with_an_end_is_put_on_a_share_or_into_the_archive(lab: Archive, one_sentence: Check) -> None:
    for place in (lab.bench.root / "back", lab.bench.archive):
        words = ("retrieve", SESSION, "--to", str(place), "--keep-days", "3")
        assert "without an approval" in one_sentence(lab(*words, code=1).err)
        assert not (lab.bench.root / "back").exists()


def test_files_come_back_and_overwrite_nothing(lab: Archive, tmp_path: Path) -> None:
    to = tmp_path / "back"
    said = lab("retrieve", SESSION, "--to", str(to), "--dry-run", "--json").rows
    assert {row["what"] for row in said} == {"fetch"} and not to.exists()
    lab("retrieve", SESSION, "--to", str(to), "--only", "*.bin", "--keep-days", "3")
    assert {path.name for path in to.rglob("*") if path.is_file()} == {"a.ap.bin", "b.ap.bin"}
    place = to / SESSION / SHARE / M
    place.write_bytes(b"mine")
    answer = lab("retrieve", SESSION, "--to", str(to), "--json", code=1)
    assert sorted(row["what"] for row in answer.rows) == ["fetched", "in the way", "there", "there"]
    assert place.read_bytes() == b"mine" and (to / SESSION / SHARE / A).read_bytes() == FILES[A][0]


def test_what_cannot_be_is_said_in_a_sentence(lab: Archive, one_sentence: Check, tmp_path: Path) -> None:
    for words in (
        ("plan", "XX1_20200101_000000"),
        ("status", "XX1_20200101_000000"),
        ("remove", "XX1_20200101_000000"),
    ):
        assert "knows no session" in one_sentence(lab(*words, code=1).err)
    assert "Name sessions" in one_sentence(lab("retrieve", "--to", str(tmp_path), code=1).err)
    one_sentence(lab("retrieve", "XX1_20200101_000000", "--to", str(tmp_path / "x"), code=1).err)


def test_where_nothing_was_archived_no_database_is_made(tmp_path: Path, one_sentence: Check) -> None:
    config = tmp_path / "map_assets.toml"
    config.write_text('[registry]\nurl = "sqlite:///none.db"\n')
    done = CliRunner().invoke(APP, ["archive", "status"], env={"MAP_ASSETS_CONFIG": str(config)})
    assert done.exit_code == 1 and "Nothing was archived" in one_sentence(done.stderr)
    assert not (tmp_path / "none.db").exists()


def test_every_command_says_what_it_does_and_what_its_options_are_for() -> None:
    from typer.main import get_command

    commands = get_command(archive.app).commands
    assert set(commands) == {
        *("status", "verify", "plan", "approve", "remove", "retrieve", "hold", "lift", "retry", "revoke", "register")
    }
    for command in commands.values():
        assert command.help.strip().endswith(".") and "\n" not in command.help.strip()
        assert [
            param.name for param in command.params if param.name != "help" and not getattr(param, "help", None)
        ] == []
