"""The programs of examples/embed-c: built by CMake and rustc, with the same answers as in Python."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.artifacts.files import Request, save

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed-c"


@dataclass(frozen=True)
class Package:
    """A copy of the example with the library's package in `build/gait`, and what it answers to `motion.f32`."""

    folder: Path
    kinds: list[str]

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("package") / "embed-c"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("build", "*.npz", "*.f32", "__pycache__"))
    moved = runpy.run_path(str(EXAMPLE / "make_data.py"))["moved"]
    motion = moved(np.repeat([0, 1, 2], 20), np.random.default_rng(1))
    motion.tofile(folder / "motion.f32")
    model = netwright.load(folder / "gait.yaml")
    program = model.compile(entries=["predict"])
    entries = ("predict", "step", "train_step")
    for kind in ("shared", "static"):
        request = Request(kind, entries=entries, package=True)
        paths = save(model.load, model.network, program.weights, folder / "build" / "gait", request)
        assert all(path.is_file() for path in paths)
    labels = model.network.outputs["kind"].labels
    assert labels is not None
    kinds = program.predict(motion=motion[None])["kind"][0].argmax(axis=-1)
    return Package(folder, [labels[kind] for kind in kinds])


def test_python_by_ctypes(package: Package) -> None:
    library = package.folder / "build" / "gait" / "lib" / "libgait.so"
    printed = package.run(sys.executable, "whole.py", library, "motion.f32")
    assert printed.split() == package.kinds


def has_rust() -> bool:
    """Whether rustc runs: rustup leaves one that does not where no toolchain is chosen."""
    return (
        shutil.which("rustc") is not None
        and not subprocess.run(["rustc", "-V"], capture_output=True).returncode
    )


@pytest.mark.skipif(
    not has_rust(),
    reason="no rustc that runs: install Rust from https://rustup.rs, or `apt install rustc`",
)
def test_rust(package: Package) -> None:
    package.run("make", "build/whole-rust")
    assert package.run(package.folder / "build" / "whole-rust", "motion.f32").split() == package.kinds


@pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake: install it by `pip install cmake`")
@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
@pytest.mark.parametrize("kind", ["shared", "static"])
def test_cmake_finds_the_package(package: Package, tmp_path: Path, kind: str) -> None:
    """Also where it was moved to; the static library is taken where there is no shared one."""
    prefix = tmp_path / "moved"
    shutil.copytree(package.folder / "build" / "gait", prefix)
    if kind == "static":
        (prefix / "lib" / "libgait.so").unlink()
    built = tmp_path / "built"
    package.run("cmake", "-S", ".", "-B", built, f"-DCMAKE_PREFIX_PATH={prefix}")
    package.run("cmake", "--build", built)
    assert package.run(built / "whole", "motion.f32").split() == package.kinds
    lines = package.run("sh", "-c", f"'{built}/watch' < motion.f32").splitlines()
    changes = [
        kind for kind, before in zip(package.kinds, ["", *package.kinds], strict=False) if kind != before
    ]
    assert [line.split()[-1] for line in lines] == changes
    before, after = (float(line.split()[1]) for line in package.run(built / "learn").splitlines())
    assert after < before / 2


@pytest.mark.skipif(shutil.which("pkg-config") is None, reason="no pkg-config: `apt install pkg-config`")
def test_pkg_config_finds_the_package(package: Package) -> None:
    place = package.folder / "build" / "gait" / "lib" / "pkgconfig"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(place)}
    done = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "gait"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    words = done.stdout.split()
    assert "-lgait" in words
    include = next(word for word in words if word.startswith("-I"))
    assert (Path(include[2:]) / "gait.h").is_file()
