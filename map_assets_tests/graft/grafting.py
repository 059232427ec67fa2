"""A laboratory at table level, and a package in it that somebody wrote from the template: installed without pip."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from map_assets.catalog import BY_NAME
from map_assets.config import load_config
from map_assets.defs.services import Services
from map_assets.graft.scaffold import Language, write_package
from map_assets.simulate.tables_only import TableLab, write_tables

SIZE = TableLab(
    n_animals=1, n_sessions=2, n_probes=2, n_units=12, n_trials=24, n_contacts=8, n_waveform_samples=4, has_spikes=True
)


@dataclass(frozen=True)
class GraftLab:
    """A laboratory, its sessions, and where packages are put."""

    root: Path
    keys: list[str]

    @property
    def config_file(self) -> Path:
        return self.root / "map_assets.toml"

    @property
    def services(self) -> Services:
        return Services(load_config(self.config_file))

    @property
    def store(self) -> Path:
        return self.root / "store"


def write_lab(root: Path) -> GraftLab:
    """Write the laboratory's tables and configuration."""
    keys = write_tables(root / "store", BY_NAME, SIZE)
    (root / "map_assets.toml").write_text(
        '[store]\nroot = "store"\n[registry]\nurl = "sqlite:///registry.db"\n[orchestration]\nhome = "dagster"\n'
    )
    return GraftLab(root, keys)


def install(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, value: str | None = None) -> None:
    """Put a package onto the path, with the entry point that its pyproject.toml declares."""
    info = folder / "src" / f"{name}-0.1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[map_assets.analyses]\n{name} = {value or f'{name}:{name}'}\n")
    monkeypatch.syspath_prepend(str(folder / "src"))
    forget(name)


def forget(name: str) -> None:
    """Let a package be imported anew, as a new process would."""
    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[module]


def written(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, language: Language = "python", who: str = "susu"
) -> Path:
    """Write a package from the template and install it; gives the file of its body."""
    write_package(name, who, folder, language)
    install(folder, name, monkeypatch)
    return folder / "src" / name / "__init__.py"


def change(file: Path, old: str, new: str, name: str) -> None:
    """Change a line of a package's file; the next import sees it."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    # Python trusts a compiled file of the same second and size
    for compiled in file.parent.rglob("*.pyc"):
        compiled.unlink()
    forget(name)
