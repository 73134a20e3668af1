"""Inputs that a program and its caller make alike: nothing of them is stored (c/check/generated.c does the same).

An element follows from the number of its buffer in the manifest and its own number, by SplitMix64 (Steele, Lea and
Flood, Fast Splittable Pseudorandom Number Generators, 2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netwright.specs.dims import evaluate, parse_dim
from netwright.specs.manifest import BufferInfo, Manifest

#: The size that open sizes other than the batch get if they admit it.
SIZE = 5
#: Integers without a range are below this number, or below 8 if they are no grey levels.
_GREYS, _FEW = 256, 8


def small_sizes(manifest: Manifest, batch: int, size: int = SIZE) -> dict[str, int]:
    """Small sizes of all dims: ``batch`` for that of the batch and ``size`` for others, if they are admitted."""
    sizes = {}
    for dim in manifest.dims:
        wanted = batch if dim.role == "batch" else size
        sizes[dim.name] = 1 if dim.first_row else dim.fitted(max(wanted, dim.min))
    return sizes


def generated_inputs(
    manifest: Manifest, entry: str, dims: Mapping[str, int], *, whole: bool = False
) -> dict[str, np.ndarray]:
    """The inputs of an entry: floats from −1 to 1, integers in their ranges. With ``whole``, sequences have all of
    their steps."""
    reads = next(set(info.reads) for info in manifest.entries if info.name == entry)
    return {
        buffer.name: _array(buffer, number, dims, whole)
        for number, buffer in enumerate(manifest.buffers)
        if buffer.role == "input" and buffer.name in reads
    }


def bound_dims(
    manifest: Manifest, dims: Mapping[str, int], inputs: Mapping[str, np.ndarray]
) -> dict[str, int]:
    """The dims, where those that are the largest number of an input of lengths have its value."""
    bound = dict(dims)
    for dim in manifest.dims:
        if dim.longest_of is not None and dim.longest_of in inputs:
            bound[dim.name] = max(1, int(inputs[dim.longest_of].max(initial=1)))
    return bound


def _array(buffer: BufferInfo, number: int, dims: Mapping[str, int], whole: bool) -> np.ndarray:
    shape = tuple(evaluate(parse_dim(size), dims) for size in buffer.shape)
    bits = _bits(number, int(np.prod(shape, dtype=np.int64))).reshape(shape)
    dtype = np.dtype(buffer.dtype)
    if dtype.kind == "f":
        return ((bits >> np.uint64(40)) * 2.0**-23 - 1).astype(dtype)
    if dtype.kind == "b":
        return bits >> np.uint64(63) == 1
    low, high = 0, (_GREYS if dtype.itemsize == 1 else _FEW) - 1
    if buffer.ranges:
        low = max(range.low for range in buffer.ranges)
        high = min(evaluate(parse_dim(range.high), dims) for range in buffer.ranges)
        low = high if whole and any(range.what == "length" for range in buffer.ranges) else low
    count = np.uint64(max(high - low + 1, 1))
    return (((bits >> np.uint64(33)) % count).astype(np.int64) + low).astype(dtype)


def _bits(number: int, count: int) -> Any:
    with np.errstate(over="ignore"):
        x = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(number << 40)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
