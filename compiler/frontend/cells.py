"""A cell's equations as the body graph of a scan: built-in cells and users' cells go the same way.

In an equation tensors are those of one sample; in the body what depends on data has the batch as its first
axis, what depends on parameters alone has not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from netwright.specs.dims import DimLike, Shape
from netwright.specs.equations import Cell
from netwright.specs.expressions import (
    Binary,
    Call,
    Compare,
    Expression,
    Name,
    Negate,
    Number,
    Previous,
)

from ..graph.graph import Graph
from ..graph.types import TensorType
from ..ops.base import ShapeError
from ..ops.layout import show
from . import activation
from .problem import Label, Problem
from .tensor import Tensor, broadcast_shapes, concat, full, where

_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_POINTWISE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": Tensor.tanh,
    "sigmoid": Tensor.sigmoid,
    "relu": activation.relu,
    "gelu": activation.gelu,
    "softplus": activation.softplus,
    "exp": Tensor.exp,
    "log": Tensor.log,
    "sqrt": Tensor.sqrt,
    "abs": Tensor.abs,
}


@dataclass(frozen=True, slots=True)
class Item:
    """The value of an expression; `shape` is that of one sample."""

    tensor: Tensor
    batched: bool

    @property
    def shape(self) -> Shape:
        return self.tensor.shape[1:] if self.batched else self.tensor.shape


@dataclass(frozen=True, slots=True)
class CellShapes:
    """The shapes of a cell's arrays for one sample, and the values of its arguments."""

    inputs: Mapping[str, Shape]
    states: Mapping[str, tuple[int, ...]]
    params: Mapping[str, tuple[int, ...]]
    arguments: Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class CellBody:
    """The body of a scan. Consts are the parameters; carries the states; xs the inputs and, with ``masked``,
    which samples have this step (bool [N]); ys those of ``sequences``."""

    graph: Graph
    sequences: tuple[str, ...]


#: The cell's output among the names of sequences; states go by their own names.
OUTPUT = ""


def cell_body(
    cell: Cell,
    shapes: CellShapes,
    batch: DimLike,
    dtype: str,
    *,
    sequences: Sequence[str],
    masked: bool,
    layer: str,
    used_at: Sequence[Label] = (),
) -> CellBody:
    """Compiles a cell for one step of a batch. ``sequences`` names the states (and OUTPUT) wanted of all steps.

    Where a sample has no such step its states stay, and its part of the sequences is zero. Raises Problem.
    """
    graph = Graph(layer)
    graph.layer = layer
    params = {name: _input(graph, name, dtype, shape) for name, shape in shapes.params.items()}
    states = {
        name: _input(graph, f"prev({name})", dtype, (batch, *shape)) for name, shape in shapes.states.items()
    }
    inputs = {name: _input(graph, name, dtype, (batch, *shape)) for name, shape in shapes.inputs.items()}
    exists = _input(graph, "exists", "bool", (batch,)) if masked else None

    names = {name: Item(tensor, False) for name, tensor in params.items()}
    names |= {name: Item(tensor, True) for name, tensor in inputs.items()}
    compiler = _Equations(graph, batch, dtype, names, states, shapes.arguments, used_at)
    for step in cell.steps:
        for name, item in zip(step.targets, compiler.items(step.value), strict=True):
            if name in states:
                item = compiler.as_state(name, item, shapes.states[name], step.value)
            compiler.names[name] = item
    results = {name: compiler.names[name].tensor for name in states}
    if exists is not None:
        results = {
            name: where(exists.broadcast(new.shape, [0]), new, states[name]) for name, new in results.items()
        }
    for name, new in results.items():
        graph.set_output(name, new.value)
    for name in sequences:
        value = compiler.output(cell.output) if name == OUTPUT else results[name]
        if exists is not None:
            value = where(exists.broadcast(value.shape, [0]), value, 0)
        graph.set_output(f"{name}[t]", value.value)
    return CellBody(graph, tuple(sequences))


def _input(graph: Graph, name: str, dtype: str, shape: Shape) -> Tensor:
    return Tensor(graph, graph.input(name, TensorType(dtype, shape), "body"))


class _Equations:
    def __init__(
        self,
        graph: Graph,
        batch: DimLike,
        dtype: str,
        names: dict[str, Item],
        states: Mapping[str, Tensor],
        arguments: Mapping[str, int | float],
        used_at: Sequence[Label],
    ):
        self.graph, self.batch, self.dtype, self.names, self.states = graph, batch, dtype, names, states
        self.arguments, self.used_at = arguments, used_at

    def problem(self, message: str, node: Expression, help: str | None = None) -> Problem:
        return Problem("NW0511", message, node.span, labels=self.used_at, help=help)

    def items(self, node: Expression) -> list[Item]:
        """The values of a step: one, or the parts of a split."""
        if isinstance(node, Call) and node.function == "split":
            item, parts = self.item(node.arguments[0]), node.arguments[1]
            assert isinstance(parts, Number)
            axis = self.axis(node, item)
            size, count = item.tensor.shape[axis], int(parts.value)
            if not isinstance(size, int) or count < 1 or size % count:
                raise self.problem(f"{show(item.shape)} does not split into {count} equal parts", node)
            part = size // count
            return [
                Item(item.tensor.slice(axis, i * part, (i + 1) * part), item.batched) for i in range(count)
            ]
        return [self.item(node)]

    def item(self, node: Expression) -> Item:
        """The value of an expression. Raises Problem where shapes do not agree."""
        try:
            return self.compute(node)
        except ShapeError as error:
            raise self.problem(str(error), node) from None

    def number(self, node: Expression) -> int | float | None:
        """The value of an expression of numbers and arguments only."""
        match node:
            case Number(value=value):
                return value
            case Name(id=name) if name in self.arguments and name not in self.names:
                return self.arguments[name]
            case Negate(operand=operand) if (value := self.number(operand)) is not None:
                return -value
        return None

    def compute(self, node: Expression) -> Item:
        value = self.number(node)
        if value is not None:
            return Item(full(self.graph, value, TensorType(self.dtype, ())), False)
        match node:
            case Name(id=name):
                return self.names[name]
            case Previous(state=state):
                return Item(self.states[state], True)
            case Negate(operand=operand):
                item = self.item(operand)
                return Item(-item.tensor, item.batched)
            case Compare(operator=operator, left=left, right=right):
                a, b = self.aligned(self.item(left), self.item(right))
                return Item(a.tensor.compare(_COMPARISONS[operator], b.tensor), a.batched)
            case Binary(operator="@", left=left, right=right):
                return self.product(self.item(left), self.item(right), node)
            case Binary(operator="**", left=left, right=Number(value=exponent)):
                item = self.item(left)
                return Item(_power(item.tensor, exponent), item.batched)
            case Binary(operator=operator, left=left, right=right):
                return self.arithmetic(operator, left, right)
            case Call():
                return self.call(node)
        raise TypeError(f"unknown expression {node!r}")

    def arithmetic(self, operator: str, left: Expression, right: Expression) -> Item:
        first, second = self.number(left), self.number(right)
        if first is None and second is not None:  # a number needs no broadcast
            item = self.item(left)
            return Item(_operate(operator, item.tensor, second), item.batched)
        if first is not None and second is None:
            item = self.item(right)
            return Item(
                _operate(operator, full(self.graph, first, item.tensor.type), item.tensor), item.batched
            )
        a, b = self.aligned(self.item(left), self.item(right))
        return Item(_operate(operator, a.tensor, b.tensor), a.batched)

    def aligned(self, *items: Item) -> list[Item]:
        """All in one shape."""
        shape = reduce(broadcast_shapes, (item.shape for item in items))
        batched = any(item.batched for item in items)
        return [self.lifted(item, shape, batched) for item in items]

    def lifted(self, item: Item, shape: Shape, batched: bool) -> Item:
        whole = (self.batch, *shape) if batched else shape
        tensor = item.tensor
        if item.batched:
            missing = len(shape) - len(item.shape)
            tensor = tensor.reshape((self.batch, *(1,) * missing, *item.shape))
        return Item(tensor.to(whole), batched)

    def product(self, a: Item, b: Item, node: Expression) -> Item:
        """The matrix product of vectors and matrices."""
        ranks = len(a.shape), len(b.shape)
        if not set(ranks) <= {1, 2}:
            raise self.problem(
                f"@ multiplies vectors and matrices, not {show(a.shape)} and {show(b.shape)}", node
            )
        if a.shape[-1] != b.shape[0]:
            message = f"{show(a.shape)} @ {show(b.shape)}: {a.shape[-1]} is not {b.shape[0]}"
            raise self.problem(message, node)
        offset_a, offset_b = int(a.batched), int(b.batched)
        last, first = [offset_a + ranks[0] - 1], [offset_b]
        if a.batched and b.batched:
            return Item(a.tensor.dot(b.tensor, last, first, 1), True)
        if not b.batched or a.batched:
            return Item(a.tensor.dot(b.tensor, last, first), a.batched)
        # The batch has to lead, so the second goes first; then its columns and the rows change places.
        swapped = b.tensor.dot(a.tensor, first, last)
        return Item(swapped.transpose(0, 2, 1) if ranks == (2, 2) else swapped, True)

    def axis(self, node: Call, item: Item) -> int:
        """The option `axis` as an axis of the tensor."""
        axis = node.option("axis")
        assert axis is not None
        if not -len(item.shape) <= axis < len(item.shape):
            raise self.problem(f"there is no axis {axis} in {show(item.shape)}", node)
        return item.batched + axis % len(item.shape)

    def call(self, node: Call) -> Item:
        arguments = [self.item(one) for one in node.arguments]
        first, name = arguments[0], node.function
        if name in _POINTWISE:
            return Item(_POINTWISE[name](first.tensor), first.batched)
        if name in ("leaky_relu", "elu"):
            parameter = node.arguments[1]
            assert isinstance(parameter, Number)
            function = activation.leaky_relu if name == "leaky_relu" else activation.elu
            return Item(function(first.tensor, parameter.value), first.batched)
        if name in ("maximum", "minimum"):
            a, b = self.aligned(*arguments)
            return Item(
                a.tensor.maximum(b.tensor) if name == "maximum" else a.tensor.minimum(b.tensor), a.batched
            )
        if name == "where":
            if first.tensor.dtype != "bool":
                raise self.problem("where takes a comparison first, such as x > 0", node.arguments[0])
            condition, a, b = self.aligned(*arguments)
            return Item(where(condition.tensor, a.tensor, b.tensor), condition.batched)
        if name == "softmax":
            return Item(activation.softmax(first.tensor, self.axis(node, first)), first.batched)
        if name == "concat":
            return self.concat(node, arguments)
        if name == "transpose":
            if len(first.shape) < 2:
                raise self.problem(f"transpose swaps two axes, {show(first.shape)} has fewer", node)
            rank = first.tensor.rank
            return Item(first.tensor.transpose(*range(rank - 2), rank - 1, rank - 2), first.batched)
        axes = [self.axis(node, first)] if node.option("axis") is not None else None
        if axes is None:
            axes = list(range(int(first.batched), first.tensor.rank))
        if name == "mean":
            return Item(first.tensor.mean(axes), first.batched)
        return Item(first.tensor.reduce(name, axes), first.batched)

    def concat(self, node: Call, items: list[Item]) -> Item:
        batched = any(item.batched for item in items)
        items = [self.lifted(item, item.shape, batched) for item in items]
        axis = self.axis(node, items[0])
        for item in items[1:]:
            if len(item.shape) != len(items[0].shape):
                raise self.problem(f"{show(items[0].shape)} and {show(item.shape)} do not join", node)
        return Item(concat([item.tensor for item in items], axis), batched)

    def as_state(self, name: str, item: Item, shape: tuple[int, ...], node: Expression) -> Item:
        """A new value of a state, in the state's shape."""
        if item.shape != shape or item.tensor.dtype != self.dtype:
            found = "a truth value" if item.tensor.dtype == "bool" else show(item.shape)
            raise self.problem(f"the state {name} is {show(shape)}, its new value is {found}", node)
        return self.lifted(item, shape, True)

    def output(self, node: Expression) -> Tensor:
        item = self.item(node)
        if item.tensor.dtype != self.dtype:
            raise self.problem("the output is a truth value; write where(…, 1, 0)", node)
        return self.lifted(item, item.shape, True).tensor


def _operate(operator: str, a: Tensor, b: Tensor | int | float) -> Tensor:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    return a / b


def _power(x: Tensor, exponent: int | float) -> Tensor:
    """x to a constant power: products for whole exponents up to 8, roots, else exp(e·log(x))."""
    if exponent < 0:
        return 1 / _power(x, -exponent)
    if exponent == 0:
        return full(x.graph, 1, x.type)
    if exponent == 0.5:
        return x.sqrt()
    if float(exponent).is_integer() and exponent <= 8:
        return reduce(Tensor.__mul__, [x] * int(exponent))
    return (x.log() * exponent).exp()
