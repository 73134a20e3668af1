"""Losses that are written as equations of outputs, targets and inputs."""

from __future__ import annotations

from collections.abc import Iterable

from netwright.specs.checks.wiring import Ref
from netwright.specs.dims import Shape
from netwright.specs.equations.expressions import Expression, Name, walk
from netwright.specs.models.losses import ExpressionLoss
from netwright.specs.source.tree import Path

from ...graph.types import FLOATS
from ...ops.views.layout import show
from ..equations.evaluate import Equations, Item
from ..problem import Problem, show_type
from ..scope import Signal
from ..tensor import Tensor
from .outputs import Outputs, zeroed

Counting = dict[Shape, Tensor]
"""Which steps count, by the sizes [N, T] of the steps."""


def equation_elements(
    outputs: Outputs, loss: ExpressionLoss, equation: Expression, path: Path
) -> tuple[Tensor, Tensor | None] | None:
    """The value of a loss that is an equation, and which of its steps count (None: all); None if it reads something
    that is poisoned. Raises Problem.
    """
    load, targets, expander = outputs.load, outputs.targets, outputs.expander
    read = dict.fromkeys(part.id for part in walk(equation) if isinstance(part, Name))
    read_outputs = {name: outputs.signal(name) for name in read if name in expander.spec.outputs}
    given = {name: expander.signals.get(Ref(name)) for name in read if name in expander.spec.inputs}
    signals = {name: signal for name, signal in {**read_outputs, **given}.items() if signal is not None}
    if len(signals) < len(read_outputs) + len(given):
        return None
    place = load.span((*path, "value"))
    if not read_outputs:
        help = f"the outputs are {', '.join(expander.spec.outputs)}"
        raise Problem("NW0406", "the equation reads no output", place, help=help)
    tensors = {name: signal.tensor for name, signal in signals.items()}
    for name in read:
        if name not in signals and (type := targets.declared(name)) is not None:
            targets.check_float(name, type, place)
            tensors[name] = targets.tensor(name, type)
    counting = _counting(outputs, loss, {name: signals[name] for name in read_outputs}, given.values(), path)
    items = {name: Item(_cleared(tensor, counting), False) for name, tensor in tensors.items()}
    value = Equations(expander.graph, None, expander.dtype, items, {}, {}, ()).item(equation).tensor
    _check(value, {name: signals[name] for name in read_outputs}, outputs, path)
    return value, counting.get(value.shape[:2])


def _counting(
    outputs: Outputs,
    loss: ExpressionLoss,
    read_outputs: dict[str, Signal],
    given: Iterable[Signal | None],
    path: Path,
) -> Counting:
    """Which steps count: those that exist in all that is read, and that the mask selects."""
    counting: Counting = {}

    def add(steps: Tensor | None) -> None:
        if steps is not None:
            known = counting.get(steps.shape)
            counting[steps.shape] = steps if known is None else known.both(steps)

    for signal in given:
        if signal is not None:
            add(signal.valid())
    first = next(iter(read_outputs))
    fitting = [name for name, signal in read_outputs.items() if outputs.mask_fits(loss, signal)] or [first]
    for name, signal in read_outputs.items():
        add(outputs.counting(name, signal, loss, path, own=name in fitting))
    return counting


def _cleared(tensor: Tensor, counting: Counting) -> Tensor:
    """Zeros in the steps that do not count."""
    steps = counting.get(tensor.shape[:2])
    return tensor if steps is None or tensor.dtype == "bool" else zeroed(steps, tensor)


def _check(value: Tensor, read_outputs: dict[str, Signal], outputs: Outputs, path: Path) -> None:
    """Raises Problem unless the value is a number per sample, step or element."""
    (first, signal), *_ = read_outputs.items()
    place, labels = outputs.load.span((*path, "value")), outputs.origin(signal)
    if value.dtype not in FLOATS:
        message = f"a loss is floats, this is {show_type(value.dtype, value.shape)}"
        help = "where(…, 1, 0)" if value.dtype == "bool" else f"cast(…, {outputs.expander.dtype})"
        raise Problem("NW0406", message, place, labels=labels, help=help)
    if not value.rank or value.shape[0] != signal.shape[0]:
        message = f"a loss has a number per sample, [{signal.shape[0]}, …], this is {show(value.shape)}"
        help = f"sum(…, axis=-1) instead of sum(…): {first} is {show(signal.shape)}"
        raise Problem("NW0406", message, place, labels=labels, help=help)
