"""``vary_crop``: enlarges a part of each image to the image's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from netwright.specs.dims import dim_min
from netwright.specs.variations import Draw, cropped

from ..base import KEY
from ..indexing.gather import OUT_OF_RANGE
from .vary import FEW, VariedSample, Vary, VaryAttributes

#: The most numbers that a row of an image may have: a row of float64 lies on the stack.
MOST_IN_ROW = 1 << 14


@dataclass(frozen=True, slots=True)
class VaryCropAttributes(VaryAttributes):
    """The ``least`` share of rows and columns that is kept. The sizes are known."""

    least: float


class VaryCrop(Vary):
    """``specs.variations.cropped``: row by row, first between rows, then between columns; to the same bits."""

    name = "vary_crop"
    attributes = VaryCropAttributes
    computes = True

    def vary(
        self, attrs: VaryCropAttributes, samples: np.ndarray, lengths: np.ndarray, draw: Draw
    ) -> np.ndarray:
        return cropped(samples, draw, attrs.least, np.dtype(attrs.dtype))

    def lower_sample(self, sample: VariedSample, attrs: VaryCropAttributes) -> None:
        b = sample.b
        rows, columns, *rest = (size for size in attrs.shape if isinstance(size, int))
        channels = prod(rest)
        #: A row between two of the image, and where its columns are: between which, and how near to the right one.
        line = b.buffer("line", "float64", (columns * channels,), "readwrite", local=True)
        lefts = b.buffer("lefts", "int64", (columns,), "readwrite", local=True)
        weights = b.buffer("weights", "float64", (columns,), "readwrite", local=True)
        height, width, top, left = sample.uniforms(4)
        place = self._stretch(b, attrs, columns, width, left)
        with b.loop("column", 0, columns) as column:
            low, weight = place(column)
            b.store(lefts, (column,), b.cast(low, "int64"))
            b.store(weights, (column,), weight)
        place = self._stretch(b, attrs, rows, height, top)
        with b.loop("row", 0, rows) as row:
            low, weight = place(row)
            above = sample.whole("above", low, 0, rows)
            self._between_rows(sample, line, above, dim_min(above + 1, rows - 1), weight)
            self._between_columns(sample, line, row, lefts, weights, columns, channels)

    def _stretch(self, b: Any, attrs: VaryCropAttributes, size: int, share: Any, offset: Any) -> Any:
        """A function from a cell of the enlarged axis to the cell before its place, and to how near the place is to the
        cell after."""

        def number(value: float) -> Any:
            return b.like(float(value), share)

        kept = b.add(number(attrs.least), b.mul(number(1 - attrs.least), share))
        side = b.let("side", b.mul(number(size), kept))
        start = b.let("start", b.mul(offset, b.sub(number(size), side)))

        def place(cell: Any) -> tuple[Any, Any]:
            middle = b.add(b.index_value(cell, "float64"), number(0.5))
            at = b.add(start, b.div(b.mul(middle, side), number(size)))
            at = b.let("at", b.sub(at, number(0.5)))
            at = b.let("at", b.select(b.lt(at, number(0)), number(0), at))
            at = b.let("at", b.select(b.gt(at, number(size - 1)), number(size - 1), at))
            low = b.let("low", b.floor(at))
            return low, b.let("weight", b.sub(at, low))

        return place

    def _between_rows(self, sample: VariedSample, line: Any, above: Any, below: Any, weight: Any) -> None:
        b, (wide,), lanes = sample.b, line.shape, sample.wide
        near, far = (b.broadcast(each, lanes) for each in _shares(b, weight))
        with b.loop("i", 0, wide, lanes) as i:
            first, second = (
                b.cast(b.load(sample.x, (sample.n, row * wide + i), lanes, wide - i), "float64")
                for row in (above, below)
            )
            b.store(line, (i,), b.add(b.mul(first, far), b.mul(second, near)), wide - i)

    def _between_columns(
        self,
        sample: VariedSample,
        line: Any,
        row: Any,
        lefts: Any,
        weights: Any,
        columns: int,
        channels: int,
    ) -> None:
        b = sample.b
        few = channels <= FEW
        lanes = 1 if few else sample.wide
        with b.loop("column", 0, columns) as column:
            left = b.let_index("left", b.load(lefts, (column,)), 0, columns, OUT_OF_RANGE)
            right = dim_min(left + 1, columns - 1)
            near, far = (b.broadcast(each, lanes) for each in _shares(b, b.load(weights, (column,))))
            with b.loop("channel", 0, channels, lanes, "unrolled" if few else "serial") as channel:
                first, second = (
                    b.load(line, (cell * channels + channel,), lanes, channels - channel)
                    for cell in (left, right)
                )
                value = b.add(b.mul(first, far), b.mul(second, near))
                place = (row * columns + column) * channels + channel
                b.store(sample.y, (sample.n, place), sample.as_result(value), channels - channel)

    def cases(self) -> Sequence[tuple[str, Any]]:
        return [
            ("uint8", VaryCropAttributes(KEY, (5, 7, 1), "uint8", "uint8", 0.5)),
            ("uint8", VaryCropAttributes(KEY, (6, 4, 3), "float32", "uint8", 0.8)),
            ("float32", VaryCropAttributes(KEY, (4, 5, 9), "float32", "float32", 0.3)),
            ("float32", VaryCropAttributes(KEY, (5, 3, 2), "float32", "uint8", 0.5)),
        ]


def _shares(b: Any, weight: Any) -> tuple[Any, Any]:
    """How much of the cell after and of the cell before is in what lies between them."""
    weight = b.let("near", weight)
    return weight, b.let("far", b.sub(b.like(1.0, weight), weight))
