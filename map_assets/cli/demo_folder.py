"""The demonstration's folder: written once, gone on with later, removed only where it is the demonstration's own."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from map_assets import __version__
from map_assets.vocabulary.errors import MapAssetsError

if TYPE_CHECKING:
    from map_assets.simulate.plans import LabPlan

MARKER = ".map_assets_demo"
SETTLE_S = 2.0
SCAN_INTERVAL_S = 2


class NotADemo(MapAssetsError):
    """The folder is not the demonstration's own, or another demonstration's."""


@contextmanager
def demo_folder(folder: Path, plan: LabPlan, seed: int, *, is_fresh: bool) -> Iterator[Path]:
    """Hold the folder with the laboratory in it, written if it is not there; gives the configuration file.

    Raises
    ------
    NotADemo
        If the folder holds anything else, another demonstration, or one that is running.
    """
    folder = folder.expanduser().absolute()
    marker = folder / MARKER
    if folder.is_symlink() or (
        folder.exists() and not marker.is_file() and (not folder.is_dir() or any(folder.iterdir()))
    ):
        raise NotADemo(f"{folder} holds something that is no demonstration; name another folder with --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with marker.open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NotADemo(
                f"A demonstration is running in {folder}; stop it first, or name another --folder."
            ) from None
        held.seek(0)
        facts = _facts(held.read())
        config = folder / "map_assets.toml"
        if is_fresh or not facts:
            _empty(folder)
            _write(folder, plan)
            held.truncate(0)
            held.write(json.dumps(_said(seed, config)) + "\n")
            held.flush()
            os.fsync(held.fileno())
        elif facts != _said(seed, config):
            raise NotADemo(
                f"{folder} holds a demonstration of another seed (it has {facts.get('seed')}) or version, or its configuration "
                "was edited since; start it over with --fresh, or name another --folder."
            )
        yield config


def _facts(text: str) -> dict[str, Any]:
    """What the marker says; nothing where a demonstration did not come to the end of writing its laboratory."""
    try:
        found = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _said(seed: int, config: Path) -> dict[str, Any]:
    digest = hashlib.sha256(config.read_bytes()).hexdigest() if config.is_file() else ""
    return {"seed": seed, "version": __version__, "configuration": digest}


def _empty(folder: Path) -> None:
    """Remove everything in the folder but the marker, which is held."""
    for path in folder.iterdir():
        if path.name == MARKER:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _write(folder: Path, plan: LabPlan) -> None:
    from map_assets.simulate.laboratory import write_laboratory

    write_laboratory(folder, plan, settle_s=SETTLE_S, scan_interval_s=SCAN_INTERVAL_S)
