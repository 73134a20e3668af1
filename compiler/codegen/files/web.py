"""WebAssembly modules for browsers, and the script that loads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from netwright.specs.files import scratch_folder, write_file
from netwright.specs.manifest import Manifest

from ...formulas import Fourier
from ...loop import ir
from ..llvm.features import Features
from ..targets.target import Target
from .aot import emit
from .artifacts import entry_of
from .contents import check_described, contents_symbol, write_contents
from .csource import model_source
from .linker import C_SOURCES, find_compiler, link
from .made import Made

_FREESTANDING = ["-nostdlib", "-rtlib=compiler-rt", "-ffreestanding", "-fno-PIC", "-Wl,--no-entry"]
_FREESTANDING += ["-Wl,-z,stack-size=1048576", "-s"]


def link_module(
    program: ir.Program,
    manifest: Manifest,
    buffers: Mapping[str, np.ndarray],
    output: Path,
    target: Target,
    formulas: Mapping[str, Fourier],
    *,
    entry: str = "predict",
) -> None:
    """Writes a module with ``entry`` and its contents, which `loader_script` loads. It computes those that have
    ``formulas`` at its start. Raises LinkError and ValueError as `link_executable`.
    """
    info = entry_of(manifest, entry)
    check_described(program, manifest)
    needed = {name: buffers[name] for name in buffers if name in {*info.reads, *info.writes}}
    blob = contents_symbol(manifest)
    with scratch_folder() as folder:
        made = Made()
        computed = made.add(needed, formulas)
        held = {name: array for name, array in needed.items() if name not in computed}
        offsets = write_contents(folder, manifest, held, blob, target)
        tables = model_source(manifest, info, offsets, blob, Features(), threads=False, made=computed)
        folder.write("tables.c", tables)
        folder.write("model.o", emit(program, "object", target, manifest))
        for source in (C_SOURCES / "model.h", C_SOURCES / "sizes.h", C_SOURCES / "web" / "module.c"):
            folder.write(source.name, source.read_bytes())
        arguments = ["module.c", "tables.c", *made.write(folder), "contents.S", "model.o", *_FREESTANDING]
        link(find_compiler(target), folder, arguments, output)


def loader_script() -> str:
    """The JavaScript that loads any such module."""
    return (C_SOURCES / "web" / "loader.js").read_text(encoding="utf-8")


def write_loader(path: Path) -> None:
    """Writes the script to a file of its own. Raises OSError."""
    write_file(path, loader_script().encode())
