"""The house stands as its plan says."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import map_assets

PACKAGE = Path(map_assets.__file__).parent
CHECKOUT = PACKAGE.parent
NO_DAGSTER = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "dagster" or name.startswith("dagster."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
"""


def python(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, with `path` first."""
    entry = f"import sys; sys.path[:0] = {[str(p) for p in path]!r}\n"
    return subprocess.run([sys.executable, "-c", entry + code], capture_output=True, text=True, cwd="/", check=False)


def test_a_file_fits_one_sitting() -> None:
    lengths = {path.relative_to(PACKAGE): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: n for path, n in lengths.items() if n > 300} == {}


def test_every_module_says_what_lives_there() -> None:
    silent = [
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


def test_every_public_function_says_what_it_does() -> None:
    silent = [
        f"{path.relative_to(PACKAGE)}:{node.name}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_nothing_swallows_errors_runs_text_or_unpickles() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body):
                found.append(f"{path.name}:{node.lineno} except: pass")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"exec", "eval"}:
                found.append(f"{path.name}:{node.lineno} {node.func.id}")
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                found += [
                    f"{path.name}:{node.lineno} {name}" for name in names if name in {"pickle", "cPickle", "dill"}
                ]
            if isinstance(node, ast.keyword) and node.arg in {"allow_pickle", "shell"}:
                value = node.value
                if not (isinstance(value, ast.Constant) and value.value is False):
                    found.append(f"{path.name}:{node.value.lineno} {node.arg}")
    assert found == []


def test_the_embedded_dagster_yaml_is_the_one_at_the_top() -> None:
    assert (CHECKOUT / "dagster.yaml").read_text() == (PACKAGE / "defs" / "dagster.yaml").read_text()


def test_the_lock_holds_hashes_and_no_address() -> None:
    lock = (CHECKOUT / "requirements.lock").read_text()
    assert "://" not in lock
    assert lock.count("==") < lock.count("--hash=sha256:")


def test_analyst_and_terminal_work_without_dagster() -> None:
    done = python(NO_DAGSTER + "import map_assets.analyst, map_assets.cli, map_assets.catalog; print('fine')")
    assert done.stdout.strip() == "fine", done.stderr


def test_importing_the_wing_reads_no_heavy_library() -> None:
    heavy = ["pynwb", "matplotlib", "scipy", "h5py", "iblatlas", "duckdb", "nwbinspector", "pandas", "probeinterface"]
    code = f"import map_assets.definitions, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = python(code)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.slow
def test_the_wheel_holds_all_that_the_code_location_needs(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, CHECKOUT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    code = (
        "import map_assets, map_assets.definitions as d; assert map_assets.__file__.startswith("
        f"{str(tmp_path)!r}), map_assets.__file__; print(len(list(d.defs().resolve_all_asset_specs())))"
    )
    done = python("import os; os.chdir('/');" + code, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 25
