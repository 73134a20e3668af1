"""The wheel holds every module and data file of the four folders, under its import name, and nothing else."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FOLDERS = {
    "api": "netwright",
    "specs": "netwright/specs",
    "compiler": "netwright/compiler",
    "runtime": "netwright/runtime",
}
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*")
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged: building in place would leave files behind, and read old ones."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, folder)
    for name in (*FOLDERS, "tests", "examples"):
        shutil.copytree(PROJECT / name, folder / name, ignore=NOT_SHIPPED)
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # setuptools warns about its own future; that is not what is tested here.
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=sources,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_every_file_and_nothing_else(sources: Path, wheel: Path) -> None:
    expected = {
        f"{target}/{path.relative_to(sources / folder).as_posix()}"
        for folder, target in FOLDERS.items()
        for path in (sources / folder).rglob("*")
        if path.is_file()
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert b"License-Expression: Apache-2.0" in archive.read(metadata)
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert held == expected
    assert {"netwright/__init__.py", "netwright/py.typed", "netwright/quickstart/digits.yaml"} <= held


def test_wheel_imports_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import netwright, netwright.specs, netwright.compiler, netwright.runtime as last;"
        "from importlib.resources import files;"
        "assert (files('netwright.quickstart') / 'digits.yaml').is_file();"
        "print(netwright.__file__, last.__file__, sep='\\n')"
    )
    # -P keeps the current folder, and its top-level `specs`, off the path.
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert all(Path(line).is_relative_to(tmp_path) for line in done.stdout.split())
