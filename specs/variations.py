"""The changes of ``augment`` in NumPy: what compiled code computes, too.

Each function takes samples ``[n, …]`` and returns new ones. ``lengths`` [n] says how many steps of axis 1 each sample
has: steps past them stay as they are. ``draw(count)`` gives count uniform numbers of each sample, float64
``[n, count]``. ``dtype`` is the type that the model takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from .random import normals

Draw = Callable[[int], NDArray[np.float64]]
Lengths = NDArray[np.int64]


def stream_path(input: str, position: int) -> str:
    """The path of the random stream of an input's change at a position of its list."""
    return f"data.augment.{input}.{position}"


def shifted(samples: NDArray, lengths: Lengths, draw: Draw, by: Sequence[int]) -> NDArray:
    """Samples moved by up to ``by`` cells along their first axes; zeros come in."""
    distances = np.floor(draw(len(by)) * (2 * np.array(by) + 1)).astype(np.int64) - np.array(by)
    result = np.zeros_like(samples)
    for sample, target, length, moved in zip(samples, result, lengths, distances.tolist(), strict=True):
        sizes = (int(length), *sample.shape[1:])
        source, place = [], []
        for size, distance in zip(sizes, moved, strict=False):
            source.append(slice(max(-distance, 0), max(size - max(distance, 0), 0)))
            place.append(slice(max(distance, 0), max(size - max(-distance, 0), 0)))
        target[tuple(place)] = sample[tuple(source)]
        target[int(length) :] = sample[int(length) :]
    return result


def flipped(samples: NDArray, lengths: Lengths, draw: Draw, axis: int, chance: float) -> NDArray:
    """Samples of which that share is reversed along an axis, the first axis being 0."""
    result = samples.copy()
    for row in np.flatnonzero(draw(1)[:, 0] < chance).tolist():
        steps = int(lengths[row])
        result[row, :steps] = np.flip(samples[row, :steps], axis - 1)
    return result


def cropped(samples: NDArray, draw: Draw, least: float, dtype: np.dtype) -> NDArray:
    """A part of each image ``[n, rows, columns, …]``, enlarged to the image's size: at ``least`` that share of the rows
    and of the columns."""
    rows, columns = samples.shape[1:3]
    result = np.empty(samples.shape, varied_type(samples.dtype, dtype))
    for i, (height, width, top, left) in enumerate(draw(4).tolist()):
        sample = samples[i].astype(np.float64)
        for axis, (size, share, offset) in enumerate(((rows, height, top), (columns, width, left))):
            side = size * (least + (1 - least) * share)
            sample = _stretched(sample, axis, size, side, offset * (size - side))
        result[i] = _as_type(sample, samples.dtype, dtype)
    return result


def _stretched(sample: NDArray, axis: int, size: int, side: float, offset: float) -> NDArray:
    """The stretch of length ``side`` at ``offset`` of an axis, as ``size`` cells: between cells' centres, linear."""
    at = np.clip(offset + (np.arange(size) + 0.5) * side / size - 0.5, 0, size - 1)
    low = np.floor(at).astype(np.int64)
    weight = (at - low).reshape(-1, *[1] * (sample.ndim - axis - 1))
    high = np.minimum(low + 1, size - 1)
    return sample.take(low, axis) * (1 - weight) + sample.take(high, axis) * weight


def noisy(samples: NDArray, lengths: Lengths, draw: Draw, deviation: float, dtype: np.dtype) -> NDArray:
    """Samples plus normally distributed numbers of that standard deviation, sample by sample, so that what is computed
    on the way stays in the cache."""
    count = prod(samples.shape[1:])
    drawn = draw(count + count % 2).reshape(len(samples), -1, 2)
    result = np.empty(samples.shape, varied_type(samples.dtype, dtype))
    for sample, target, length, numbers in zip(samples, result, lengths, drawn, strict=True):
        noise = np.stack(normals(numbers[:, 0], numbers[:, 1]), axis=-1).reshape(-1)[:count]
        noise = noise.reshape(sample.shape) * deviation
        noise[int(length) :] = 0
        target[...] = _as_type(sample + noise, samples.dtype, dtype)
    return result


def masked(samples: NDArray, lengths: Lengths, draw: Draw, axis: int, most: int, count: int) -> NDArray:
    """Samples of which ``count`` stretches of an axis are zero, of up to ``most`` cells each."""
    result = samples.copy()
    drawn = draw(2 * count).reshape(len(samples), count, 2)
    for i, stretches in enumerate(drawn.tolist()):
        size = int(lengths[i]) if axis == 1 else samples.shape[axis]
        longest = min(most, size)
        for length, place in stretches:
            width = int(length * (longest + 1))
            start = int(place * (size - width + 1))
            result[(i, *[slice(None)] * (axis - 1), slice(start, start + width))] = 0
    return result


def varied_type(stored: np.dtype, taken: np.dtype) -> np.dtype:
    """The type of numbers that were computed from ``stored`` ones: floats as the model takes, if whole ones become
    those anyway."""
    return taken if stored.kind != "f" and taken.kind == "f" else stored


def _as_type(values: NDArray[np.float64], stored: np.dtype, taken: np.dtype) -> NDArray:
    """Numbers in that type, whole ones within the limits of the data's."""
    if stored.kind == "f":
        with np.errstate(over="ignore"):  # a loss that is infinite says where
            return values.astype(stored)
    limits = np.iinfo(stored)
    np.rint(values, out=values)
    np.clip(values, limits.min, limits.max, out=values)
    return values.astype(varied_type(stored, taken))
