"""Weights in a file beside a library, as its code reads them, to be mapped into memory.

The first 64 bytes: ``NETWRIGHTWEIGHTS``, the 32 bytes of the identity of what the library computes, the number of bytes
that follow (little-endian, 64 bits), zeros. Then the contents of buffers, each aligned to 64 bytes, in the order of the
manifest. So a library knows all places when it is compiled, and reads nothing but the head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from netwright.specs.dims import parse_dim, product
from netwright.specs.files import write_file
from netwright.specs.manifest import PREPARE, Manifest

from ...loop import ir
from ...loop.text.printing import program_text

_ALIGN = 64
_STORED = ("parameter", "statistic", "packed")


def identity(program: ir.Program) -> str:
    """The hash of what a program computes with its weights, and in which order it reads them."""
    return hashlib.sha256(program_text(program).encode()).hexdigest()


def layout(manifest: Manifest) -> tuple[dict[str, int], int]:
    """The places of the weights that callers' entries read, and the number of all bytes."""
    read = {
        name for entry in manifest.entries if entry.name != PREPARE for name in (*entry.reads, *entry.writes)
    }
    places: dict[str, int] = {}
    end = 0
    for info in manifest.buffers:
        if info.role not in _STORED or info.name not in read:
            continue
        size = product(map(parse_dim, info.shape))
        assert isinstance(size, int)
        places[info.name] = end
        end += -(-size * np.dtype(info.dtype).itemsize // _ALIGN) * _ALIGN
    return places, end


def head(made_for: str, size: int) -> bytes:
    """The first bytes of a file."""
    return (b"NETWRIGHTWEIGHTS" + bytes.fromhex(made_for) + size.to_bytes(8, "little")).ljust(_ALIGN, b"\0")


def write_weights(path: Path, manifest: Manifest, made_for: str, contents: Mapping[str, np.ndarray]) -> None:
    """Writes the file, completely or not at all. Raises OSError."""
    places, size = layout(manifest)

    def write(file: IO[bytes]) -> None:
        file.write(head(made_for, size))
        at = 0
        for name, offset in places.items():
            file.write(bytes(offset - at))
            data = np.ascontiguousarray(contents[name]).tobytes()
            file.write(data)
            at = offset + len(data)
        file.write(bytes(size - at))

    write_file(path, write)
