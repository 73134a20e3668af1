"""Builds the targets of the fuzzer from the C sources that executables consist of."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from netwright.compiler.codegen.linker import C_SOURCES

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
TARGETS = tuple(sorted(folder.name for folder in CORPUS.iterdir())) if CORPUS.is_dir() else ()
#: What the harness has in place of these, so that whatever an error leaves behind is released.
_WRAPPED = ("malloc", "calloc", "realloc", "free", "posix_memalign", "fopen", "fmemopen", "fclose", "exit")
_OWN = ("failure.c", "driver.c", "train.c", "listen.c")
_FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-fno-omit-frame-pointer"]


def build(compiler: Sequence[str], output: Path, flags: Sequence[str]) -> None:
    """Compiles harness, targets and sources. Raises CalledProcessError, with what the compiler said as its stderr."""
    folders = (C_SOURCES, C_SOURCES / "train", C_SOURCES / "stream")
    sources = [path for folder in folders for path in sorted(folder.glob("*.c")) if path.name not in _OWN]
    headers = [f"-I{folder}" for folder in (*folders, HERE)]
    names = [f"-D{name}=fuzz_{name}" for name in _WRAPPED]
    objects = output.parent / f"{output.name}-objects"
    objects.mkdir(exist_ok=True)
    common = [*compiler, *_FLAGS, *flags, *headers]
    wrapped = [*map(str, sources), str(HERE / "targets.c"), str(HERE / "model.c")]
    _run([*common, *names, "-c", *wrapped], objects)
    _run([*common, "-c", str(HERE / "harness.c")], objects)
    _run([*common, *(path.name for path in sorted(objects.glob("*.o"))), "-lm", "-o", str(output)], objects)


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
