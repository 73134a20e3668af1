"""Varies samples in training.

What happens to a sample is a function of (seed, input, change, epoch, row): the same whatever batch it is in, whichever
thread reads it, and wherever a training was resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

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
from netwright.specs.random import key_for, sample_uniforms
from netwright.specs.variations import Draw, cropped, flipped, masked, noisy, shifted, stream_path

from .arrays.arrays import is_rounding
from .data.fitting import Described

Variation: TypeAlias = Callable[[NDArray, NDArray[np.int64], NDArray[np.int64], int], NDArray]
"""All changes of an input: of samples ``[n, …]``, how many steps of each count ``[n]``, their rows ``[n]`` and the
epoch, it makes the varied samples, new ones."""


@dataclass(frozen=True)
class Varied:
    """An input that is varied: its name, the changes, in order, and the seed; the type and the shape of a sample in the
    data, and the type that the model takes."""

    input: str
    changes: tuple[AnyAugmentation, ...]
    seed: int
    stored: np.dtype
    shape: tuple[int, ...]
    dtype: np.dtype


CompileVariation: TypeAlias = Callable[[Varied], Variation | None]
"""Makes compiled code of changes; None if it can't."""


class Augmenter:
    """Makes the changes of ``augment``, by input. ``headers`` describe the data. ``lengths_of`` names the array with
    the lengths of an input's sequences: steps past them stay as they are. Without ``compile``, or where it can't, NumPy
    computes.
    """

    def __init__(
        self,
        augment: Mapping[str, Sequence[AnyAugmentation]],
        seed: int,
        inputs: Sequence[BufferInfo],
        lengths_of: Mapping[str, str],
        headers: Mapping[str, Described],
        compile: CompileVariation | None = None,
    ):
        self._lengths_of = lengths_of
        self._dtypes: dict[str, np.dtype] = {}
        self._variations: dict[str, Variation] = {}
        for info in inputs:
            if not augment.get(info.name):
                continue
            header, dtype = headers[info.name], np.dtype(info.dtype)
            stored = dtype if header.dtype == bool or is_rounding(header.dtype, dtype) else header.dtype
            varied = Varied(info.name, tuple(augment[info.name]), seed, stored, header.shape[1:], dtype)
            self._dtypes[info.name] = stored
            compiled = compile(varied) if compile is not None else None
            self._variations[info.name] = compiled or in_numpy(varied)

    def apply(self, arrays: Mapping[str, NDArray], rows: NDArray[np.int64], epoch: int) -> dict[str, NDArray]:
        """The inputs that are varied, as they are in this epoch; ``rows`` says which samples ``arrays`` hold."""
        varied: dict[str, NDArray] = {}
        for name, variation in self._variations.items():
            array = arrays[name].astype(self._dtypes[name], copy=False)
            lengths = np.full(len(array), array.shape[1], np.int64)
            steps = arrays.get(self._lengths_of.get(name, ""))
            if steps is not None:
                lengths = np.clip(steps.astype(np.int64), 0, array.shape[1])
            varied[name] = variation(array, lengths, rows, epoch)
        return varied


def in_numpy(varied: Varied) -> Variation:
    """The changes of an input, in NumPy."""

    def variation(
        samples: NDArray, lengths: NDArray[np.int64], rows: NDArray[np.int64], epoch: int
    ) -> NDArray:
        for i, change in enumerate(varied.changes):
            key = key_for(varied.seed, stream_path(varied.input, i))

            def draw(count: int, key: tuple[int, int] = key) -> NDArray[np.float64]:
                return sample_uniforms(key, epoch, rows, count)

            samples = _changed(change, samples, lengths, draw, varied.dtype)
        return samples

    return variation


def _changed(
    change: AnyAugmentation, samples: NDArray, lengths: NDArray[np.int64], draw: Draw, dtype: np.dtype
) -> NDArray:
    match change:
        case ShiftAugmentation():
            return shifted(samples, lengths, draw, change.by)
        case FlipAugmentation():
            return flipped(samples, lengths, draw, change.axis, change.chance)
        case CropAugmentation():
            return cropped(samples, draw, change.least, dtype)
        case NoiseAugmentation():
            return noisy(samples, lengths, draw, change.deviation, dtype)
        case MaskAugmentation():
            return masked(samples, lengths, draw, change.axis, change.most, change.count)
