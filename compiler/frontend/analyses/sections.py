"""Checks between the sections of a spec: inputs, outputs, targets, training."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.specs.load import LoadResult
from netwright.specs.models.layers.reduction import Argmax
from netwright.specs.models.losses import ALIGNED, Comparison
from netwright.specs.models.train import TrainSpec
from netwright.specs.source.tree import Span

from ...graph.analysis import ancestors
from ...graph.types import FLOATS
from ...ops.base import primitive
from ..expander import Expander
from ..origins import Origin
from ..patterns import check_patterns, frozen_at
from ..problem import Problem
from .checkpoint import check_checkpoint
from .windows import check_windows


def check_outputs(load: LoadResult, expander: Expander) -> Iterator[Problem]:
    """Checks that an output's name is not taken, and that it has one label per class."""
    assert load.partial is not None
    taken = {name: ("an input", load.span(("inputs", name), key=True)) for name in load.partial.inputs}
    if train := load.partial.train:
        for name, place in _targets(load, train):
            taken.setdefault(name, ("a target", place))
    for name, spec in load.partial.outputs.items():
        if name in taken:
            what, place = taken[name]
            message = f"there is already {what} named {name}"
            labels = [(place, "here")]
            yield Problem("NW0301", message, load.span(("outputs", name), key=True), labels=labels)
        counted = _classes(load, expander, name) if spec.labels else None
        if spec.labels and counted and counted[0] != len(spec.labels):
            message = f"{len(spec.labels)} labels for {counted[0]} classes"
            ref = load.wiring.outputs[name]
            labels = [
                *expander.origin_label(counted[1]),
                *expander.origin_label(Origin(ref.name, "read here")),
            ]
            yield Problem("NW0308", message, load.span(("outputs", name, "labels")), labels=labels)


def _targets(load: LoadResult, train: TrainSpec) -> Iterator[tuple[str, Span]]:
    """The names of targets and their places: first those that are declared, then those that are only used."""
    yield from ((name, load.span(("train", "targets", name), key=True)) for name in train.targets)
    for position, loss in enumerate(train.losses):
        if isinstance(loss, Comparison):
            yield loss.target, load.span((*train.loss_path(position), "target"))
        if isinstance(loss, ALIGNED) and loss.target_lengths:
            yield loss.target_lengths, load.span((*train.loss_path(position), "target_lengths"))
    for position, metric in enumerate(train.metrics):
        if metric.target:
            yield metric.target, load.span(("train", "metrics", position, "target"))


def _classes(load: LoadResult, expander: Expander, output: str) -> tuple[int, Origin] | None:
    """The number of classes that an output distinguishes, and the origin of that number; None if unknown."""
    ref = load.wiring.outputs.get(output)
    signal = expander.signals.get(ref) if ref else None
    if ref is None or signal is None:
        return None
    layer, axis = expander.layer(ref.name), -1
    if isinstance(layer, Argmax):
        signal, axis = expander.signals[load.wiring.inputs[layer.name][0]], layer.axis
    elif signal.dtype not in FLOATS or signal.rank < 2:
        return None
    size = signal.shape[axis]
    return (size, signal.origins[axis]) if isinstance(size, int) else None


def check_training(load: LoadResult, train: TrainSpec, expander: Expander) -> Iterator[Problem]:
    """Checks that there is something to train, that its gradients exist, and that bptt has steps to cut."""
    # Something may be missing because of another error.
    complete = not load.diagnostics.has_errors and len(expander.layers) == len(load.entries)
    parameters = [param for param in expander.parameters.values() if param.kind == "parameter"]
    if complete:
        yield from check_patterns(load, train, expander.parameters)
    if complete and not any(param.trained for param in parameters):
        what = "all parameters are frozen" if parameters else "no layer has parameters"
        message = f"{what}: there is nothing to train"
        labels = [(place, "frozen here") for place in frozen_at(load, train, parameters)]
        yield Problem("NW0409", message, load.span(("train",), key=True), labels=labels)
    if train.precision != "float32" and expander.dtype != "float32":
        message = f"precision: {train.precision} is for networks in float32, and this one computes in {expander.dtype}"
        yield Problem(
            "NW0212", message, load.span(("train", "precision")), help="no precision, or dtype: float32"
        )
    if complete:
        yield from _without_gradient(load, expander)
    if train.windows is not None:
        yield from check_windows(load, train, expander)
    if complete:
        yield from check_checkpoint(load, train, expander)


def _without_gradient(load: LoadResult, expander: Expander) -> Iterator[Problem]:
    """Layers between parameters and the loss that no gradient passes through."""
    graph = expander.graph
    sums = [
        value
        for name, value in graph.outputs.items()
        if name.startswith("loss.") and name.endswith(".numerator")
    ]
    needed = ancestors(graph, sums)
    learned = {graph.inputs[name] for name, param in expander.parameters.items() if param.trained}
    told: set[str] = set()
    for node in graph:
        if node.op in ("input", "stop_gradient") or learned.isdisjoint(graph.operands(node)):
            continue
        learned.update(node.values)
        reason = primitive(node.op).without_gradient(node.attrs)
        if reason and node.layer in load.entries and node.layer not in told and node.values[0] in needed:
            told.add(node.layer)
            yield Problem(
                "NW0410", f"{node.layer} can't be trained through: {reason}", load.layer_span(node.layer)
            )
