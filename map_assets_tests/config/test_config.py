"""One configuration file, its overrides, and nothing secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from map_assets.config import explain_config, load_config
from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.url import masked_url

ONE_SHARE = '[shares.Rig-1]\nkind = "behavior"\npath = "rig1"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "map_assets.toml"
    path.write_text(ONE_SHARE)
    return path


def test_a_lab_with_one_share_needs_only_its_block(file: Path) -> None:
    config = load_config(file)
    assert config.shares["Rig-1"].path == file.parent / "rig1"
    assert config.shares["Rig-1"].settle_s == 600
    assert config.store.root == file.parent / "data" / "store"
    assert config.registry.url == f"sqlite:///{file.parent}/data/registry.db"


def test_every_value_can_be_overridden_whatever_letters_the_share_has(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAP_ASSETS__SHARES__RIG_1__SETTLE_S", "0")
    monkeypatch.setenv("MAP_ASSETS__ARCHIVE__ROOT", "/archive")
    config = load_config(file)
    assert config.shares["Rig-1"].settle_s == 0
    assert config.archive.root == Path("/archive")
    sources = {key: source for key, _, source in explain_config(file)}
    assert sources["shares.Rig-1.settle_s"] == "MAP_ASSETS__SHARES__RIG_1__SETTLE_S"
    assert sources["shares.Rig-1.path"] == str(file)
    assert sources["store.root"] == "default"


def test_an_override_that_may_mean_two_shares_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "map_assets.toml"
    path.write_text(ONE_SHARE + ONE_SHARE.replace("Rig-1", "rig_1"))
    monkeypatch.setenv("MAP_ASSETS__SHARES__RIG_1__SETTLE_S", "0")
    with pytest.raises(BadConfiguration, match="Rig-1 or rig_1"):
        load_config(path)


@pytest.mark.parametrize("named", [True, False])
def test_a_file_means_the_same_laboratory_however_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    path = tmp_path / "data" / "map_assets.toml"
    path.parent.mkdir()
    path.write_text(ONE_SHARE)
    monkeypatch.chdir(tmp_path)
    if named:
        monkeypatch.setenv("MAP_ASSETS_CONFIG", str(path))
    assert load_config().store.root == tmp_path / "data" / "store"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shares = 1", "shares"),
        ('[shares.a]\nkind = "rig"\npath = "x"', "kind"),
        ('[store]\nrot = "x"', "rot"),
        ('[lab]\ntime_zone = "Mars/Olympus"', "time zone"),
        ("[[", "TOML"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "map_assets.toml"
    path.write_text(text)
    with pytest.raises(BadConfiguration, match=said):
        load_config(path)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bob:hush@host/lab",
        "postgresql://bob@host/lab?password=hush&sslmode=require",
        "postgresql://bob@host/lab?sslkey=hush",
        "postgresql://bob:hush@[bad/lab",
    ],
)
def test_secrets_are_never_shown(url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hush" not in masked_url(url)
    monkeypatch.setenv("MAP_ASSETS__REGISTRY__URL", url)
    assert "hush" not in str(explain_config(file))


def test_what_is_not_secret_is_shown() -> None:
    assert (
        masked_url("postgresql://bob@host:5432/lab?sslmode=require") == "postgresql://bob@host:5432/lab?sslmode=require"
    )
