"""Requests that can be computed as one batch: their samples behind each other, and each one's part of the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.errors import InputError
from netwright.specs.dims import dim_symbols, parse_dim
from netwright.specs.manifest import BufferInfo, Manifest

Arrays: TypeAlias = Mapping[str, NDArray]
#: Requests of equal keys can be joined: the shapes of a sample's inputs.
Key: TypeAlias = tuple[tuple[int, ...], ...]


class Joining:
    """How requests to a model are joined, up to ``most`` samples."""

    def __init__(self, inputs: Sequence[str], most: int):
        self.most = most
        self._inputs = tuple(inputs)

    def described(self, arrays: Arrays) -> tuple[Key, int]:
        """What has to be equal, and the number of samples. Raises InputError for arrays that no batch can hold, or that
        have different numbers of samples.
        """
        key: list[tuple[int, ...]] = []
        rows: int | None = None
        for name in self._inputs:
            count, *sizes = self._shape(arrays, name)
            if rows is None:
                rows = count
            elif count != rows:
                counts = {name: self._shape(arrays, name)[0] for name in self._inputs}
                raise InputError(f"the inputs have different numbers of samples: {counts}")
            key.append(tuple(sizes))
        assert rows is not None
        return tuple(key), rows

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        """All samples in one batch."""
        return {name: np.concatenate([arrays[name] for arrays in parts]) for name in self._inputs}

    def split(self, outputs: Arrays, rows: Sequence[int]) -> list[Arrays]:
        """Each request's part of the outputs."""
        ends = np.cumsum(rows).tolist()
        return [
            {name: array[end - count : end] for name, array in outputs.items()}
            for count, end in zip(rows, ends, strict=True)
        ]

    def _shape(self, arrays: Arrays, name: str) -> tuple[int, ...]:
        array = arrays.get(name)
        if array is None:
            raise InputError(f"missing input {name!r}")
        if array.ndim == 0:
            raise InputError(f"input {name!r} has no axis of samples")
        return array.shape


def joining(manifest: Manifest, inputs: Sequence[str], outputs: Sequence[str], most: int) -> Joining | None:
    """How requests to `predict` are joined; None if they can't be, since an input or output has no first axis of
    samples.
    """
    batch = next((info for info in manifest.dims if info.role == "batch"), None)
    if batch is None or batch.multiple_of != 1 or batch.min != 1:
        return None
    by_name = {info.name: info for info in manifest.buffers}
    if not all(_by_sample(by_name[name], batch.name) for name in (*inputs, *outputs)):
        return None
    most = most if batch.max is None else min(most, batch.max)
    return Joining(inputs, most) if most > 1 else None


def _by_sample(info: BufferInfo, batch: str) -> bool:
    """Whether a buffer has a sample per index of its first axis."""
    first, *others = info.shape or [""]
    return first == batch and not any(batch in dim_symbols(parse_dim(size)) for size in others)
