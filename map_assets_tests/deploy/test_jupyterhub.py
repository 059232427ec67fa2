"""The hub's configuration can be read, opens text notebooks, and gives everybody the notebooks once."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config.loader import PyFileConfigLoader

HUB = Path(__file__).parents[2] / "deploy" / "jupyterhub"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def load() -> Any:
    return PyFileConfigLoader("jupyterhub_config.py", str(HUB)).load_config()


def test_servers_know_the_laboratory_and_open_text_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAP_ASSETS_CONFIG", "/lab/map_assets.toml")
    found = load()
    assert found.Spawner.environment["MAP_ASSETS_CONFIG"] == "/lab/map_assets.toml"
    assert "--ServerApp.contents_manager_class=jupytext.TextFileContentsManager" in found.Spawner.args
    assert found.JupyterHub.bind_url.startswith("http://127.0.0.1:")
    assert json.loads((HUB / "overrides.json").read_text())["@jupyterlab/docmanager-extension:plugin"]
    assert (NOTEBOOKS / Path(found.Spawner.default_url).name).is_file()


def test_who_may_sign_in_is_a_group_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().Authenticator.allow_all is True
    monkeypatch.setenv("JUPYTERHUB_GROUPS", "analysts, students")
    found = load()
    assert found.LocalAuthenticator.allowed_groups == {"analysts", "students"}
    assert "allow_all" not in found.Authenticator


def test_notebooks_are_copied_once_and_what_a_person_changed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAP_ASSETS_NOTEBOOKS", str(NOTEBOOKS))
    account = SimpleNamespace(pw_dir=str(tmp_path), pw_uid=os.getuid(), pw_gid=os.getgid())
    monkeypatch.setattr(pwd, "getpwnam", lambda name: {"susu": account}[name])
    give = load().Spawner.pre_spawn_hook
    spawner = SimpleNamespace(user=SimpleNamespace(name="susu"))
    give(spawner)
    mine = tmp_path / "map_assets"
    assert {path.name for path in mine.iterdir()} == {path.name for path in NOTEBOOKS.glob("*.py")}
    (mine / "overview.py").write_text("# mine\n")
    (mine / "ephys.py").unlink()
    give(spawner)
    assert (mine / "overview.py").read_text() == "# mine\n"
    assert (mine / "ephys.py").read_bytes() == (NOTEBOOKS / "ephys.py").read_bytes()
