"""``vary_noise``: adds normally distributed numbers to samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.variations import Draw, noisy

from ..base import KEY
from .vary import VariedSample, Vary, VaryAttributes


@dataclass(frozen=True, slots=True)
class VaryNoiseAttributes(VaryAttributes):
    """The standard ``deviation``."""

    deviation: float


class VaryNoise(Vary):
    """``specs.variations.noisy``: elements 2i and 2i + 1 of a sample get the two numbers that Box and Muller make of a
    counter's. Logarithm, sine and cosine are not rounded as NumPy's are, so that a number may differ in its last bits.
    """

    name = "vary_noise"
    attributes = VaryNoiseAttributes
    computes = True

    def vary(
        self, attrs: VaryNoiseAttributes, samples: np.ndarray, lengths: np.ndarray, draw: Draw
    ) -> np.ndarray:
        return noisy(samples, lengths, draw, attrs.deviation, np.dtype(attrs.dtype))

    def lower_sample(self, sample: VariedSample, attrs: VaryNoiseAttributes) -> None:
        b, lanes = sample.b, 2 * sample.wide
        counted = sample.counted
        with b.loop("i", 0, counted, 2 * lanes) as i:
            element = b.index_value(i, "uint64", lanes)
            counter = b.add(b.shr(element, b.like(1, element)), b.ramp("uint64", lanes))
            first, second = b.normals(*sample.pair(counter))
            left = counted - i
            if lanes == 1:
                self._store(sample, attrs, i, first, left)
                with b.when(left - 2):
                    self._store(sample, attrs, i + 1, second, left - 1)
            else:
                order = [
                    lane for pair in zip(range(lanes), range(lanes, 2 * lanes), strict=True) for lane in pair
                ]
                self._store(sample, attrs, i, b.shuffle(first, second, order), left)
        sample.copy(counted, sample.size)

    def _store(self, sample: VariedSample, attrs: VaryNoiseAttributes, i: Any, noise: Any, left: Any) -> None:
        b = sample.b
        given = b.cast(b.load(sample.x, (sample.n, i), noise.type.lanes, left), "float64")
        value = b.add(given, b.mul(noise, b.like(float(attrs.deviation), noise)))
        b.store(sample.y, (sample.n, i), sample.as_result(value), left)

    def cases(self) -> Sequence[tuple[str, Any]]:
        return [
            ("uint8", VaryNoiseAttributes(KEY, (4, 5, 3), "uint8", "uint8", 30.0)),
            ("uint8", VaryNoiseAttributes(KEY, (3, 7), "float32", "uint8", 30.0)),
            ("float32", VaryNoiseAttributes(KEY, (37,), "float32", "float32", 0.5)),
            ("float32", VaryNoiseAttributes(KEY, (3, 7), "float32", "int16", 30.0)),
            ("float64", VaryNoiseAttributes(KEY, (5, 2), "float64", "float32", 0.5)),
        ]
