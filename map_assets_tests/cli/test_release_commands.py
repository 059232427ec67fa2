"""Releases and uploads are made, looked at and refused from the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_laboratory import Terminal

from map_assets.publication.loopback_dandi import LoopbackDandi
from map_assets.publication.loopback_datacite import LoopbackDataCite

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "publication"))
from publishing_laboratory import BEHAVIOR_ONLY, SESSIONS, WITH_PROBE, make_laboratory

Check = Callable[[str], str]
KEY = "a-key-that-nobody-may-see"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The laboratory, made once."""
    return make_laboratory(tmp_path_factory.mktemp("release_commands") / "lab")


@pytest.fixture
def lab(made: Path, tmp_path: Path) -> Terminal:
    """A laboratory of one's own."""
    return Terminal(Path(shutil.copytree(made, tmp_path / "lab")))


def about(lab: Terminal) -> tuple[str, str]:
    return "--about", str(lab.root / "about.toml")


def test_a_release_from_its_making_to_its_doi(
    lab: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_sentence: Check
) -> None:
    assert lab("release", "list", "--json").rows == []
    (row,) = lab("release", "create", "spring", "--where", "n_trials >= 6", *about(lab), "--json").rows
    assert (row["name"], row["sessions"], row["doi"]) == ("spring", 2, None)
    assert "Stood already" in lab("release", "create", "spring", *SESSIONS, *about(lab)).err
    assert "other content" in one_sentence(lab("release", "create", "spring", WITH_PROBE, *about(lab), code=1).err)
    (found,) = lab("release", "verify", "spring", "--json").rows
    assert (found["claims"], found["differences"]) == (5, [])

    store = lab.services.store
    mine = ("--from", str(store.root / "releases"), "--to", str(tmp_path / "mine"))
    lab("release", "fetch", "spring", *mine, "--sha256", row["manifest_sha256"])
    assert lab("release", "verify", "spring", "--in", str(tmp_path / "mine")).code == 0

    one_sentence(lab("release", "doi", "spring", code=1).err)
    with LoopbackDataCite("LAB", KEY) as datacite:
        for name, value in {"USER": "LAB", "PASSWORD": KEY, "PREFIX": "10.5072"}.items():
            monkeypatch.setenv(f"DATACITE_{name}", value)
        (draft,) = lab("release", "doi", "spring", "--server", datacite.root, "--json").rows
        assert draft["state"] == "draft"
        refused = lab("release", "doi", "spring", "--findable", "--server", datacite.root, code=1)
        assert "nobody approved it" in one_sentence(refused.err)
        assert datacite.dois[draft["doi"]]["state"] == "draft"
        lab("release", "approve", "spring", "--because", "accepted", "--who", "okafor")
        (public,) = lab("release", "doi", "spring", "--findable", "--server", datacite.root, "--json").rows
    assert (public["doi"], public["state"], public["approved_by"]) == (draft["doi"], "findable", "okafor")
    (row,) = lab("release", "list", "--json").rows
    assert row["doi_state"] == "findable"


def test_a_changed_release_is_told_and_is_not_approved(lab: Terminal, one_sentence: Check) -> None:
    lab("release", "create", "spring", BEHAVIOR_ONLY, *about(lab))
    path = lab.services.store.root / "releases" / "spring" / "CITATION.cff"
    path.write_text(path.read_text() + "\n")
    assert "CITATION.cff is changed" in one_sentence(lab("release", "verify", "spring", code=1).err)
    one_sentence(lab("release", "approve", "spring", "--because", "x", code=1).err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "spring"), "Name sessions, or give a condition"),
        (("create", "spring", WITH_PROBE, "--where", "true"), "one of the two"),
        (("create", "spring", "--where", "n_trials > 1000"), "No session fulfils"),
        (("create", "spring", "--where", "nothing = 1"), "DuckDB refuses"),
        (("create", "spring", "XX1_20200101_000000"), "There is no session XX1_20200101_000000"),
        (("create", "../spring", WITH_PROBE), "cannot name a release"),
        (("create", "spring", WITH_PROBE, "--claims", "nothing.toml"), "nothing.toml cannot be read"),
        (("verify", "winter"), "There is no release winter"),
        (("fetch", "winter", "--from", "nowhere", "--to", "mine"), "nowhere has no winter/manifest-sha256.txt"),
        (("approve", "winter", "--because", "x"), "There is no release winter"),
        (("list", "--in", "nowhere"), "There is no folder nowhere"),
        (("create", "spring", BEHAVIOR_ONLY, "--to", __file__), "cannot be used"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    lab: Terminal, one_sentence: Check, words: tuple[str, ...], said: str
) -> None:
    more = about(lab) if words[0] == "create" else ()
    assert said in one_sentence(lab("release", *words, *more, code=1).err)
    assert not list(lab.services.store.root.glob("releases/*"))


def test_sessions_go_to_an_archive_and_are_listed(
    lab: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_sentence: Check
) -> None:
    to = ("--to", str(tmp_path / "dandiset"))
    rows = lab("dandi", "layout", *SESSIONS, *to, *about(lab), "--json").rows
    assert [row["session"] for row in rows] == SESSIONS
    assert "DANDI_API_KEY" in one_sentence(lab("dandi", "upload", *SESSIONS, *to, "--dandiset", "000001", code=1).err)
    monkeypatch.setenv("DANDI_API_KEY", KEY)
    with LoopbackDandi(KEY) as archive:
        there = ("--dandiset", "000001", "--server", archive.api)
        done = lab("dandi", "upload", *SESSIONS, *to, *there, *about(lab), "--json")
        assert [row["state"] for row in done.rows] == ["verified", "verified"]
        assert KEY not in done.out + done.err
        assert len(archive.assets) == 2
    (row,) = lab("dandi", "list", WITH_PROBE, "--json").rows
    assert row["asset_id"] in archive.assets
    assert "verified" in lab("dandi", "list").out


def test_a_folder_with_a_file_too_many_is_not_uploaded(lab: Terminal, tmp_path: Path, one_sentence: Check) -> None:
    (tmp_path / "dandiset").mkdir()
    (tmp_path / "dandiset" / "notes.txt").write_text("x")
    assert "notes.txt" in one_sentence(
        lab("dandi", "layout", BEHAVIOR_ONLY, "--to", str(tmp_path / "dandiset"), code=1).err
    )


@pytest.mark.parametrize("words", [("layout",), ("upload", "--dandiset", "000001")])
def test_a_file_is_no_folder_of_a_dandiset(
    lab: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_sentence: Check, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DANDI_API_KEY", KEY)
    (tmp_path / "file").write_text("x")
    said = one_sentence(lab("dandi", *words, BEHAVIOR_ONLY, "--to", str(tmp_path / "file"), code=1).err)
    assert "file" in said
    assert "cannot be used" in said
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("number", ["../../x", "1", "00000a", "0000010", "\uff11" * 6])
def test_a_dandiset_has_six_digits_or_nothing_is_laid_out(
    lab: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_sentence: Check, number: str
) -> None:
    monkeypatch.setenv("DANDI_API_KEY", KEY)
    to = tmp_path / "dandiset"
    done = lab("dandi", "upload", BEHAVIOR_ONLY, "--to", str(to), "--dandiset", number, code=1)
    assert "six digits" in one_sentence(done.err)
    assert not to.exists()


@pytest.mark.parametrize("command", [("dandi", "layout"), ("release", "create", "spring")])
def test_a_session_of_which_a_table_was_refused_goes_nowhere(
    lab: Terminal, tmp_path: Path, one_sentence: Check, command: tuple[str, ...]
) -> None:
    import json

    detail = json.dumps({"made": ["licks"], "blocked": "licks_are_in_trials", "inputs": {}})
    lab.services.ledger.record_stage(BEHAVIOR_ONLY, "behavior", "x", "done", detail)
    done = lab(*command, BEHAVIOR_ONLY, *about(lab), "--to", str(tmp_path / "to"), code=1)
    assert "licks_are_in_trials" in one_sentence(done.err)
    assert not (tmp_path / "to").exists()


def test_an_archive_to_try_things_out_tells_where_it_is(new_lab: Terminal) -> None:
    done = new_lab("dandi", "try", "--for-s", "0.01")
    assert done.out.startswith("http://127.0.0.1:")
    assert "DANDI_API_KEY=" in done.err
    assert new_lab("dandi", "list", "--json").rows == []
