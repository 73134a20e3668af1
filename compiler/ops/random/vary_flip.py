"""``vary_flip``: reverses an axis of some samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, product
from netwright.specs.variations import Draw, flipped

from ..base import KEY
from ..indexing.gather import OUT_OF_RANGE
from .vary import FEW, VariedSample, Vary, VaryAttributes


@dataclass(frozen=True, slots=True)
class VaryFlipAttributes(VaryAttributes):
    """``axis`` that is reversed, the batch being 0, and the share ``chance`` of samples."""

    axis: int
    chance: float


class VaryFlip(Vary):
    """``specs.variations.flipped``."""

    name = "vary_flip"
    attributes = VaryFlipAttributes

    def vary(
        self, attrs: VaryFlipAttributes, samples: np.ndarray, lengths: np.ndarray, draw: Draw
    ) -> np.ndarray:
        return flipped(samples, lengths, draw, attrs.axis, attrs.chance)

    def lower_sample(self, sample: VariedSample, attrs: VaryFlipAttributes) -> None:
        b = sample.b
        (number,) = sample.uniforms(1)
        chosen = b.lt(number, b.like(float(attrs.chance), number))
        flag = b.let_index("chosen", b.cast(chosen, "int64"), 0, 2, OUT_OF_RANGE)
        with b.when(flag - 1):
            self._reverse(sample, attrs)
            sample.copy(sample.counted, sample.size)
        with b.otherwise():
            sample.copy(0, sample.size)

    def _reverse(self, sample: VariedSample, attrs: VaryFlipAttributes) -> None:
        b, shape, axis = sample.b, attrs.shape, attrs.axis - 1
        inner = product(shape[axis + 1 :])
        groups: DimLike = 1 if axis == 0 else sample.steps * product(shape[1:axis])
        size: DimLike = sample.steps if axis == 0 else shape[axis]
        few = isinstance(inner, int) and inner <= FEW
        lanes, kind = (1, "unrolled") if few else (sample.lanes, "serial")
        with b.loop("group", 0, groups) as group, b.loop("cell", 0, size) as cell:
            # If there are several groups, size is that of the axis.
            start = 0 if axis == 0 else group * (shape[axis] * inner)
            source, target = start + cell * inner, start + (size - 1 - cell) * inner
            with b.loop("i", 0, inner, lanes, kind) as i:
                value = b.load(sample.x, (sample.n, source + i), lanes, inner - i)
                b.store(sample.y, (sample.n, target + i), value, inner - i)

    def cases(self) -> Sequence[tuple[str, Any]]:
        return [
            ("uint8", VaryFlipAttributes(KEY, (4, 5, 3), "uint8", "uint8", 2, 0.5)),
            ("float32", VaryFlipAttributes(KEY, (5, 9), "float32", "float32", 1, 0.7)),
            ("int64", VaryFlipAttributes(KEY, (3, 2, 7), "int64", "int64", 3, 1.0)),
        ]
