"""A laboratory on disk for the whole-way tests: shares, configuration, and the terminal's own ingest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from map_assets.config import load_config
from map_assets.defs.services import Services

KINDS = ("behavior", "tracking", "ephys", "histology", "raw")
ANIMALS = "subject_id,username,cage_number,date_of_birth,sex,animal_source,water_restriction_number,wr_start_date,wr_start_weight\n"
DL25 = "407513,daveliu,148636,2017-10-13,M,Jackson Labs,dl25,2018-01-22,25.5\n"


@dataclass(frozen=True)
class Lab:
    """A laboratory in one folder."""

    root: Path

    @classmethod
    def empty(cls, root: Path, *, settle_s: float = 0.0, kinds: tuple[str, ...] = KINDS, more: str = "") -> Lab:
        """Make shares without files, and a configuration that names them."""
        root.mkdir(parents=True, exist_ok=True)
        lines = ['[lab]\ntime_zone = "America/New_York"\nname = "Made-up lab"\ninstitution = "Made-up institute"']
        for kind in kinds:
            (root / "shares" / kind).mkdir(parents=True)
            lines.append(f'[shares.{kind}]\nkind = "{kind}"\npath = "shares/{kind}"\nsettle_s = {settle_s}')
        (root / "map_assets.toml").write_text("\n".join([*lines, more]) + "\n")
        return cls(root)

    @property
    def config_file(self) -> Path:
        return self.root / "map_assets.toml"

    @property
    def services(self) -> Services:
        """Services opened anew, as another process would."""
        return Services(load_config(self.config_file))

    def share(self, kind: str) -> Path:
        return self.root / "shares" / kind

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``map-assets`` as a process of its own."""
        environment = {**os.environ, "MAP_ASSETS_CONFIG": str(self.config_file), "NO_COLOR": "1", "COLUMNS": "200"}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("map-assets")), *arguments],
            capture_output=True, text=True, env=environment, cwd=self.root, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        """Run a command with ``--json`` and read what it prints."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def register(self, rows: str) -> None:
        """Import animals into the registry."""
        sheet = self.root / "animals.csv"
        sheet.write_text(ANIMALS + rows)
        self.run("registry", "import", str(sheet))

    def table(self, name: str, session: str) -> list[dict[str, Any]]:
        """Rows of a session's table."""
        return self.services.store.read(name, session).to_pylist()

    def states(self) -> dict[str, str]:
        """State of every file found, by its path."""
        return {str(found.relpath): found.state for found in self.services.ledger.files()}
