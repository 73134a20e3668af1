"""Loads models that were compiled to shared libraries."""

from __future__ import annotations

import ctypes
import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import CPU_LACKS, Manifest

from ..arrays.named import static_shape
from ..errors import ExecutionError
from .native import NativeEngine
from .workers import WorkerPool, process_pool


def load_shared(path: str | Path, *, model: str | None = None, threads: int | None = None) -> NativeEngine:
    """An engine over a shared library that ``netwright compile --emit shared`` made.

    Loading a library runs its code: load only what you trust. ``model`` is needed only if the library holds several
    models. The parameters contained in the library are in the engine's ``embedded``, ready for a ``Session``. Raises
    ExecutionError if the file is not such a library.
    """
    path = Path(path).resolve()
    try:
        content = path.read_bytes()
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ExecutionError(f"{path} is not a shared library that can be loaded here: {error}") from error
    manifest = _embedded_manifest(path, library, content, model)

    def address(symbol: str) -> int:
        try:
            return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value or 0
        except AttributeError:
            raise ExecutionError(f"{path} lacks the function {symbol!r} that its manifest names") from None

    _check_cpu(path, library, manifest)
    addresses = {entry.name: address(entry.symbol) for entry in manifest.entries}
    plans = {entry.name: address(entry.plan) for entry in manifest.entries}
    pool: WorkerPool | None = None
    # libraries of earlier versions have no pool
    if threads != 1 and hasattr(library, f"{_prefix(manifest)}_pool_run"):
        names = ("run", "stop", "forked", "pin")
        pool = process_pool({name: address(f"{_prefix(manifest)}_pool_{name}") for name in names})
    data = _embedded_data(library, manifest)
    roles = {info.name: info.role for info in manifest.buffers}
    return NativeEngine(
        manifest,
        addresses,
        plans,
        constants={name: array for name, array in data.items() if roles[name] == "constant"},
        embedded={name: array for name, array in data.items() if roles[name] != "constant"},
        keepalive=library,
        threads=threads,
        pool=pool,
    )


def _prefix(manifest: Manifest) -> str:
    """What the library's symbols begin with: in earlier versions the model's name as it is written."""
    renamed = any(entry.symbol.startswith(f"{manifest.prefix}_") for entry in manifest.entries)
    return manifest.prefix if renamed else manifest.model


def _check_cpu(path: Path, library: ctypes.CDLL, manifest: Manifest) -> None:
    """Raises ExecutionError if this machine's CPU lacks instructions that the library uses."""
    try:
        ask = getattr(library, f"{_prefix(manifest)}_missing")
    except AttributeError:  # a library of a version without this function
        return
    ask.restype = ctypes.c_int64
    missing = ask()
    if missing:
        names = [name for number, name in enumerate(manifest.features) if missing >> number & 1]
        raise ExecutionError(
            f"{path} was compiled to use {', '.join(names) or 'instructions'}, which this CPU lacks: compile it with "
            "--cpu generic or for this CPU",
            CPU_LACKS,
        )


def _embedded_data(library: ctypes.CDLL, manifest: Manifest) -> dict[str, NDArray]:
    try:
        table = (ctypes.c_void_p * len(manifest.buffers)).in_dll(library, f"{_prefix(manifest)}_data")
    except ValueError:  # no such symbol: nothing is embedded
        return {}
    arrays: dict[str, NDArray] = {}
    for info, address in zip(manifest.buffers, table, strict=True):
        shape = static_shape(info)
        if address is not None and shape is not None:
            dtype = np.dtype(info.dtype)
            memory = (ctypes.c_char * (math.prod(shape) * dtype.itemsize)).from_address(address)
            array = np.frombuffer(memoryview(memory), dtype).reshape(shape)
            array.flags.writeable = False
            arrays[info.name] = array
    return arrays


def _embedded_manifest(path: Path, library: ctypes.CDLL, content: bytes, model: str | None) -> Manifest:
    # The prefix of a model's symbols is unknown, but the library's string table contains it.
    names = {match.decode() for match in re.findall(rb"\x00_?([A-Za-z]\w*_manifest)(?=\x00)", content)}
    manifests: list[Manifest] = []
    for name in sorted(names):
        try:
            symbol = ctypes.c_char.in_dll(library, name)
            manifest = Manifest.model_validate_json(ctypes.string_at(ctypes.addressof(symbol)))
        except ValueError:  # no such symbol, or one that is not ours
            continue
        if model in (None, manifest.model):
            manifests.append(manifest)
    if len(manifests) != 1:
        what = "no model" if not manifests else "several models: " + ", ".join(m.model for m in manifests)
        called = f" called {model!r}" if model and not manifests else ""
        raise ExecutionError(f"{path} holds {what}{called}")
    return manifests[0]
