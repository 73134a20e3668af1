"""Truncated backpropagation: whether the loss and the metrics can be computed window by window.

Each window of the time axis is a training step with the targets of its own steps. That amounts to training on the
whole sequence only if the output has the time axis, and nothing on the way to it is one value for all steps: a final
state, a mean over time, or the last step would be computed anew for every window. The check reads the graph's shapes,
so it works for every layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netwright.specs.diagnostics.fixes import replaced
from netwright.specs.dims import Dim, DimLike, counted, dim, dim_symbols
from netwright.specs.equations.expressions import Name, walk
from netwright.specs.load import LoadResult
from netwright.specs.models.base import read_shape
from netwright.specs.models.layers.recurrent import RecurrentLayer
from netwright.specs.models.losses import ALIGNED, Comparison, LossSpec
from netwright.specs.models.train import TrainSpec
from netwright.specs.source.tree import Path, Span

from ...graph.analysis import ancestors, dependents
from ...graph.node import Node, Value
from ...graph.types import TensorType
from ...ops.views.layout import show
from ..expander import Expander
from ..problem import Label, Problem


def time_dim(inputs: Iterable[TensorType], dims: Mapping[str, object]) -> str | None:
    """The open dim that counts steps: the second axis of the first input that has one."""
    for type in inputs:
        if type.rank >= 2 and str(type.shape[1]) in dims:
            return str(type.shape[1])
    return None


def check_windows(load: LoadResult, train: TrainSpec, expander: Expander) -> Iterator[Problem]:
    """Checks that the loss and the metrics of a spec with windows can be computed window by window."""
    place = load.span(("train", "bptt"), key=True)
    types = {
        name: TensorType(spec.dtype, read_shape(spec.shape)) for name, spec in expander.spec.inputs.items()
    }
    time = time_dim(types.values(), expander.spec.dims)
    complete = not load.diagnostics.has_errors and len(expander.layers) == len(load.entries)
    if time is None:
        if complete:
            shown = ", ".join(show(type.shape) for type in types.values())
            help = "name the time axis with a dim: dims: {T: time}, shape: [N, T, …]"
            message = f"bptt cuts sequences of any length into windows, the inputs are {shown}"
            labels = [(load.span(("inputs", name, "shape")), "read here") for name in types]
            yield Problem("NW0408", message, place, labels=labels, help=help)
        return
    yield from _check_size(load, train, expander, time)
    whole = [loss for loss in train.comparisons if isinstance(loss, ALIGNED)]
    if whole:
        message = f"bptt makes an update at each window, but {whole[0].type} compares whole sequences"
        labels = [(load.span((*train.path_of(loss), "type")), "compared here") for loss in whole]
        yield Problem("NW0408", message, place, labels=labels, help="no bptt")
        return
    last = [loss for loss in train.comparisons if isinstance(loss, LossSpec) and loss.steps == "last"]
    if last:
        message = "bptt makes an update at each window, but only the last step of a sequence counts"
        labels = [(load.span((*train.path_of(loss), "steps")), "last") for loss in last]
        yield Problem("NW0408", message, place, labels=labels, help="steps: all, or no bptt")
        return
    axis = counted(dim(time), expander.multiples)
    assert isinstance(axis, Dim)
    seen: set[str] = set()
    compared: list[tuple[str, Path]] = []
    for position, loss in enumerate(train.losses):
        path, equation = train.loss_path(position), load.loss_expressions.get(position)
        if isinstance(loss, Comparison):
            compared.append((loss.output, (*path, "output")))
        names = [part.id for part in walk(equation) if isinstance(part, Name)] if equation else []
        compared += [(name, (*path, "value")) for name in names if name in load.wiring.outputs]
    compared += [
        (metric.output, ("train", "metrics", i, "output"))
        for i, metric in enumerate(train.metrics)
        if metric.output
    ]
    for output, path in compared:
        if output not in seen:
            seen.add(output)
            yield from _check_output(expander, output, axis, place, (load.span(path), "compared here"))


def _check_size(load: LoadResult, train: TrainSpec, expander: Expander, time: str) -> Iterator[Problem]:
    """Checks that the time axis can have a window's size. Windows longer than any sequence are fine: they cut
    nothing."""
    assert train.bptt is not None
    assert train.bptt.window is not None
    size, spec = train.bptt.window, expander.spec.dims[time]
    if size < spec.least or size % spec.multiple_of:
        wanted = f"at least {spec.least}"
        wanted += f" and a multiple of {spec.multiple_of}" if spec.multiple_of > 1 else ""
        fitting = max(spec.least, -(-size // spec.multiple_of) * spec.multiple_of)
        place = load.span(("train", "bptt", "window"))
        message = f"windows of {size} steps, but {time} is {wanted}"
        labels = [(load.span(("dims", time), key=True), "declared here")]
        fixes = replaced(load.node(("train", "bptt", "window")), fitting)
        yield Problem("NW0408", message, place, labels=labels, help=f"window: {fitting}", fixes=fixes)


def _check_output(
    expander: Expander, output: str, time: Dim, place: Span, compared: Label
) -> Iterator[Problem]:
    ref = expander.load.wiring.outputs.get(output)
    signal = expander.signals.get(ref) if ref else None
    if signal is None:
        return
    graph = expander.graph
    windowed = [value for value in graph.inputs.values() if time in graph.type(value).shape]
    depends = dependents(graph, windowed)
    needed = ancestors(graph, [signal.tensor.value])
    collapsed = [
        node
        for node in map(graph.node, range(len(graph)))
        for value in node.values
        if value in needed and value in depends and not _has(expander, value, time)
    ]
    label = _label(expander, collapsed[0], time) if collapsed else None
    if time not in signal.shape[1:]:
        message = f"bptt makes an update at each window of {time}, but {output} is {show(signal.shape)}: "
        if _mentions(signal.shape, time):
            message += "it does not have one row for each step"
        else:
            message += "each window would be compared with the target of the whole sequence"
    elif collapsed:
        layer = collapsed[0].layer
        message = (
            f"bptt cuts {time} into windows, and each would have a {layer} of its own, computed from its "
        )
        message += f"steps alone; {output} is computed from the {layer} of the whole sequence"
    else:
        return
    labels = [compared, *([label] if label else [])]
    help = _help(expander, collapsed[0], time) if collapsed else f"an output [N, {time}, …], or no bptt"
    yield Problem("NW0408", message, place, labels=labels, help=help)


def _has(expander: Expander, value: Value, time: Dim) -> bool:
    return _mentions(expander.graph.type(value).shape, time)


def _mentions(shape: Iterable[DimLike], time: Dim) -> bool:
    return any(time.symbols <= dim_symbols(size) for size in shape)


def _label(expander: Expander, node: Node, time: Dim) -> Label | None:
    if not node.layer or node.layer not in expander.load.entries:
        return None
    return expander.load.layer_span(node.layer), f"{time} ends here"


def _help(expander: Expander, node: Node, time: Dim) -> str:
    layer = expander.layer(node.layer)
    if isinstance(layer, RecurrentLayer) and not layer.return_sequences:
        return f"return_sequences: true in {layer.name} keeps the time axis; or no bptt"
    return f"an output whose steps need no more than the steps before them, [N, {time}, …]; or no bptt"
