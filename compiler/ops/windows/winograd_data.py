"""``winograd_data``: the tiles of an image, transformed for a fast convolution (see ``winograd``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Cost, Sample, moved_bytes
from ..contexts import EvaluationContext
from ..protocols import ReadTile, TileTransform
from .winograd import DATA_WORK, POINTS, TAPS, both_axes, data_matrix, data_transform, in_floats, tile_count


@dataclass(frozen=True, slots=True)
class WinogradDataAttributes(Attributes):
    """``tile``: how many results a tile has along each axis."""

    tile: int


class WinogradData(TileTransform):
    """x [N, H, W, C] gives [α², N, ⌈(H−2)/m⌉, ⌈(W−2)/m⌉, C]: Bᵀ d B of the α×α cells d of each tile, for m = ``tile``
    and α = m + 2.

    Tiles begin at every m-th row and column; their cells beyond the image are 0.
    """

    name = "winograd_data"
    attributes = WinogradDataAttributes

    def infer(self, attrs: WinogradDataAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if x.rank != 4 or x.dtype not in FLOATS or attrs.tile not in POINTS:
            raise ShapeError(f"{self.name} of {x} in tiles of {attrs.tile}", 0)
        if any(isinstance(size, int) and size < TAPS for size in x.shape[1:3]):
            raise ShapeError(f"a filter of {TAPS}×{TAPS} does not fit into {x}", 0)
        samples, rows, columns, channels = x.shape
        tiles = (tile_count(rows, attrs.tile), tile_count(columns, attrs.tile))
        return [x.with_shape(((attrs.tile + TAPS - 1) ** 2, samples, *tiles, channels))]

    def evaluate(
        self, context: EvaluationContext, attrs: WinogradDataAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        tile, cells = attrs.tile, attrs.tile + TAPS - 1
        tiles = [-(-(size - TAPS + 1) // tile) for size in x.shape[1:3]]
        high = [count * tile + TAPS - 1 - size for count, size in zip(tiles, x.shape[1:3], strict=True)]
        x = np.pad(x, ((0, 0), (0, high[0]), (0, high[1]), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (cells, cells), (1, 2))[:, ::tile, ::tile]
        matrix = in_floats(data_matrix(tile)).astype(x.dtype)
        transformed = np.einsum("pi,nrscij,qj->pqnrsc", matrix, windows, matrix, optimize=True)
        return [np.ascontiguousarray(transformed.reshape(cells * cells, *transformed.shape[2:]), x.dtype)]

    def tiles(self, attrs: WinogradDataAttributes, operands: Sequence[TensorType]) -> Shape:
        samples, rows, columns, _ = operands[0].shape
        return (1, samples, tile_count(rows, attrs.tile), tile_count(columns, attrs.tile))

    def algorithm(self, attrs: WinogradDataAttributes) -> str:
        return f"Winograd F({attrs.tile}, {TAPS})"

    def tile(self, attrs: WinogradDataAttributes) -> tuple[int, ...]:
        return ((attrs.tile + TAPS - 1) ** 2, 1, 1, 1)

    def emit_tile(
        self,
        builder: Any,
        attrs: WinogradDataAttributes,
        operands: Sequence[TensorType],
        read: ReadTile,
        tile: Sequence[DimLike],
    ) -> Sequence[Any]:
        _, sample, row, column = tile
        size = attrs.tile
        height, width = operands[0].shape[1:3]
        cells = range(size + TAPS - 1)

        def cell(i: int, j: int) -> Any:
            at = row * size + i, column * size + j
            guards = (*_beyond(height, size, i, at[0]), *_beyond(width, size, j, at[1]))
            return read((sample, *at), guards)

        data = [[cell(i, j) for j in cells] for i in cells]
        return [value for line in both_axes(builder, size, data_transform, data) for value in line]

    def cost(
        self, attrs: WinogradDataAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        cells = attrs.tile + TAPS - 1
        return Cost(results[0].size * 2 * DATA_WORK[attrs.tile] // cells, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        def x(*shape: int) -> TensorType:
            return TensorType("float64", shape)

        return [
            Sample((x(2, 10, 6, 3),), WinogradDataAttributes(4), differentiable=()),
            Sample((x(1, 7, 9, 17),), WinogradDataAttributes(4), differentiable=()),
            Sample((x(3, 5, 3, 8),), WinogradDataAttributes(2), differentiable=()),
        ]


def _beyond(size: DimLike, tile: int, offset: int, index: DimLike) -> tuple[DimLike, ...]:
    """What must not be negative for the cell at ``index`` to exist; nothing where all tiles have it."""
    last = (tile_count(size, tile) - 1) * tile + offset
    if isinstance(size, int) and isinstance(last, int) and last < size:
        return ()
    return (size - 1 - index,)
