"""``dot``: products summed over contracted axes, as matmul does, with leading batch axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from netwright.specs.dims import DimLike, product

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Cost, Sample, moved_bytes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Contraction, Order, check_start
from ..views.layout import TransposeAttributes, show


@dataclass(frozen=True, slots=True)
class DotAttributes(Attributes):
    """Axis ``lhs_contract[i]`` is contracted with ``rhs_contract[i]``; the first ``batch`` axes of both are batch
    axes.

    All others are free. The result has the batch axes, then the free axes of lhs, then those of rhs, in order.
    ``order``: see ``protocols.Order``; the first contracted pair is the outermost.
    """

    optional: ClassVar[tuple[str, ...]] = ("order",)

    lhs_contract: tuple[int, ...]
    rhs_contract: tuple[int, ...]
    batch: int = 0
    order: Order = "any"

    def free(self, rank: int, contract: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(axis for axis in range(self.batch, rank) if axis not in contract)


MATMUL = DotAttributes((1,), (0,))
"""[M, K] by [K, N]."""


class Dot(Contraction):
    """Bilinear; both gradients are dots again. A third operand is where the sums start."""

    name = "dot"
    attributes = DotAttributes
    stacks_gradient = True
    continues = True

    def infer(self, attrs: DotAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        a, b, *start = operands
        if a.dtype != b.dtype or a.dtype not in FLOATS:
            raise ShapeError(f"dot of {a.dtype} and {b.dtype}", 1)
        for position, (type, contract) in enumerate(((a, attrs.lhs_contract), (b, attrs.rhs_contract))):
            distinct = len(set(contract)) == len(contract)
            if not distinct or not all(attrs.batch <= axis < type.rank for axis in contract):
                raise ShapeError(f"dot of {type} over axes {contract}", position)
        if len(attrs.lhs_contract) != len(attrs.rhs_contract) or min(a.rank, b.rank) < attrs.batch:
            raise ShapeError(f"dot of {a} and {b} over {attrs.lhs_contract} and {attrs.rhs_contract}", 1)
        pairs = [(axis, axis) for axis in range(attrs.batch)]
        for i, j in [*pairs, *zip(attrs.lhs_contract, attrs.rhs_contract, strict=True)]:
            if a.shape[i] != b.shape[j]:
                raise ShapeError(
                    f"{show(a.shape)} and {show(b.shape)} do not multiply: {a.shape[i]} is not {b.shape[j]}",
                    1,
                )
        axes_a, axes_b = attrs.free(a.rank, attrs.lhs_contract), attrs.free(b.rank, attrs.rhs_contract)
        shape = (*a.shape[: attrs.batch], *(a.shape[i] for i in axes_a), *(b.shape[j] for j in axes_b))
        check_start(self.name, attrs.order, start, a.with_shape(shape), 2)
        return [a.with_shape(shape)]

    def evaluate(
        self, context: EvaluationContext, attrs: DotAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        a, b, *start = operands
        batch = tuple(range(attrs.batch))
        free_a, free_b = attrs.free(a.ndim, attrs.lhs_contract), attrs.free(b.ndim, attrs.rhs_contract)
        sizes_batch = a.shape[: attrs.batch]
        rows = tuple(a.shape[i] for i in free_a)
        columns = tuple(b.shape[j] for j in free_b)
        depth = math.prod(a.shape[i] for i in attrs.lhs_contract)
        left = a.transpose(batch + free_a + attrs.lhs_contract)
        right = b.transpose(batch + attrs.rhs_contract + free_b)
        result = np.matmul(
            left.reshape(*sizes_batch, math.prod(rows), depth),
            right.reshape(*sizes_batch, depth, math.prod(columns)),
        )
        result = result.reshape(sizes_batch + rows + columns)
        return [result + start[0] if start else result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        attrs = node.attrs
        assert isinstance(attrs, DotAttributes)
        a, b, *start = graph.operands(node)
        if dy is None:
            return [None, None, *(None for _ in start)]
        rank_a, rank_b = graph.type(a).rank, graph.type(b).rank
        free_a, free_b = attrs.free(rank_a, attrs.lhs_contract), attrs.free(rank_b, attrs.rhs_contract)
        batch = tuple(range(attrs.batch))
        dy_free_a = tuple(range(attrs.batch, attrs.batch + len(free_a)))
        dy_free_b = tuple(range(attrs.batch + len(free_a), attrs.batch + len(free_a) + len(free_b)))

        # dy · b over b's free axes leaves: batch, a's free axes, b's contracted axes in the order of b.
        da = graph.apply("dot", dy, b, attrs=DotAttributes(dy_free_b, free_b, attrs.batch))
        partner = dict(zip(attrs.rhs_contract, attrs.lhs_contract, strict=True))
        order_a = (*batch, *free_a, *(partner[axis] for axis in sorted(attrs.rhs_contract)))
        # a · dy over a's free axes leaves: batch, a's contracted axes in the order of a, b's free axes.
        db = graph.apply("dot", a, dy, attrs=DotAttributes(free_a, dy_free_a, attrs.batch))
        partner = dict(zip(attrs.lhs_contract, attrs.rhs_contract, strict=True))
        order_b = (*batch, *(partner[axis] for axis in sorted(attrs.lhs_contract)), *free_b)
        return [_ordered(graph, da, order_a), _ordered(graph, db, order_b), *(dy for _ in start)]

    def vectorize(
        self,
        graph: Graph,
        attrs: DotAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        if len(operands) > 2:
            return None
        a, b = operands
        batch = attrs.batch
        if all(stacked):  # the step becomes another batch axis
            lhs, rhs = (tuple(axis + 1 for axis in c) for c in (attrs.lhs_contract, attrs.rhs_contract))
            return graph.apply(
                "dot", a, b, attrs=replace(attrs, lhs_contract=lhs, rhs_contract=rhs, batch=batch + 1)
            )
        # The step becomes the first free axis of the one stacked operand.
        if stacked[0]:
            a = _ordered(graph, a, (batch, *range(batch), *range(batch + 1, graph.type(a).rank)))
            lhs = tuple(axis + 1 for axis in attrs.lhs_contract)
            shifted = replace(attrs, lhs_contract=lhs)
            steps = batch
        else:
            b = _ordered(graph, b, (batch, *range(batch), *range(batch + 1, graph.type(b).rank)))
            rhs = tuple(axis + 1 for axis in attrs.rhs_contract)
            shifted = replace(attrs, rhs_contract=rhs)
            steps = graph.type(a).rank - len(attrs.lhs_contract)
        result = graph.apply("dot", a, b, attrs=shifted)
        rank = graph.type(result).rank
        order = [axis + 1 if axis < steps else axis for axis in range(rank)]
        order[steps] = 0
        return _ordered(graph, result, tuple(order))

    def packed_operand(self, attrs: DotAttributes) -> int | None:
        return 1 if attrs.rhs_contract == (0,) else None  # behind axes of a batch it would be another one

    def combine(self, attrs: DotAttributes) -> str:
        return "add"

    def reduction_shape(self, attrs: DotAttributes, operands: Sequence[TensorType]) -> Sequence[DimLike]:
        return [operands[0].shape[axis] for axis in attrs.lhs_contract]

    def factors(
        self,
        attrs: DotAttributes,
        operands: Sequence[TensorType],
        index: Sequence[Any],
        reduction: Sequence[Any],
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        batch, free = index[: attrs.batch], iter(index[attrs.batch :])
        factors: list[tuple[int, Sequence[Any]]] = []
        for position, contract in enumerate((attrs.lhs_contract, attrs.rhs_contract)):
            summed = dict(zip(contract, reduction, strict=True))
            axes = range(attrs.batch, operands[position].rank)
            factors.append((position, (*batch, *(summed[a] if a in summed else next(free) for a in axes))))
        return factors

    def cost(
        self, attrs: DotAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        depth = product(operands[0].shape[axis] for axis in attrs.lhs_contract)
        return Cost(2 * results[0].size * depth, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        def x(*shape: int) -> TensorType:
            return TensorType("float64", shape)

        return [
            Sample((x(3, 4), x(4, 5)), MATMUL),
            Sample((x(4, 3), x(5, 4)), DotAttributes((0,), (1,))),
            Sample((x(2, 3, 4), x(2, 3, 5)), DotAttributes((0, 1), (0, 1))),
            Sample((x(2, 3, 4), x(4, 5, 3)), DotAttributes((1, 2), (2, 0))),
            Sample((x(2, 3, 4), x(2, 4, 5)), DotAttributes((2,), (1,), 1)),
            Sample((x(2, 3), x(4)), DotAttributes((), ())),
            Sample((x(3), x(3)), DotAttributes((0,), (0,))),
            Sample((x(9, 3), x(9, 20)), DotAttributes((0,), (0,), order="descending")),
            Sample((x(2, 5, 3), x(2, 5, 1), x(3, 1)), DotAttributes((0, 1), (0, 1), order="descending")),
            Sample((x(9, 3), x(9, 20), x(3, 20)), DotAttributes((0,), (0,), order="ascending")),
            Sample((x(9, 20), x(20, 3)), DotAttributes((1,), (0,), order="fixed")),
        ]


def _ordered(graph: Graph, value: Value, axes: tuple[int, ...]) -> Value:
    """``value`` transposed so that its axis i becomes axis ``axes[i]`` of the result."""
    if axes == tuple(range(len(axes))):
        return value
    return graph.apply("transpose", value, attrs=TransposeAttributes(axes).inverse)
