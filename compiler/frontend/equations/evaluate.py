"""Turns expression trees into nodes of a graph, for cells and for expression layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from netwright.specs.descent import Descent, descend
from netwright.specs.dims import DimLike, Shape, product
from netwright.specs.equations.cells import Cell
from netwright.specs.equations.expressions import (
    Binary,
    Call,
    Compare,
    Expression,
    Name,
    Negate,
    Number,
    Previous,
    walk,
)
from netwright.specs.source.tree import Span

from ...graph.graph import Graph
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ...ops.views.layout import show
from ...ops.windows.conv import ConvAttributes
from ..functions import activation
from ..functions.arithmetic import constant_power, floor_divide, modulo, power
from ..functions.matmul import matmul
from ..problem import Label, Problem
from ..tensor import Tensor, broadcast_shapes, concat, dim_value, full, iota, where
from .functions import JOINT, POINTWISE, SHAPED

_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


@dataclass(frozen=True, slots=True)
class Item:
    """The value of an expression; `shape` is that of one sample."""

    tensor: Tensor
    batched: bool
    number: int | float | None = None
    """Its value if that is written as a number: the dtype is then that of its operand."""

    @property
    def shape(self) -> Shape:
        return self.tensor.shape[1:] if self.batched else self.tensor.shape


def declarations(cell: Cell) -> dict[str, Span]:
    """Where a cell's parameters and states are declared."""
    return {name: declared.span for name, declared in (*cell.params.items(), *cell.states.items())}


class Equations:
    """Adds the nodes of expressions to a graph. ``batch`` is the size of the implicit first axis of what depends on
    data; without it, as in a layer, no axis is implicit."""

    def __init__(
        self,
        graph: Graph,
        batch: DimLike | None,
        dtype: str,
        names: dict[str, Item],
        states: Mapping[str, Tensor],
        arguments: Mapping[str, int | float],
        used_at: Sequence[Label],
    ):
        self.graph, self.batch, self.dtype, self.names, self.states = graph, batch, dtype, names, states
        self.arguments, self.used_at = arguments, used_at
        self.states_in_products = states
        """The values of `prev` in operands of matrix products."""
        self.places: Mapping[str, Span] = {}
        """Where parameters and states are declared."""

    def problem(
        self, message: str, node: Expression, help: str | None = None, labels: Sequence[Label] = ()
    ) -> Problem:
        shown = dict.fromkeys((*labels, *self.declared(node), *self.used_at))
        return Problem("NW0511", message, node.span, labels=shown, help=help)

    def declared(self, node: Expression) -> Iterator[Label]:
        """The parameters and states that an expression reads, with their shapes."""
        for part in walk(node):
            if isinstance(part, Name) and part.id in self.places:
                yield self.places[part.id], f"is {show(self.names[part.id].shape)}"
            elif isinstance(part, Previous) and part.state in self.places:
                yield self.places[part.state], f"is {show(self.states[part.state].shape[1:])}"

    def items(self, node: Expression) -> list[Item]:
        """The values of a step: one, or the parts of a split. Raises Problem if shapes disagree."""
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
        """The value of an expression. Raises Problem if shapes disagree."""
        return descend(self.evaluated(node))

    def evaluated(self, node: Expression) -> Descent[Item]:
        try:
            return (yield self.compute(node))
        except ShapeError as error:
            raise self.problem(str(error), node) from None

    def number(self, node: Expression) -> int | float | None:
        """The value of a number or an argument, including its signs."""
        negative = False
        while isinstance(node, Negate):
            node, negative = node.operand, not negative
        match node:
            case Number(value=value):
                return -value if negative else value
            case Name(id=name) if name in self.arguments and name not in self.names:
                return -self.arguments[name] if negative else self.arguments[name]
        return None

    def compute(self, node: Expression) -> Descent[Item]:
        value = self.number(node)
        if value is not None:
            return Item(full(self.graph, value, TensorType(self.dtype, ())), False, value)
        match node:
            case Name(id=name):
                return self.names[name]
            case Previous(state=state):
                return Item(self.states[state], True)
            case Negate(operand=operand):
                item = yield self.evaluated(operand)
                return Item(-item.tensor, item.batched)
            case Compare(operator=operator, left=left, right=right):
                first, second = (yield self.evaluated(left)), (yield self.evaluated(right))
                a, b = self.aligned(first, second)
                return Item(a.tensor.compare(_COMPARISONS[operator], b.tensor), a.batched)
            case Binary(operator="@", left=left, right=right):
                states, self.states = self.states, self.states_in_products
                a, b = (yield self.evaluated(left)), (yield self.evaluated(right))
                self.states = states
                return self.product(a, b, node)
            case Binary(operator=operator, left=left, right=right):
                return (yield self.arithmetic(operator, left, right))
            case Call():
                return (yield self.call(node))
        raise TypeError(f"unknown expression {node!r}")

    def arithmetic(self, operator: str, left: Expression, right: Expression) -> Descent[Item]:
        first, second = self.number(left), self.number(right)
        if first is None and second is not None:  # a number is not broadcast
            item = yield self.evaluated(left)
            if operator == "**":
                return Item(constant_power(item.tensor, second), item.batched)
            self.check_number(second, item.tensor.dtype, right)
            return Item(_operate(operator, item.tensor, second), item.batched)
        if first is not None and second is None and operator != "**":
            item = yield self.evaluated(right)
            self.check_number(first, item.tensor.dtype, left)
            return Item(
                _operate(operator, full(self.graph, first, item.tensor.type), item.tensor), item.batched
            )
        items = (yield self.evaluated(left)), (yield self.evaluated(right))
        if operator == "**":  # the exponent may have another dtype
            a, b = self.in_one_shape(*items)
            return Item(power(a.tensor, b.tensor), a.batched)
        a, b = self.aligned(*items)
        return Item(_operate(operator, a.tensor, b.tensor), a.batched)

    def check_number(self, number: int | float, dtype: str, node: Expression | None) -> None:
        """Raises Problem unless the number can be represented in the dtype of its operand."""
        if dtype in FLOATS or (dtype != "bool" and float(number).is_integer()):
            return
        message = f"{number} meets {'a truth value' if dtype == 'bool' else dtype}"
        help = "compare first: x != 0" if dtype == "bool" else f"cast(…, {self.dtype}) makes it a float"
        if node is None:
            raise ShapeError(f"{message}; {help}")
        raise self.problem(message, node, help)

    def aligned(self, *items: Item) -> list[Item]:
        """All values in one shape, with numbers in the dtype of the other operands."""
        dtype = next((item.tensor.dtype for item in items if item.number is None), self.dtype)
        return self.in_one_shape(*(self.as_dtype(item, dtype) for item in items))

    def as_dtype(self, item: Item, dtype: str) -> Item:
        if item.number is None or item.tensor.dtype == dtype:
            return item
        self.check_number(item.number, dtype, None)
        return Item(full(self.graph, item.number, item.tensor.type.with_dtype(dtype)), False, item.number)

    def in_one_shape(self, *items: Item) -> list[Item]:
        shape = reduce(broadcast_shapes, (item.shape for item in items))
        batched = any(item.batched for item in items)
        return [self.lifted(item, shape, batched) for item in items]

    def lifted(self, item: Item, shape: Shape, batched: bool) -> Item:
        tensor = item.tensor
        if not batched or self.batch is None:
            return Item(tensor.to(shape), batched)
        if item.batched:
            missing = len(shape) - len(item.shape)
            tensor = tensor.reshape((self.batch, *(1,) * missing, *item.shape))
        return Item(tensor.to((self.batch, *shape)), batched)

    def product(self, a: Item, b: Item, node: Expression) -> Item:
        """The matrix product: of vectors and matrices in a cell, of any tensors in a layer."""
        if self.batch is None:
            return Item(matmul(a.tensor, b.tensor), False)
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
        # The batch must come first, so the operands are swapped; columns and rows are swapped back afterwards.
        swapped = b.tensor.dot(a.tensor, first, last)
        return Item(swapped.transpose(0, 2, 1) if ranks == (2, 2) else swapped, True)

    def axis(self, node: Call, item: Item) -> int:
        """The option `axis` as an axis of the tensor."""
        axis = node.option("axis")
        assert axis is not None
        if not -len(item.shape) <= axis < len(item.shape):
            raise self.problem(f"there is no axis {axis} in {show(item.shape)}", node)
        return item.batched + axis % len(item.shape)

    def call(self, node: Call) -> Descent[Item]:
        if node.function == "pow":
            return (yield self.arithmetic("**", *node.arguments))
        arguments: list[Item] = []
        for argument in node.arguments:
            arguments.append((yield self.evaluated(argument)))
        first, name = arguments[0], node.function
        if name in POINTWISE:
            return Item(POINTWISE[name](first.tensor), first.batched)
        if name in JOINT:
            same = self.aligned(*arguments)
            return Item(JOINT[name](*(item.tensor for item in same)), same[0].batched)
        if name == "cast":
            assert node.word is not None
            return Item(first.tensor.cast(node.word), first.batched)
        if name in SHAPED:
            numbers = [number.value for number in node.arguments[1:] if isinstance(number, Number)]
            return Item(SHAPED[name](first.tensor, *numbers), first.batched)
        if name == "where":
            if first.tensor.dtype != "bool":
                raise self.problem("where takes a comparison first, such as x > 0", node.arguments[0])
            condition, a, b = self.in_one_shape(first, *self.aligned(*arguments[1:]))
            return Item(where(condition.tensor, a.tensor, b.tensor), condition.batched)
        if name == "index":
            return Item(iota(self.graph, "int64", first.tensor.shape, self.axis(node, first)), first.batched)
        if name == "size":
            return Item(self.size(node, first), False)
        if name == "softmax":
            return Item(activation.softmax(first.tensor, self.axis(node, first)), first.batched)
        if name == "concat":
            return self.concat(node, arguments)
        if name == "convolve":
            return self.convolve(node, *arguments)
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

    def convolve(self, node: Call, x: Item, kernel: Item) -> Item:
        """A convolution over all axes of a sample except the last; the groups follow from the kernel's channels."""
        if kernel.batched:
            raise self.problem("a kernel has no samples: it is a parameter", node.arguments[1])
        tensor = x.tensor if x.batched or self.batch is None else self.lifted(x, x.shape, True).tensor
        rank, shapes = tensor.rank - 2, f"{show(x.shape)} with a kernel {show(kernel.shape)}"
        if rank < 1 or kernel.tensor.rank != rank + 2:
            help = "x [*sizes, c_in], kernel [*window, c_in / groups, filters]"
            raise self.problem(f"convolve of {shapes}: the numbers of axes do not fit", node, help)
        channels, each = tensor.shape[-1], kernel.shape[-2]
        if not isinstance(channels, int) or not isinstance(each, int) or channels % each:
            raise self.problem(f"convolve of {shapes}: {channels} channels are no multiple of {each}", node)
        pad, end, stride, dilation = map(node.option, ("pad", "pad_end", "stride", "dilation"))
        end = pad if end is None else end
        if (pad is None) != (end is None) or min(pad or 0, end or 0) < 0:
            raise self.problem("pad and pad_end are 0 or more, and pad_end is given beside pad", node)
        if not stride or not dilation or min(stride, dilation) < 1:
            raise self.problem("stride and dilation are 1 or more", node)
        spans = [(int(size) - 1) * dilation for size in kernel.shape[:rank]]  # type: ignore[call-overload]
        low = [span // 2 if pad is None else pad for span in spans]
        high = [span - span // 2 if end is None else end for span in spans]
        padded = tensor.pad((0, *low, 0), (0, *high, 0))
        attributes = ConvAttributes((stride,) * rank, (dilation,) * rank, channels // each)
        return Item(padded.apply("conv", kernel.tensor, attrs=attributes), self.batch is not None)

    def size(self, node: Call, item: Item) -> Tensor:
        if node.option("axis") is None:
            return dim_value(self.graph, product(item.shape), "int64")
        return dim_value(self.graph, item.tensor.shape[self.axis(node, item)], "int64")

    def concat(self, node: Call, items: list[Item]) -> Item:
        batched = any(item.batched for item in items)
        items = [self.lifted(item, item.shape, batched) for item in items]
        axis = self.axis(node, items[0])
        for item in items[1:]:
            if len(item.shape) != len(items[0].shape):
                raise self.problem(f"{show(items[0].shape)} and {show(item.shape)} do not join", node)
        return Item(concat([item.tensor for item in items], axis), batched)

    def as_state(
        self, name: str, item: Item, shape: tuple[int, ...], node: Expression, declared: Span
    ) -> Item:
        """The new value of a state, in the state's shape, which is declared at ``declared``."""
        if item.shape != shape or item.tensor.dtype != self.dtype:
            actual = "a truth value" if item.tensor.dtype == "bool" else show(item.shape)
            message = f"the state {name} is {show(shape)}, its new value is {actual}"
            raise self.problem(message, node, labels=[(declared, f"is {show(shape)}")])
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
        case "/":
            return a / b
    b = b if isinstance(b, Tensor) else full(a.graph, b, a.type)
    return floor_divide(a, b) if operator == "//" else modulo(a, b)
