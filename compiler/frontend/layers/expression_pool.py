"""Pooling by an equation over the cells of every window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from netwright.specs.descent import Descent
from netwright.specs.dims import product
from netwright.specs.equations.expressions import Call, Expression
from netwright.specs.models.layers.expression_pool import ExpressionPool
from netwright.specs.models.layers.key_types import LARGEST_LITERAL

from ...graph.graph import Graph
from ...graph.types import FLOATS, TensorType
from ...ops.windows.scan_window import WindowsAttributes
from ..equations.evaluate import Equations, Item
from ..expansion import Expansion
from ..functions.activation import softmax
from ..scope import Scope, Signal
from ..tensor import Tensor, constant, full, iota, where
from .window import WindowAxis, check_windows, pad_windows

_INFINITY = float("inf")
#: Functions of all cells of a window.
_OVER_CELLS = ("sum", "mean", "max", "min", "softmax")


def expand_expression_pool(scope: Scope) -> Signal:
    """The equation's result for each window, over the cells that exist: [N, *spatial, C] gives [N, *cells, C]."""
    spec = scope.spec
    assert isinstance(spec, ExpressionPool)
    axes = check_windows(scope)
    cells = _cells(pad_windows(scope.floats(scope.input), axes, 0), axes)
    exists = _exists(scope.graph, axes)
    if exists is not None:
        # Cells that do not exist get the value of one that does, so that no equation fails on them.
        other = where(exists, cells, -_INFINITY).reduce("max", [cells.rank - 2], keep=True)
        cells = where(exists, cells, other)
    equations = _WindowEquations(scope, cells, exists)
    tree = scope.expander.load.expressions[spec.name]
    result = equations.item(tree).tensor
    if result.rank < 2 or result.shape[-2] != 1:
        message = (
            f"the equation gives a value for each of the window's {cells.shape[-2]} cells, a pool gives one"
        )
        raise equations.problem(message, tree, help="sum them up: sum(…), mean(…), max(…) or min(…)")
    if result.dtype not in FLOATS:
        message = "a pool gives floats, the equation gives " + result.dtype
        raise equations.problem(
            message, tree, help=f"cast(…, {scope.dtype}), or where(…, 1, 0) of a truth value"
        )
    shape = (*cells.shape[:-2], 1, cells.shape[-1])
    return scope.give(result.to(shape).reshape((*shape[:-2], shape[-1])))


def _cells(x: Tensor, axes: Sequence[WindowAxis]) -> Tensor:
    """The cells of every window of a padded input: [N, *cells, k, C]."""
    rank = len(axes)
    attrs = WindowsAttributes(tuple(axis.span for axis in axes), tuple(axis.stride for axis in axes))
    cut = x.apply("windows", attrs=attrs)
    for position, axis in enumerate(axes):
        if axis.dilation > 1:
            cut = cut.strided(1 + rank + position, 0, axis.span, axis.dilation)
        if cut.shape[1 + position] != axis.cells:
            cut = cut.slice(1 + position, 0, axis.cells)
    taps = product(axis.window for axis in axes)
    return cut.reshape((x.shape[0], *(axis.cells for axis in axes), taps, x.shape[-1]))


def _exists(graph: Graph, axes: Sequence[WindowAxis]) -> Tensor | None:
    """Which cells of each window are inside the input: bool [*cells, k, 1]; None if all are."""
    if all(axis.fits_whole and axis.low == 0 and axis.high == 0 for axis in axes):
        return None
    along = [_exists_along(graph, axis) for axis in axes]
    counts = tuple(axis.cells for axis in axes)
    windows = tuple(axis.window for axis in axes)
    rank = len(axes)
    shape = (*counts, *windows)
    wide = [exists.broadcast(shape, [i, rank + i]) for i, exists in enumerate(along)]
    return reduce(Tensor.both, wide).reshape((*counts, product(windows), 1))


def _exists_along(graph: Graph, axis: WindowAxis) -> Tensor:
    """Which cells along one axis are inside the input: bool [cells, window]."""
    sizes = (axis.low, axis.size, axis.cells)
    if all(isinstance(size, int) for size in sizes) and axis.cells * axis.window <= LARGEST_LITERAL:  # type: ignore[operator]
        starts = np.arange(axis.cells)[:, None] * axis.stride - axis.low  # type: ignore[arg-type, operator]
        at = starts + np.arange(axis.window) * axis.dilation
        return constant(graph, (at >= 0) & (at < axis.size))  # type: ignore[operator]
    shape = (axis.cells, axis.window)
    place = iota(graph, "int64", shape, 0) * axis.stride + iota(graph, "int64", shape, 1) * axis.dilation
    low, end = place.count(axis.low), place.count(axis.low + axis.size)
    return place.compare("ge", low).both(place.compare("lt", end))


class _WindowEquations(Equations):
    """Equations over the cells of windows, [N, *cells, k, C]; after a reduction over the cells k is 1."""

    def __init__(self, scope: Scope, cells: Tensor, exists: Tensor | None):
        super().__init__(scope.graph, None, scope.dtype, {"x": Item(cells, False)}, {}, {}, ())
        self.exists, self.taps = exists, cells.shape[-2]
        self.along = cells.rank - 2

    def call(self, node: Call) -> Descent[Item]:
        if node.function not in (*_OVER_CELLS, "size", "index"):
            return (yield super().call(node))
        (argument,) = node.arguments
        x = self.cells((yield self.evaluated(argument)).tensor, argument, node)
        exists = None if self.exists is None else self.exists.to(x.shape)
        match node.function:
            case "index":
                return Item(iota(self.graph, "int64", x.shape, self.along), False)
            case "size":
                return Item(self.count(x, "int64"), False)
            case "max" | "min" as op:
                worst = -_INFINITY if op == "max" else _INFINITY
                kept = x if exists is None else where(exists, x, worst)
                return Item(kept.reduce(op, [self.along], keep=True), False)
            case "softmax":
                return Item(softmax(x if exists is None else where(exists, x, -_INFINITY), self.along), False)
        total = (x if exists is None else where(exists, x, 0)).reduce("sum", [self.along], keep=True)
        return Item(total / self.count(x, x.dtype) if node.function == "mean" else total, False)

    def cells(self, x: Tensor, argument: Expression, node: Call) -> Tensor:
        """A value for each cell of a window. Raises Problem if it is already one number per window."""
        if x.rank != self.along + 2 or x.shape[self.along] != self.taps:
            message = f"{node.function} goes over the cells of a window, this is one value already"
            raise self.problem(message, argument)
        if x.dtype == "bool" and node.function not in ("size", "index"):
            message = f"{node.function} takes numbers, this is a truth value"
            raise self.problem(message, argument, help="write where(…, 1, 0)")
        if x.dtype not in FLOATS and node.function in ("max", "min", "softmax", "mean"):
            x = x.cast(self.dtype)
        return x

    def count(self, x: Tensor, dtype: str) -> Tensor:
        """How many cells of each window exist, with the shape of a reduction over them."""
        shape = (*x.shape[: self.along], 1, x.shape[-1])
        if self.exists is None:
            assert isinstance(self.taps, int)
            return full(self.graph, self.taps, TensorType(dtype, shape))
        number = self.exists.cast(dtype).reduce("sum", [self.exists.rank - 2], keep=True)
        return number.to(shape)


EXPANSIONS = {
    ExpressionPool: Expansion(expand_expression_pool),
}
