"""``winograd_result``: the image that the products of transformed tiles give (see ``winograd``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, ceil_div

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Cost, Sample, moved_bytes, sizes
from ..contexts import EvaluationContext
from ..protocols import ReadTile, TileTransform
from .winograd import POINTS, RESULT_WORK, TAPS, both_axes, in_floats, result_matrix, result_transform


@dataclass(frozen=True, slots=True)
class WinogradResultAttributes(Attributes):
    """``tile``: how many results a tile has along each axis; ``size`` of the image, (rows, columns)."""

    tile: int
    size: Shape


class WinogradResult(TileTransform):
    """Products m [α², N, R, S, F] give [N, *size, F]: Aᵀ m A of each tile, without the rows and columns beyond
    ``size``, for R and S tiles along its axes."""

    name = "winograd_result"
    attributes = WinogradResultAttributes

    def infer(self, attrs: WinogradResultAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if x.rank != 5 or x.dtype not in FLOATS or attrs.tile not in POINTS or len(attrs.size) != 2:
            raise ShapeError(f"{self.name} of {x} in tiles of {attrs.tile}", 0)
        cells, samples, *tiles, features = x.shape
        counts = [ceil_div(size, attrs.tile) for size in attrs.size]
        if cells != (attrs.tile + TAPS - 1) ** 2 or tiles != counts:
            raise ShapeError(f"{self.name} of {x} for an image of {attrs.size}", 0)
        return [x.with_shape((samples, *attrs.size, features))]

    def evaluate(
        self, context: EvaluationContext, attrs: WinogradResultAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        cells, (height, width) = attrs.tile + TAPS - 1, sizes(context, attrs.size)
        matrix = in_floats(result_matrix(attrs.tile)).astype(x.dtype)
        x = x.reshape(cells, cells, *x.shape[1:])
        transformed = np.einsum("ip,pqnrsf,jq->nrisjf", matrix, x, matrix, optimize=True)
        samples, rows, _, columns, _, features = transformed.shape
        transformed = transformed.reshape(samples, rows * attrs.tile, columns * attrs.tile, features)
        return [np.ascontiguousarray(transformed[:, :height, :width], x.dtype)]

    def tiles(self, attrs: WinogradResultAttributes, operands: Sequence[TensorType]) -> Shape:
        return operands[0].shape[1:4]

    def algorithm(self, attrs: WinogradResultAttributes) -> str:
        return f"Winograd F({attrs.tile}, {TAPS})"

    def tile(self, attrs: WinogradResultAttributes) -> tuple[int, ...]:
        return (1, attrs.tile, attrs.tile)

    def emit_tile(
        self,
        builder: Any,
        attrs: WinogradResultAttributes,
        operands: Sequence[TensorType],
        read: ReadTile,
        tile: Sequence[DimLike],
    ) -> Sequence[Any]:
        cells = attrs.tile + TAPS - 1
        products = [[read((i * cells + j, *tile), ()) for j in range(cells)] for i in range(cells)]
        lines = both_axes(builder, attrs.tile, result_transform, products)
        return [value for line in lines for value in line]

    def cost(
        self, attrs: WinogradResultAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        cells = attrs.tile + TAPS - 1
        per_tile = RESULT_WORK[attrs.tile] * (cells + attrs.tile)  # α columns, and then m rows
        return Cost(operands[0].size * per_tile // cells**2, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        def x(*shape: int) -> TensorType:
            return TensorType("float64", shape)

        return [
            Sample((x(36, 2, 2, 1, 3),), WinogradResultAttributes(4, (8, 4)), differentiable=()),
            Sample((x(36, 1, 2, 2, 17),), WinogradResultAttributes(4, (5, 7)), differentiable=()),
            Sample((x(16, 3, 2, 1, 8),), WinogradResultAttributes(2, (3, 1)), differentiable=()),
        ]
