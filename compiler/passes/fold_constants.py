"""Evaluates operations whose operands are all constant, with the primitives' own NumPy evaluation, if the result is
small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netwright.specs.dims import Dim

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..graph.types import TensorType
from ..ops.base import EvaluationError, primitive
from ..ops.protocols import Elementwise, View
from ..ops.values.constant import ConstantAttributes, constant, splat
from .base import Pass, PassContext


@dataclass(frozen=True)
class FoldConstants(Pass):
    """Folds results of up to ``limit`` bytes. A result with the same number in every element stays one number,
    whatever its size."""

    name: ClassVar[str] = "fold_constants"

    limit: int = 1 << 16

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = [new.producer(value).attrs for value in operands]
            constants = [operand for operand in attrs if isinstance(operand, ConstantAttributes)]
            if not constants or len(constants) != len(attrs):
                return None
            value = self._splat(new, node, constants) or self._small(new, node, constants)
            return None if value is None else [value]

        return graph.rewrite(context.limit(rule))

    def _splat(self, new: Graph, node: Node, constants: list[ConstantAttributes]) -> Value | None:
        scalars = [operand.scalar for operand in constants]
        if any(scalar is None for scalar in scalars):
            return None
        op = primitive(node.op)
        if isinstance(op, View) and len(constants) == 1 and op.fill(node.attrs) is None:
            return new.apply(
                "constant",
                attrs=ConstantAttributes(node.types[0].dtype, node.types[0].shape, constants[0].data),
            )
        if not isinstance(op, Elementwise):
            return None
        cells = [np.frombuffer(operand.data, operand.dtype).reshape(()) for operand in constants]
        with np.errstate(all="ignore"):
            (result,) = op.evaluate(_NoDims(), node.attrs, cells)
        return splat(new, np.asarray(result).item(), node.types[0])

    def _small(self, new: Graph, node: Node, constants: list[ConstantAttributes]) -> Value | None:
        operands = (TensorType(operand.dtype, operand.shape) for operand in constants)
        sizes = [type.nbytes for type in (*node.types, *operands)]
        if node.op == "scan" or any(isinstance(size, Dim) or size > self.limit for size in sizes):
            return None
        try:
            with np.errstate(all="ignore"):
                arrays = [operand.array({}) for operand in constants]
                (result,) = primitive(node.op).evaluate(_NoDims(), node.attrs, arrays)
        except (EvaluationError, KeyError):
            return None  # errors in values are reported when the program runs; open sizes have no value yet
        return constant(new, np.asarray(result))


class _NoDims:
    """Evaluation of one operation outside any graph: no named dims, no bodies."""

    dims: Mapping[str, int] = {}

    def evaluate(self, body: Graph, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        raise EvaluationError("constants are not folded through bodies")
