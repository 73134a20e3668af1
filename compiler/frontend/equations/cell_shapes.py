"""The sizes of a cell's arrays in one use of it: the shapes that it and the cells inside it read bind its letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from netwright.specs.dims import Dim, DimLike, Shape, dim_symbols, substitute
from netwright.specs.equations.cells import Cell
from netwright.specs.equations.expressions import Expression
from netwright.specs.models.layers.recurrent import Recurrent

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...ops.views.layout import show
from ..problem import Label, Problem
from ..scope import Scope
from ..tensor import Tensor
from .cells import CellShapes
from .evaluate import Equations, Item, declarations

_T = TypeVar("_T")


def cell_shapes(
    scope: Scope,
    cell: Cell,
    arguments: Mapping[str, int | float],
    inputs: Sequence[Tensor],
    used_at: Sequence[Label],
) -> CellShapes:
    """The shapes of a cell that reads `inputs` [T, N, …]. Raises Problem."""
    return _Shapes(scope, cell, arguments, inputs, used_at).find()


class _Shapes:
    def __init__(
        self,
        scope: Scope,
        cell: Cell,
        arguments: Mapping[str, int | float],
        inputs: Sequence[Tensor],
        used_at: Sequence[Label],
    ):
        self.scope, self.cell, self.arguments, self.used_at = scope, cell, arguments, used_at
        self.batch = inputs[0].shape[1]
        self.samples = {name: tensor.shape[2:] for name, tensor in zip(cell.inputs, inputs, strict=True)}
        self.binding: dict[str, DimLike] = {
            name: value for name, value in arguments.items() if isinstance(value, int)
        }

    def find(self) -> CellShapes:
        scope, cell = self.scope, self.cell
        for name, shape in cell.inputs.items():
            self.bind(shape, self.samples[name])
        for position, (name, shape) in enumerate(cell.inputs.items()):
            expected = self.known(shape)
            if expected != self.samples[name]:
                signal = scope.inputs[position]
                actual = show(self.samples[name])
                message = f"the cell's input {name} is {show(expected)} a step, this is {actual}"
                raise scope.problem(
                    "NW0308",
                    message,
                    labels=[*scope.blame(signal), *declared_input(scope, cell, name), *self.used_at],
                )
        if any(isinstance(size, Dim) for size in self.binding.values()):
            scope.static(scope.inputs[0], what="the number of features")
        if cell.bound:
            self.bind_inside()
        states = {name: self.sizes(state.shape) for name, state in cell.states.items()}
        params = {name: self.sizes(param.shape) for name, param in cell.params.items()}
        return CellShapes(self.samples, states, params, self.arguments)

    def bind(self, shape: Shape, actual: Shape) -> None:
        """Binds the letters that are a whole size in a written shape."""
        for size, value in zip(shape, actual, strict=True):
            if isinstance(size, Dim) and str(size) in dim_symbols(size):
                self.binding.setdefault(str(size), value)

    def known(self, shape: Shape) -> Shape:
        return tuple(substitute(size, self.binding) for size in shape)

    def sizes(self, shape: Shape) -> tuple[int, ...]:
        sizes = []
        for size in shape:
            value = substitute(size, self.binding)
            if not isinstance(value, int):
                message = f"the size {size} of {self.cell.name} is not known"
                raise self.scope.problem("NW0314", message)
            if value < 1:
                message = f"the size {size} of {self.cell.name} is {value} here"
                raise self.scope.problem("NW0313", message, "with")
            sizes.append(value)
        return tuple(sizes)

    def bind_inside(self) -> None:
        """Runs through the steps once, to find the sizes of what the cells inside read."""
        graph, cell, dtype = Graph("shapes"), self.cell, self.scope.dtype

        def array(name: str, shape: Shape) -> Tensor:
            return Tensor(graph, graph.input(name, TensorType(dtype, shape), "body"))

        def state(name: str) -> Tensor:
            return array(f"prev({name})", (self.batch, *self.sizes(cell.states[name].shape)))

        names = _Lazy(lambda name: Item(array(name, self.sizes(cell.params[name].shape)), False))
        for name, shape in self.samples.items():
            names[name] = Item(array(name, (self.batch, *shape)), True)
        equations = Equations(graph, self.batch, dtype, names, _Lazy(state), self.arguments, self.used_at)
        equations.places = declarations(cell)
        for step in cell.steps:
            for name, item in zip(step.targets, equations.items(step.value), strict=True):
                if name in cell.bound:
                    self.bind_input(name, item.shape, step.value)
                if name in cell.states:
                    own = cell.states[name]
                    item = equations.as_state(name, item, self.sizes(own.shape), step.value, own.span)
                names[name] = item

    def bind_input(self, name: str, actual: Shape, value: Expression) -> None:
        """Binds the letters of a cell inside to the shape of what it reads. Raises Problem if the shapes disagree."""
        written = self.cell.bound[name]
        if len(written) == len(actual):
            self.bind(written, actual)
        expected = self.known(written)
        if expected != actual:
            inner, _, own = name.rpartition(".")
            shape = show(expected).replace(f"{inner}.", "")
            message = f"{own} of the cell {inner} is {shape}, this is {show(actual)}"
            raise Problem("NW0511", message, value.span, labels=self.used_at)


def declared_input(scope: Scope, cell: Cell, name: str) -> list[Label]:
    """Labels the place where a cell of the spec declares the shape of an input."""
    if not isinstance(scope.spec, Recurrent):
        return []
    place = scope.expander.load.span(("cells", cell.name, "input", name), key=True)
    return [(place, f"{name} is {show(cell.inputs[name])} at each step")]


class _Lazy(dict[str, _T]):
    """A dict whose values are computed when they are first read."""

    def __init__(self, make: Callable[[str], _T]):
        super().__init__()
        self.make = make

    def __missing__(self, name: str) -> _T:
        self[name] = value = self.make(name)
        return value
