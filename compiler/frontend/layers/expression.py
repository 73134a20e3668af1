"""Expression layers: equations over whole tensors."""

from __future__ import annotations

from netwright.specs.equations.expressions import Binary, Call, Expression, walk
from netwright.specs.models.layers.expression import ExpressionLayer

from ..equations.evaluate import Equations, Item
from ..equations.parameters import declared_parameter
from ..expansion import Expansion
from ..scope import Scope, Signal
from ..tensor import Tensor

#: Functions of more than one element, which would read padding.
_MIXING = ("softmax", "sum", "mean", "max", "min", "concat", "transpose")


def expand_expression(scope: Scope) -> Signal:
    """Evaluates the equation."""
    spec = scope.spec
    assert isinstance(spec, ExpressionLayer)
    tree = scope.expander.load.expressions[spec.name]
    names = {name: Item(signal.tensor, False) for name, signal in zip(spec.names, scope.inputs, strict=True)}
    for name, param in spec.params.items():
        place = scope.expander.load.layer_span(spec.name, "params", name, "init")
        names[name] = Item(declared_parameter(scope, name, param.shape, param.init, place), False)
    equations = Equations(scope.graph, None, scope.dtype, names, {}, {}, ())
    result = equations.item(tree).tensor
    return scope.give(result, _lengths(scope, tree, result))


def _lengths(scope: Scope, tree: Expression, result: Tensor) -> Tensor | None:
    """The lengths of the inputs, if the equation works step by step."""
    having = [signal for signal in scope.inputs if signal.lengths is not None]
    if not having:
        return None
    first = having[0]
    for node in walk(tree):
        if (isinstance(node, Call) and node.function in _MIXING) or (
            isinstance(node, Binary) and node.operator == "@"
        ):
            scope.refuse_lengths(first, "its equation mixes steps", "value")
    if result.shape[:2] != first.shape[:2]:
        scope.refuse_lengths(first, "it does not keep batch and time", "value")
    for signal in having[1:]:
        if signal.lengths != first.lengths:
            raise scope.problem("NW0315", "the inputs have different lengths", "inputs")
    return first.lengths


EXPANSIONS = {
    ExpressionLayer: Expansion(expand_expression, honours_lengths=True),
}
