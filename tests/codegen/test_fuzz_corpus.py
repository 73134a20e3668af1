"""What the fuzzer found worth keeping, run again: no parser of the C sources crashes on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .fuzz.building import TARGETS, build, unpack
from .fuzz.seeds import SEEDS

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz") / "replay"
    flags = ["-DREPLAY", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Werror"]
    try:
        build(["cc"], path, flags)
    except subprocess.CalledProcessError as error:
        if "sanitize" in error.stderr or "lasan" in error.stderr:
            pytest.skip(
                f"no sanitizers here (install gcc or clang with libasan and libubsan): {error.stderr}"
            )
        raise AssertionError(error.stderr) from None
    return path


@pytest.mark.parametrize("target", sorted(SEEDS))
def test_no_file_of_the_corpus_crashes_a_parser(replay: Path, target: str, tmp_path: Path) -> None:
    files = unpack(target, tmp_path / "corpus")
    assert len(files) >= len(SEEDS[target])
    environment = os.environ | {"ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "exitcode=99"}
    done = subprocess.run(
        [replay, target, *files],
        env=environment,
        cwd=replay.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, f"{len(files)}\n"), done.stderr
    assert set(TARGETS) == set(SEEDS)
