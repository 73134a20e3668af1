"""``vary_shift``: moves samples along their first axes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, dim_max, dim_min, product
from netwright.specs.variations import Draw, shifted

from ..base import KEY
from ..indexing.gather import OUT_OF_RANGE
from .vary import VariedSample, Vary, VaryAttributes


@dataclass(frozen=True, slots=True)
class VaryShiftAttributes(VaryAttributes):
    """``by``: the greatest distance along each of the first axes."""

    by: tuple[int, ...]


class VaryShift(Vary):
    """``specs.variations.shifted``."""

    name = "vary_shift"
    attributes = VaryShiftAttributes

    def vary(
        self, attrs: VaryShiftAttributes, samples: np.ndarray, lengths: np.ndarray, draw: Draw
    ) -> np.ndarray:
        return shifted(samples, lengths, draw, attrs.by)

    def lower_sample(self, sample: VariedSample, attrs: VaryShiftAttributes) -> None:
        b = sample.b
        sizes: list[DimLike] = [sample.steps, *attrs.shape[1 : len(attrs.by)]]
        strides = [product(attrs.shape[axis + 1 :]) for axis in range(len(sizes))]
        distances = []
        for most, number in zip(attrs.by, sample.uniforms(len(attrs.by)), strict=True):
            drawn = b.floor(b.mul(number, b.like(float(2 * most + 1), number)))
            value = b.cast(b.sub(drawn, b.like(float(most), drawn)), "int64")
            distances.append(b.let_index("distance", value, -most, most + 1, OUT_OF_RANGE))
        sample.clear(0, sample.counted)
        sample.copy(sample.counted, sample.size)
        row: DimLike = 0
        with ExitStack() as loops:
            for size, stride, distance in zip(sizes[:-1], strides, distances, strict=False):
                first, last = _kept(size, distance)
                row = row + loops.enter_context(b.loop("row", first, last)) * stride
            first, last = _kept(sizes[-1], distances[-1])
            moved = sum(distance * stride for distance, stride in zip(distances, strides, strict=True))
            sample.copy(row + first * strides[-1], row + last * strides[-1], moved)

    def cases(self) -> Sequence[tuple[str, Any]]:
        return [
            ("uint8", VaryShiftAttributes(KEY, (5, 7, 1), "uint8", "uint8", (2, 3))),
            ("float32", VaryShiftAttributes(KEY, (4, 3, 5), "float32", "float32", (6, 1))),
            ("float32", VaryShiftAttributes(KEY, (9,), "float32", "float32", (3,))),
        ]


def _kept(size: DimLike, distance: DimLike) -> tuple[DimLike, DimLike]:
    """The cells of an axis that have a cell in the shifted sample: the first, and that after the last."""
    return dim_max(distance, 0), dim_min(size, size + distance)
