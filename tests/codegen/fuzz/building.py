"""Builds the targets of the fuzzer from the C sources that executables consist of."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from netwright.compiler.codegen.files.linker import C_SOURCES

HERE = Path(__file__).parent
#: An archive per target.
CORPUS = HERE / "corpus"
TARGETS = tuple(sorted(path.stem for path in CORPUS.glob("*.zip")))
#: What the harness has in place of these, so that whatever an error leaves behind is released.
_WRAPPED = ("malloc", "calloc", "realloc", "free", "posix_memalign", "fopen", "fmemopen", "fclose", "exit")
_OWN = ("failure.c", "driver.c", "train.c", "listen.c")
_FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-fno-omit-frame-pointer"]


def unpack(target: str, folder: Path) -> list[Path]:
    """Writes the files of a target's corpus to a folder, and returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(CORPUS / f"{target}.zip") as archive:
        archive.extractall(folder)
    return sorted(folder.iterdir())


def pack(target: str, files: Mapping[str, bytes]) -> None:
    """Makes a target's corpus of files by name: the same files give the same archive."""
    CORPUS.mkdir(exist_ok=True)
    with zipfile.ZipFile(CORPUS / f"{target}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


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
