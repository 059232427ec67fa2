"""A PostgreSQL server for tests, of the machine's own binaries, in a folder of its own; None where the machine has none."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Folder of ``initdb`` and ``pg_ctl``."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "pg_ctl").exists()), None)


@contextmanager
def running() -> Iterator[str | None]:
    """Start a server that listens on a socket in its own folder, and give its URL."""
    place = binaries()
    if place is None:
        yield None
        return
    # the server refuses to run as root
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)

        def run(*arguments: str) -> None:
            subprocess.run(
                arguments, cwd=folder, user=user if os.geteuid() == 0 else None, check=True, stdout=subprocess.DEVNULL
            )

        data = str(folder / "data")
        run(str(place / "initdb"), "--no-sync", "--auth=trust", "--username=lab", "--encoding=UTF8", "-D", data)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run(str(place / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://lab@/postgres?host={folder}"
        finally:
            run(str(place / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
