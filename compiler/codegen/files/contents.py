"""The contents of buffers as part of a program: one file, and assembly that includes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import IO

import numpy as np

from netwright.specs.files import Scratch
from netwright.specs.manifest import BufferInfo, Manifest

from ...loop import ir
from ..llvm.entries import entry_symbol
from ..targets.target import Target
from .sections import included

#: The alignment of contents: a line of a cache, and no vector is larger; on bare machines, which have neither, that of
#: the largest element.
_ALIGN, _BARE_ALIGN = 64, 8


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
    """Writes the contents to one file, and assembly that includes it; returns each buffer's offset. ``guarded``: see
    ``Contents.write``.
    """
    contents = Contents(_BARE_ALIGN if target.is_bare else _ALIGN)
    offsets = contents.add(manifest, buffers)
    contents.write(folder, blob, target, guarded=guarded)
    return offsets


class Contents:
    """The contents of one program's or several versions' buffers. Equal contents are stored once."""

    def __init__(self, align: int = _ALIGN) -> None:
        self._align = align
        self._places: dict[bytes, int] = {}
        self._arrays: list[np.ndarray] = []
        self._end = 0

    def add(self, manifest: Manifest, buffers: Mapping[str, np.ndarray]) -> dict[str, int]:
        """Each buffer's offset. Raises ValueError for contents of another dtype or size than the manifest's."""
        known = {buffer.name: buffer for buffer in manifest.buffers}
        for name, array in buffers.items():
            _check(known[name], array)
        return {name: self.place(array) for name, array in buffers.items()}

    def place(self, array: np.ndarray) -> int:
        """The offset of an array."""
        # Buffers without elements take part: each needs an address.
        key = hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()
        if key not in self._places:
            self._places[key] = self._end
            self._arrays.append(array)
            self._end += array.nbytes + -array.nbytes % self._align
        return self._places[key]

    def write(self, folder: Scratch, blob: str, target: Target, *, guarded: bool = False) -> None:
        """Writes all contents to one file, and assembly that includes it under the symbol ``blob``. ``guarded``: they
        are to be made read-only when the program is loaded, and never to be executed, in a file where code and
        constants share a segment.
        """

        def write(file: IO[bytes]) -> None:
            for array in self._arrays:
                file.write(array.tobytes())
                file.write(bytes(-file.tell() % self._align))
            file.write(bytes(self._align))

        folder.write("contents.bin", write)
        folder.write("contents.S", included("contents.bin", blob, self._align, target, guarded))


def _check(expected: BufferInfo, array: np.ndarray) -> None:
    shape = [str(size) for size in array.shape]
    if (expected.dtype, expected.shape) != (array.dtype.name, shape):
        raise ValueError(
            f"{expected.name}: expected {expected.dtype} {expected.shape}, found {array.dtype.name} {shape}"
        )
