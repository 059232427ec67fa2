"""A grafted package's own tests, run before its analysis may join the shared graph. The other conditions live in `promotion`."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname


def own_tests_of(package: str) -> Path | None:
    """Find the folder ``tests`` of a package that was installed from a folder (``pip install -e FOLDER``); else None."""
    try:
        told = distribution(package).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = urlsplit(json.loads(told)["url"]) if told else None
    if url is None or url.scheme != "file":
        return None
    folder = Path(url2pathname(unquote(url.path))) / "tests"
    return folder if folder.is_dir() else None


def failing_tests(folder: Path, limit_s: float = 600.0) -> str | None:
    """Run the tests in a folder; say how they failed, or None.

    Parameters
    ----------
    folder : pathlib.Path
    limit_s : float
        After so many seconds they count as failed.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    try:
        done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, timeout=limit_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"its tests in {folder} did not end within {limit_s:.0f} s"
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return f"its tests in {folder} do not pass ({lines[-1].strip(' =') if lines else 'they said nothing'})"
