"""The network as it grows during an import: each layer is expanded at once, so that its output's shape is what
the compiler itself says, and not a second set of shape rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from netwright.compiler.frontend.expander import Expander
from netwright.compiler.frontend.problem import Problem
from netwright.compiler.frontend.registry import EXPANSIONS
from netwright.compiler.frontend.scope import Origin, Scope, Signal
from netwright.compiler.frontend.tensor import Tensor
from netwright.compiler.graph.types import TensorType
from netwright.compiler.ops.base import ShapeError
from netwright.specs.diagnostics import Diagnostics
from netwright.specs.dims import Shape
from netwright.specs.expression_parser import ExpressionError, Writing, parse_expression
from netwright.specs.expressions import Expression
from netwright.specs.layers import LAYERS, ExpressionLayer, LayerSpec
from netwright.specs.load import LoadResult
from netwright.specs.model import ModelSpec
from netwright.specs.source import Path, Span
from netwright.specs.wiring import Ref

from .errors import Refusal

_NOWHERE = Span("<import>", 1, 1, 1, 1)


class _Unplaced(LoadResult):
    """A spec that is not written yet: everything in it has one place."""

    def layer_span(self, layer: str, *path: str | int, key: bool = False) -> Span:
        return _NOWHERE

    def span(self, path: Path, *, key: bool = False) -> Span:
        return _NOWHERE


class Sketch(Expander):
    """A graph that grows layer by layer. ``dtype`` is the model's float dtype."""

    def __init__(self, dtype: str):
        partial = ModelSpec.model_construct(netwright=1, model="sketch", inputs={}, layers=(), outputs={})
        self._equations: dict[str, Expression] = {}
        load = _Unplaced("<import>", None, partial, None, Diagnostics(), expressions=self._equations)
        super().__init__(load, "sketch", EXPANSIONS, diagnostics=Diagnostics())
        self.dtype = dtype
        self._specs: dict[str, LayerSpec] = {}

    def layer(self, name: str) -> LayerSpec | None:
        return self._specs.get(name)

    def declare(self, name: str, dtype: str, shape: Shape) -> None:
        """An input of the network."""
        tensor = Tensor(self.graph, self.graph.input(name, TensorType(dtype, shape)))
        self.signals[Ref(name)] = Signal(tensor, (Origin(name, "is an input"),) * len(shape))

    def type_of(self, ref: str) -> TensorType:
        """The type of what a reference names."""
        return self.signals[_ref(ref)].tensor.type

    def attach_lengths(self, ref: str, lengths: str) -> None:
        """Gives an input's sequences their lengths."""
        signal = self.signals[_ref(ref)]
        self.signals[_ref(ref)] = Signal(signal.tensor, signal.origins, self.signals[_ref(lengths)].tensor)

    def add(
        self,
        layer: Mapping[str, Any],
        inputs: Sequence[str],
        given: Mapping[str, str] | None = None,
        ports: Sequence[str] = (),
    ) -> None:
        """Expands a layer. Raises Refusal where the language does not accept it."""
        try:
            spec = LAYERS[layer["type"]].model_validate(dict(layer))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
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
            result = self.expansions[type(spec)].expand(scope)
        except Problem as problem:
            raise Refusal(problem.diagnostic.message) from None
        except ShapeError as error:
            raise Refusal(str(error)) from None
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
