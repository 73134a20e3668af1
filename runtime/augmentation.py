"""Varies samples in training.

What happens to a sample is a function of (seed, input, change, epoch, row): the same whatever batch it is in, whichever
thread reads it, and wherever a training was resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.augmentation import (
    AnyAugmentation,
    CropAugmentation,
    FlipAugmentation,
    MaskAugmentation,
    NoiseAugmentation,
    ShiftAugmentation,
)
from netwright.specs.random import normals, sample_uniforms


@dataclass(frozen=True)
class _Batch:
    """The samples of one input: ``array`` may be changed in place, ``lengths`` says how many steps of each count, and
    ``draw(n)`` gives n uniform numbers per sample ``[samples, n]``.
    """

    array: NDArray
    lengths: NDArray[np.int64]
    draw: Callable[[int], NDArray[np.float64]]


class Augmenter:
    """Makes the changes of ``augment``, by input. ``lengths_of`` names the array with the lengths of an input's
    sequences: steps past them stay as they are.
    """

    def __init__(
        self,
        augment: Mapping[str, Sequence[AnyAugmentation]],
        seed: int,
        inputs: Sequence[BufferInfo],
        lengths_of: Mapping[str, str],
    ):
        self._augment, self._seed, self._lengths_of = augment, seed, lengths_of
        self._dtypes = {info.name: np.dtype(info.dtype) for info in inputs}

    def apply(self, arrays: Mapping[str, NDArray], rows: NDArray[np.int64], epoch: int) -> dict[str, NDArray]:
        """The inputs that are varied, as they are in this epoch; ``rows`` says which samples ``arrays`` hold."""
        varied: dict[str, NDArray] = {}
        for name, changes in self._augment.items():
            if name not in self._dtypes or not changes:  # nothing reads it, or it stays
                continue
            dtype = self._dtypes[name]
            array = arrays[name].astype(dtype if arrays[name].dtype == bool else arrays[name].dtype)
            lengths = np.full(len(array), array.shape[1], np.int64)
            steps = arrays.get(self._lengths_of.get(name, ""))
            if steps is not None:
                lengths = np.clip(steps.astype(np.int64), 0, array.shape[1])
            for i, change in enumerate(changes):

                def draw(count: int, path: str = f"data.augment.{name}.{i}") -> NDArray[np.float64]:
                    return sample_uniforms(self._seed, path, epoch, rows, count)

                array = _CHANGES[type(change)](change, _Batch(array, lengths, draw), dtype)
            varied[name] = array
        return varied


def _shift(change: ShiftAugmentation, batch: _Batch, dtype: np.dtype) -> NDArray:
    drawn = batch.draw(len(change.by))
    distances = np.floor(drawn * (2 * np.array(change.by) + 1)).astype(np.int64) - np.array(change.by)
    shifted = np.zeros_like(batch.array)
    for sample, target, length, by in zip(
        batch.array, shifted, batch.lengths, distances.tolist(), strict=True
    ):
        sizes = (int(length), *sample.shape[1:])
        source, place = [], []
        for size, distance in zip(sizes, by, strict=False):
            source.append(slice(max(-distance, 0), max(size - max(distance, 0), 0)))
            place.append(slice(max(distance, 0), max(size - max(-distance, 0), 0)))
        target[tuple(place)] = sample[tuple(source)]
        target[int(length) :] = sample[int(length) :]
    return shifted


def _flip(change: FlipAugmentation, batch: _Batch, dtype: np.dtype) -> NDArray:
    chosen = batch.draw(1)[:, 0] < change.chance
    for row in np.flatnonzero(chosen).tolist():
        own = batch.array[row, : int(batch.lengths[row])]
        own[...] = np.flip(own, change.axis - 1).copy()
    return batch.array


def _crop(change: CropAugmentation, batch: _Batch, dtype: np.dtype) -> NDArray:
    rows, columns = batch.array.shape[1:3]
    drawn = batch.draw(4)
    cropped = np.empty(batch.array.shape, _type_of(batch.array.dtype, dtype))
    for i, (height, width, top, left) in enumerate(drawn.tolist()):
        sample = batch.array[i].astype(np.float64)
        for axis, (size, share, offset) in enumerate(((rows, height, top), (columns, width, left))):
            side = size * (change.least + (1 - change.least) * share)
            sample = _stretched(sample, axis, size, side, offset * (size - side))
        cropped[i] = _as_type(sample, batch.array.dtype, dtype)
    return cropped


def _stretched(sample: NDArray, axis: int, size: int, side: float, offset: float) -> NDArray:
    """The stretch of length ``side`` at ``offset`` of an axis, as ``size`` cells: between cells' centres, linear."""
    at = np.clip(offset + (np.arange(size) + 0.5) * side / size - 0.5, 0, size - 1)
    low = np.floor(at).astype(np.int64)
    weight = (at - low).reshape(-1, *[1] * (sample.ndim - axis - 1))
    high = np.minimum(low + 1, size - 1)
    return sample.take(low, axis) * (1 - weight) + sample.take(high, axis) * weight


def _noise(change: NoiseAugmentation, batch: _Batch, dtype: np.dtype) -> NDArray:
    """Sample by sample, so that what is computed on the way stays in the cache."""
    count = prod(batch.array.shape[1:])
    drawn = batch.draw(count + count % 2).reshape(len(batch.array), -1, 2)
    noisy = np.empty(batch.array.shape, _type_of(batch.array.dtype, dtype))
    for sample, result, length, numbers in zip(batch.array, noisy, batch.lengths, drawn, strict=True):
        noise = np.stack(normals(numbers[:, 0], numbers[:, 1]), axis=-1).reshape(-1)[:count]
        noise = noise.reshape(sample.shape) * change.deviation
        noise[int(length) :] = 0
        result[...] = _as_type(sample + noise, batch.array.dtype, dtype)
    return noisy


def _mask(change: MaskAugmentation, batch: _Batch, dtype: np.dtype) -> NDArray:
    axis, array = change.axis, batch.array
    drawn = batch.draw(2 * change.count).reshape(len(array), change.count, 2)
    for i, stretches in enumerate(drawn.tolist()):
        size = int(batch.lengths[i]) if axis == 1 else array.shape[axis]
        most = min(change.most, size)
        for length, place in stretches:
            width = int(length * (most + 1))
            start = int(place * (size - width + 1))
            array[(i, *[slice(None)] * (axis - 1), slice(start, start + width))] = 0
    return array


def _type_of(stored: np.dtype, taken: np.dtype) -> np.dtype:
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
    return values.astype(_type_of(stored, taken))


_CHANGES: Mapping[type, Callable[..., NDArray]] = {
    ShiftAugmentation: _shift,
    FlipAugmentation: _flip,
    CropAugmentation: _crop,
    NoiseAugmentation: _noise,
    MaskAugmentation: _mask,
}
