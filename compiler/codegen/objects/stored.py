"""Whole programs in the cache of compiled code: a network that was compiled before runs without being lowered again.

The key of a program is the text of its graphs, with everything else that its code follows from; the compiler's own
sources are part of that, so that a program of another compiler is never taken for its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from netwright.specs.manifest import Manifest

from .cache import ObjectCache
from .compile import VERSIONS

#: Programs whose constants or code are larger are compiled again, kernel by kernel from the cache.
MOST_BYTES = 64 << 20

_MANIFEST, _OBJECT, _CONSTANT = "manifest", "object ", "constant "


@dataclass(frozen=True)
class StoredProgram:
    """What running a program takes: its manifest, the contents of its constant buffers, and its object files."""

    manifest: Manifest
    constants: Mapping[str, np.ndarray]
    objects: Sequence[bytes]


def program_key(*parts: str) -> str:
    """The key of a program that follows from ``parts``, and from this compiler."""
    return ObjectCache.key("program", VERSIONS, _sources(), *parts)


@cache
def _sources() -> str:
    """A digest of names, sizes and times of the files that the compiler consists of."""
    digest = hashlib.sha256()
    for folder in (Path(__file__).parents[2], Path(__file__).parents[3] / "specs"):
        for path, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".py", ".ll", ".c", ".h")):
                    status = os.stat(os.path.join(path, name))
                    digest.update(f"{path}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def put_program(cache: ObjectCache, key: str, program: StoredProgram) -> None:
    """Stores a program, unless it is too large."""
    tensors = {_MANIFEST: _bytes(program.manifest.model_dump_json().encode())}
    tensors |= {f"{_OBJECT}{number}": _bytes(code) for number, code in enumerate(program.objects)}
    tensors |= {_CONSTANT + name: np.ascontiguousarray(x) for name, x in program.constants.items()}
    if sum(tensor.nbytes for tensor in tensors.values()) <= MOST_BYTES:
        cache.put(key, save(tensors))


def get_program(cache: ObjectCache, key: str) -> StoredProgram | None:
    """The program of a key; None if it is not there."""
    stored = cache.get(key)
    if stored is None:
        return None
    tensors = load(stored)
    manifest = Manifest.model_validate_json(tensors.pop(_MANIFEST).tobytes())
    constants = {
        name.removeprefix(_CONSTANT): tensor for name, tensor in tensors.items() if name.startswith(_CONSTANT)
    }
    codes = (tensors[f"{_OBJECT}{number}"].tobytes() for number in range(len(tensors) - len(constants)))
    return StoredProgram(manifest, constants, tuple(codes))


def _bytes(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)
