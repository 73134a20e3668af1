"""From a loaded spec to a network: every layer is expanded, and everything that is wrong is found in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from netwright.specs.checks.wiring import Ref
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.dims import Dim
from netwright.specs.load import LoadResult
from netwright.specs.manifest import DimInfo
from netwright.specs.models.base import read_shape
from netwright.specs.models.layers import Argmax
from netwright.specs.models.train import TrainSpec

from ..autodiff import gradients
from ..graph.graph import Graph
from ..graph.types import FLOATS, TensorType
from ..ops.layout import show
from ..pipeline import prepare
from .analyses.budget import check_budget
from .analyses.prognosis import warn_of_gradients
from .equations.tensor import Tensor
from .expander import Expander
from .layers.registry import EXPANSIONS
from .network import Graphs, LayerInfo, Network, OutputInfo, Parameter, State
from .origins import Origin
from .problem import Problem
from .training.fitting import fit_graph
from .training.objective import Objective
from .training.optimizers import Updater, clipped, state_types


@dataclass(frozen=True)
class Examined:
    """What is known of a spec, right or wrong: of the layers those whose shapes could be found."""

    network: Network | None
    diagnostics: Diagnostics
    inputs: Mapping[str, TensorType] = field(default_factory=dict)
    layers: tuple[LayerInfo, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def build_network(load: LoadResult) -> tuple[Network | None, Diagnostics]:
    """The network of a spec, and all diagnostics: those of loading, and of shapes, losses and cells.

    The network is None when there is any error. What is good in a spec with errors is checked all the same.
    """
    examined = examine(load)
    return examined.network, examined.diagnostics


def examine(load: LoadResult) -> Examined:
    """The network of a spec as `build_network` gives it, and what is known where there is none."""
    diagnostics = Diagnostics(load.diagnostics.items, load.diagnostics.sources.values())
    if load.partial is None:
        return Examined(None, diagnostics)
    network = None
    checked = _expanded(load, "loss", diagnostics=diagnostics)
    for problem in _check_outputs(load, checked):
        diagnostics.add(problem.diagnostic)
    train = load.partial.train
    objective = Objective(checked, train) if train else None
    if train and objective:
        try:
            _build_loss(checked, objective)
        except Problem as problem:
            diagnostics.add(problem.diagnostic)
        for problem in _check_training(load, train, checked):
            diagnostics.add(problem.diagnostic)
    warn_of_gradients(checked)
    diagnostics.sort()
    if load.model is not None and not diagnostics.has_errors:
        network = _network(load, checked, objective)
        for found in check_budget(load, network):
            diagnostics.add(found)
        network = None if diagnostics.has_errors else network
    inputs = {
        ref.name: one.tensor.type for ref, one in checked.signals.items() if ref.name in checked.spec.inputs
    }
    return Examined(network, diagnostics, inputs, tuple(checked.layers), checked.parameters)


def _expanded(
    load: LoadResult, name: str, *, training: bool = False, diagnostics: Diagnostics | None = None
) -> Expander:
    expander = Expander(load, name, EXPANSIONS, training=training, diagnostics=diagnostics)
    expander.expand()
    return expander


def _network(load: LoadResult, checked: Expander, objective: Objective | None) -> Network:
    model = checked.spec
    builders: dict[str, Callable[[], Graph]] = {"predict": lambda: _predict(load)}
    states: dict[str, State] = {}
    if model.train and objective:
        train = model.train
        training = _expanded(load, "train_step", training=True)
        types = {name: one.type for name, one in checked.parameters.items() if one.kind == "parameter"}
        states["optimizer.step"] = State(TensorType("int64", ()))
        states |= {name: State(type) for name, type in state_types(train.optimizer, types).items()}
        states |= {name: state for name, state in training.states.items() if name not in states}
        builders["loss"] = lambda: checked.graph
        builders["train_step"] = lambda: _train_step(load, train)
        if checked.fitted:
            builders["fit"] = lambda: fit_graph(_expanded(load, "fit"))
    outputs = {
        name: OutputInfo(checked.signals[ref].tensor.type, model.outputs[name].labels)
        for name, ref in load.wiring.outputs.items()
    }
    return Network(
        model=model.model,
        dtype=checked.dtype,
        dims={
            name: DimInfo(name=name, min=one.min, max=one.max, role=one.role)
            for name, one in model.dims.items()
        },
        inputs={name: checked.signals[Ref(name)].tensor.type for name in model.inputs},
        outputs=outputs,
        targets=dict(objective.targets) if objective else {},
        parameters=dict(checked.parameters),
        states=states,
        layers=tuple(checked.layers),
        seed=checked.seed,
        fitted=tuple(checked.fitted),
        graphs=Graphs(builders),
    )


# Entries.


def _predict(load: LoadResult) -> Graph:
    expander = _expanded(load, "predict")
    for name, ref in load.wiring.outputs.items():
        expander.graph.set_output(name, expander.signals[ref].tensor.value)
    return expander.graph


def layer_graph(load: LoadResult) -> Graph:
    """The graph of all layers of a valid spec, for analyses: an output for each layer's value (``layer``) and port
    (``layer.port``), whether anything reads it or not."""
    expander = _expanded(load, "layers")
    for ref, signal in expander.signals.items():
        if ref.name not in expander.spec.inputs:
            expander.graph.set_output(str(ref), signal.tensor.value)
    return expander.graph


def _build_loss(expander: Expander, objective: Objective) -> None:
    for name, value in objective.build().items():
        expander.graph.set_output(name, value.value)


def _train_step(load: LoadResult, train: TrainSpec) -> Graph:
    """Forward in training mode, backward, update."""
    expander = _expanded(load, "train_step", training=True)
    objective = Objective(expander, train)
    sums = objective.build()
    forward = expander.graph
    for name, value in {**sums, **expander.updates}.items():
        forward.set_output(name, value.value)
    mean = sums["loss.numerator"] / sums["loss.count"].maximum(1)
    forward.set_output("loss.mean", mean.value)
    trained = [name for name, one in expander.parameters.items() if one.kind == "parameter"]
    graph, found = gradients(prepare(forward), "loss.mean", trained)
    graph.drop_output("loss.mean")

    def state(name: str, type: TensorType) -> Tensor:
        value = graph.inputs.get(name)
        return Tensor(graph, graph.input(name, type, "state") if value is None else value)

    slopes = {name: Tensor(graph, value) for name, value in found.items()}
    if train.clip_norm is not None:
        slopes, norm = clipped(slopes, train.clip_norm)
        graph.set_output("gradient.norm", norm.value)
    step = state("optimizer.step", TensorType("int64", ()))
    updater = Updater(train.optimizer, step, expander.dtype, state)
    for name, slope in slopes.items():
        updater.update(name, Tensor(graph, graph.inputs[name]), slope)
    for name, value in updater.updates.items():
        graph.set_output(name, value.value)
    return graph


# What concerns the spec as a whole.


def _check_outputs(load: LoadResult, expander: Expander) -> Iterator[Problem]:
    """Names of outputs are names of buffers, and labels are as many as classes."""
    assert load.partial is not None
    taken = {name: ("an input", ("inputs", name)) for name in load.partial.inputs}
    train = load.partial.train
    taken |= {name: ("a target", ("train", "targets", name)) for name in (train.targets if train else ())}
    for name, spec in load.partial.outputs.items():
        if name in taken:
            what, path = taken[name]
            labels = [(load.span(path, key=True), "first here")]
            message = f"there is already {what} named {name}"
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


def _classes(load: LoadResult, expander: Expander, output: str) -> tuple[int, Origin] | None:
    """How many classes an output tells apart, and what made them so many, where that is known."""
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


def _check_training(load: LoadResult, train: TrainSpec, expander: Expander) -> Iterator[Problem]:
    # What is missing may be where something else is wrong.
    complete = not load.diagnostics.has_errors and len(expander.layers) == len(load.entries)
    has_parameters = any(one.kind == "parameter" for one in expander.parameters.values())
    if complete and not has_parameters:
        message = "no layer has parameters: there is nothing to train"
        yield Problem("NW0409", message, load.span(("train",), key=True))
    if train.bptt is None:
        return
    place = load.span(("train", "bptt"), key=True)
    inputs = {name: read_shape(spec.shape) for name, spec in expander.spec.inputs.items()}
    if complete and not any(len(shape) >= 2 and isinstance(shape[1], Dim) for shape in inputs.values()):
        shown = ", ".join(show(shape) for shape in inputs.values())
        help = "name the time axis with a dim: dims: {T: time}, shape: [N, T, …]"
        message = f"bptt cuts sequences of any length into windows, the inputs are {shown}"
        labels = [(load.span(("inputs", name, "shape")), "read here") for name in inputs]
        yield Problem("NW0408", message, place, labels=labels, help=help)
    elif train.loss.steps == "last":
        message = "bptt makes an update at each window, but only the last step of a sequence counts"
        labels = [(load.span(("train", "loss", "steps")), "last")]
        yield Problem("NW0408", message, place, labels=labels, help="steps: all, or no bptt")
