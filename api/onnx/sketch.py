"""The network as it grows during an import. Each layer is expanded at once, so the shape of its output comes from the
compiler itself, without a second set of shape rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from netwright.compiler.frontend.expander import Expander
from netwright.compiler.frontend.expansion import Ports
from netwright.compiler.frontend.layers.registry import EXPANSIONS
from netwright.compiler.frontend.problem import Problem
from netwright.compiler.frontend.scope import Origin, Scope, Signal
from netwright.compiler.frontend.tensor import Tensor
from netwright.compiler.graph.rules import ShapeError
from netwright.compiler.graph.types import TensorType
from netwright.specs.checks.typed_layers import LayerEntry
from netwright.specs.checks.wiring import Ref
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.dims import Shape, dim_symbols
from netwright.specs.equations.cells import Cell, compile_cell
from netwright.specs.equations.expressions import Expression
from netwright.specs.equations.parser import ExpressionError, Writing, parse_expression
from netwright.specs.expansion.placement import Placement
from netwright.specs.load import LoadResult
from netwright.specs.models.cells import CellSpec
from netwright.specs.models.layers import LAYERS
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.expression import ExpressionLayer
from netwright.specs.models.spec import ModelSpec
from netwright.specs.reading.documents import read_text
from netwright.specs.source.tree import Path, Span

from .errors import Refusal

_NOWHERE = Span("<import>", 1, 1, 1, 1)


class _Misfit(Refusal):
    """A layer does not accept its inputs."""


class _Nowhere(dict):
    """Layers without a place in a source text."""

    def __missing__(self, name: str) -> LayerEntry:
        return LayerEntry(name, None, (), {}, None, Placement())


class _Unplaced(LoadResult):
    """A spec that has not been written yet: everything in it has the same place."""

    def layer_span(self, layer: str, *path: str | int, key: bool = False) -> Span:
        return _NOWHERE

    def span(self, path: Path, *, key: bool = False) -> Span:
        return _NOWHERE


class Sketch(Expander):
    """A graph that grows layer by layer. ``dtype`` is the model's float dtype."""

    def __init__(self, dtype: str):
        partial = ModelSpec.model_construct(netwright=1, model="sketch", inputs={}, layers=(), outputs={})
        self._equations: dict[str, Expression] = {}
        self._cells: dict[str, Cell] = {}
        load = _Unplaced(
            "<import>",
            None,
            partial,
            None,
            Diagnostics(),
            expressions=self._equations,
            cells=self._cells,
            entries=_Nowhere(),
        )
        super().__init__(load, "sketch", EXPANSIONS, diagnostics=Diagnostics())
        self.dtype = dtype
        self._specs: dict[str, LayerSpec] = {}

    def layer(self, name: str) -> LayerSpec | None:
        return self._specs.get(name)

    def declare(self, name: str, dtype: str, shape: Shape) -> None:
        """Adds an input of the network."""
        tensor = Tensor(self.graph, self.graph.input(name, TensorType(dtype, shape)))
        self.signals[Ref(name)] = Signal(tensor, (Origin(name, "is an input"),) * len(shape))

    def type_of(self, ref: str) -> TensorType:
        """The type of the value that a reference names."""
        return self.signals[_ref(ref)].tensor.type

    def attach_lengths(self, ref: str, lengths: str) -> None:
        """Sets the lengths of an input's sequences."""
        signal = self.signals[_ref(ref)]
        self.signals[_ref(ref)] = Signal(signal.tensor, signal.origins, self.signals[_ref(lengths)].tensor)

    def add_cell(self, name: str, text: str) -> None:
        """A cell, given as YAML. Raises Refusal if the language does not accept it."""
        self._cells[name] = compiled(name, text)

    def least_of(self, size: str) -> int:
        """The least value that an open size must have."""
        return self.ranges.get(size, (1, None))[0] or 1

    def _expanded(self, scope: Scope) -> Signal | Ports:
        """Adds a layer, whose expansion it returns. Raises Refusal."""
        try:
            return self.expansions[type(scope.spec)].expand(scope)
        except Problem as problem:
            raise _Misfit(problem.diagnostic.message) from None
        except ShapeError as error:
            raise _Misfit(str(error)) from None

    def _with_room(self, scope: Scope, misfit: Refusal) -> Signal | Ports:
        """The same, with larger least values for open sizes if needed.

        ONNX can't declare the least value of an open size, so it follows from the layers. Raises ``misfit`` if no size
        helps.
        """
        names = sorted({name for own in scope.inputs for size in own.shape[1:] for name in dim_symbols(size)})
        before = {name: self.least_of(name) for name in names}
        most = {name: self.ranges.get(name, (1, None))[1] for name in names}

        def fits() -> bool:
            with suppress(_Misfit):
                self._expanded(scope)
                return True
            return False

        for least in (2**power for power in range(1, 13)):
            for name in names:
                self.ranges[name] = (max(least, before[name]), most[name])
            if names and fits():
                break
        else:
            for name in names:
                self.ranges[name] = (before[name], most[name])
            raise misfit
        for name in names:
            low, high = before[name], self.least_of(name)
            while low < high:
                middle = (low + high) // 2
                self.ranges[name] = (middle, most[name])
                low, high = (low, middle) if fits() else (middle + 1, high)
            self.ranges[name] = (high, most[name])
        return self._expanded(scope)

    def add(
        self,
        layer: Mapping[str, Any],
        inputs: Sequence[str],
        given: Mapping[str, str] | None = None,
        ports: Sequence[str] = (),
    ) -> None:
        """Expands a layer. Raises Refusal if the language does not accept it."""
        try:
            spec = LAYERS[layer["type"]].model_validate(dict(layer))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            if first["type"] == "greater_than_equal" and first["input"] == 0:
                raise Refusal(f"an empty tensor: {key} of {layer['type']} would be 0") from None
            if first["type"] == "too_long":
                limits = first.get("ctx", {})
                counted = f"{limits['actual_length']} entries of {key}"
                raise Refusal(f"{counted}: {layer['type']} takes at most {limits['max_length']}") from None
            raise Refusal(f"no layer {layer['type']} can do this: {key}: {first['msg']}") from None
        if isinstance(spec, ExpressionLayer):
            self._equations[spec.name] = _parsed(spec.value)
        refs = [_ref(name) for name in inputs]
        starts = {state: self.signals[_ref(name)] for state, name in (given or {}).items()}
        signals = [self.signals[ref] for ref in refs]
        scope = Scope(self, spec, signals, refs, starts, frozenset({"", *ports}))
        self._specs[spec.name] = spec
        self.graph.layer = spec.name
        try:
            result = self._expanded(scope)
        except _Misfit as misfit:
            result = self._with_room(scope, misfit)
        outputs = {"": result} if isinstance(result, Signal) else dict(result)
        for port, signal in outputs.items():
            self.signals[Ref(spec.name, port or None)] = signal


def _ref(text: str) -> Ref:
    name, _, port = text.partition(".")
    return Ref(name, port or None)


def _parsed(text: str) -> Expression:
    try:
        return parse_expression(Writing.at(text, _NOWHERE))
    except ExpressionError as error:
        raise Refusal(f"no equation can do this: {error.message}") from None


def compiled(name: str, text: str) -> Cell:
    """Compiles a cell from its YAML. Raises Refusal if the language does not accept it."""
    diagnostics = Diagnostics()
    tree = read_text(text, "<import>", diagnostics)
    try:
        spec = CellSpec.model_validate(tree.value) if tree else None
    except ValidationError as error:
        raise Refusal(f"no cell can do this: {error.errors()[0]['msg']}") from None
    cell = compile_cell(name, spec, tree, (), diagnostics) if tree and spec else None
    if cell is None:
        raise Refusal(f"no cell can do this: {next(iter(diagnostics.errors)).message}")
    return cell
