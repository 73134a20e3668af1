"""Compares named values with the manifest: everything missing, unexpected, misshapen or mistyped at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netwright.specs.dims import parse_dim
from netwright.specs.manifest import BufferInfo, Manifest

from ..errors import did_you_mean
from .arrays import is_lossless
from .binding import shape_text

#: The roles of the buffers that make up a trained model.
WEIGHT_ROLES = ("parameter", "statistic")


def weight_buffers(manifest: Manifest) -> dict[str, BufferInfo]:
    """The buffers stored in weights files, by name, in the manifest's order."""
    return {info.name: info for info in manifest.buffers if info.role in WEIGHT_ROLES}


def static_shape(info: BufferInfo) -> tuple[int, ...] | None:
    """The buffer's shape if no axis depends on a dim, otherwise None."""
    sizes = tuple(map(parse_dim, info.shape))
    return tuple(size for size in sizes if isinstance(size, int)) if _all_static(sizes) else None


def find_problems(
    expected: Mapping[str, BufferInfo],
    given: Mapping[str, tuple[tuple[int, ...], np.dtype]],
    optional: Sequence[str] = (),
) -> list[str]:
    """Everything that is wrong with the ``given`` arrays (name to shape and dtype), one line each."""
    problems: list[str] = []
    for name, info in expected.items():
        if name not in given:
            if name not in optional:
                problems.append(f"{name} is missing ({info.dtype} {shape_text(info.shape)})")
            continue
        shape, dtype = given[name]
        wanted = static_shape(info)
        if wanted is not None and shape != wanted:
            problems.append(f"{name} must have the shape {shape_text(wanted)}, not {shape_text(shape)}")
        if not is_lossless(dtype, np.dtype(info.dtype)):
            problems.append(f"{name} is {dtype.name}, which can't become {info.dtype} without loss")
    for name in given:
        if name not in expected:
            problems.append(f"{name} is not in the model{did_you_mean(name, expected)}")
    return problems


def _all_static(sizes: tuple[object, ...]) -> bool:
    return all(isinstance(size, int) for size in sizes)
