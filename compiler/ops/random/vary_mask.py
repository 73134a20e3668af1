"""``vary_mask``: sets stretches of an axis of samples to zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, product
from netwright.specs.variations import Draw, masked

from ..base import KEY
from .vary import VariedSample, Vary, VaryAttributes


@dataclass(frozen=True, slots=True)
class VaryMaskAttributes(VaryAttributes):
    """``count`` stretches of an ``axis``, the batch being 0, of up to ``most`` cells each."""

    axis: int
    most: int
    count: int


class VaryMask(Vary):
    """``specs.variations.masked``."""

    name = "vary_mask"
    attributes = VaryMaskAttributes

    def vary(
        self, attrs: VaryMaskAttributes, samples: np.ndarray, lengths: np.ndarray, draw: Draw
    ) -> np.ndarray:
        return masked(samples, lengths, draw, attrs.axis, attrs.most, attrs.count)

    def lower_sample(self, sample: VariedSample, attrs: VaryMaskAttributes) -> None:
        b, shape, axis = sample.b, attrs.shape, attrs.axis - 1
        groups, inner = product(shape[:axis]), product(shape[axis + 1 :])
        size: DimLike = sample.steps if axis == 0 else shape[axis]
        cells = b.index_value(size, "float64")
        more = b.let("most", b.add(b.min(cells, b.like(float(attrs.most), cells)), b.like(1.0, cells)))
        sample.copy(0, sample.size)
        with b.loop("stretch", 0, attrs.count) as stretch:
            length, place = sample.pair(b.index_value(stretch, "uint64"))
            width = sample.whole("width", b.mul(length, more), 0, size + 1)
            places = b.index_value(size - width + 1, "float64")
            start = sample.whole("start", b.mul(place, places), 0, size - width + 1)
            with b.loop("group", 0, groups) as group:
                first = group * (shape[axis] * inner) + start * inner
                sample.clear(first, first + width * inner)

    def cases(self) -> Sequence[tuple[str, Any]]:
        return [
            ("float32", VaryMaskAttributes(KEY, (9, 4), "float32", "float32", 1, 5, 2)),
            ("float32", VaryMaskAttributes(KEY, (4, 9), "float32", "float32", 2, 20, 1)),
            ("uint8", VaryMaskAttributes(KEY, (4, 5, 3), "uint8", "uint8", 2, 3, 3)),
        ]
