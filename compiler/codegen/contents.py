"""The contents of buffers as part of a program: one file, and assembly that includes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

import numpy as np

from netwright.specs.files import Scratch
from netwright.specs.manifest import Manifest

from ..loop import ir
from .entries import entry_symbol
from .target import Target

_ALIGN = 64


def contents_symbol(manifest: Manifest) -> str:
    """The symbol where the contents begin."""
    return f"{manifest.prefix}_contents"


def check_described(program: ir.Program, manifest: Manifest) -> None:
    """Raises ValueError unless the manifest describes this very program: C code is generated from it."""
    described = (
        manifest.model,
        [dim.name for dim in manifest.dims],
        [(buffer.name, buffer.dtype, tuple(buffer.shape)) for buffer in manifest.buffers],
        [(entry.name, entry.symbol, entry.slots) for entry in manifest.entries],
    )
    actual = (
        program.model,
        [name for name, _ in program.dims],
        [(buffer.name, buffer.dtype, tuple(map(str, buffer.shape))) for buffer in program.table],
        [
            (name, entry_symbol(program.model, name), len(entry.arena))
            for name, entry in program.entries.items()
        ],
    )
    for in_manifest, in_program in zip(described, actual, strict=True):
        if in_manifest != in_program:
            raise ValueError(
                f"the manifest is not this program's: it has {in_manifest}, the program {in_program}"
            )


def write_contents(
    folder: Scratch,
    manifest: Manifest,
    buffers: Mapping[str, np.ndarray],
    blob: str,
    target: Target,
    guarded: bool = False,
) -> dict[str, int]:
    """Writes the contents to one file, and assembly that includes it; returns each buffer's offset. ``guarded``: they
    are to be made read-only when the program is loaded, and never to be executed, in a file where code and constants
    share a segment.
    """
    known = {buffer.name: buffer for buffer in manifest.buffers}
    offsets: dict[str, int] = {}

    def write(file: IO[bytes]) -> None:
        for name, array in buffers.items():
            expected, shape = known[name], [str(size) for size in array.shape]
            if (expected.dtype, expected.shape) != (array.dtype.name, shape):
                raise ValueError(
                    f"{name}: expected {expected.dtype} {expected.shape}, found {array.dtype.name} {shape}"
                )
            file.write(bytes(-file.tell() % _ALIGN))
            offsets[name] = file.tell()
            file.write(array.tobytes())
        file.write(bytes(_ALIGN))

    folder.write("contents.bin", write)
    mach = target.is_darwin
    names = [f"_{name}" if mach else name for name in (blob, f"{blob}_end")]
    lines = [
        ".section __TEXT,__const"
        if mach
        else '.section .data.rel.ro.contents,"aw"'
        if guarded
        else '.section .rodata,"a"',
        f".balign {_ALIGN}",
        *(f".globl {name}" for name in names),
        *(f".private_extern {name}" if mach else f".hidden {name}" for name in names),
        f"{names[0]}:",
        '.incbin "contents.bin"',
        f"{names[1]}:",
        *([] if mach else ['.section .note.GNU-stack,"",%progbits']),
    ]
    folder.write("contents.S", "\n".join(lines) + "\n")
    return offsets
