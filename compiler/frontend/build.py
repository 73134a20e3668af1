"""From a loaded spec to a network: expands every layer, and finds all errors in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from netwright.specs.checks.wiring import Ref
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import LoadResult
from netwright.specs.manifest import DimInfo
from netwright.specs.models.layers.recurrent import LENGTHS
from netwright.specs.models.train import TrainSpec

from ..autodiff import gradients
from ..graph.graph import Graph
from ..graph.types import TensorType
from ..pipeline import before_gradients
from .analyses.budget import check_budget
from .analyses.prognosis import warn_of_gradients
from .analyses.sections import check_outputs, check_training
from .expander import Expander
from .layers.registry import EXPANSIONS
from .network import Checkpoints, Graphs, LayerInfo, Network, OutputInfo, Parameter, State
from .problem import Problem
from .scope import Mode
from .tensor import Tensor
from .training.answered import answered_classes
from .training.fitting import fit_graph
from .training.masking import MaskedSteps, masked_steps
from .training.objective import Objective
from .training.outputs import counted_by
from .training.update import update_states, updated


@dataclass(frozen=True)
class Examined:
    """What is known of a spec, valid or not: for layers, those whose shapes could be inferred."""

    network: Network | None
    diagnostics: Diagnostics
    inputs: Mapping[str, TensorType] = field(default_factory=dict)
    layers: tuple[LayerInfo, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def build_network(load: LoadResult) -> tuple[Network | None, Diagnostics]:
    """The network of a spec, and all diagnostics: those of loading, and of shapes, losses and cells.

    The network is None if there is any error. The correct parts of a spec with errors are checked all the same.
    """
    examined = examine(load)
    return examined.network, examined.diagnostics


def examine(load: LoadResult) -> Examined:
    """The network of a spec as `build_network` returns it, and what is known even if there is none."""
    diagnostics = Diagnostics(load.diagnostics.items, load.diagnostics.sources.values())
    if load.partial is None:
        return Examined(None, diagnostics)
    network = None
    checked = _expanded(load, "loss", diagnostics=diagnostics)
    for problem in check_outputs(load, checked):
        diagnostics.add(problem.diagnostic)
    train = load.partial.train
    objective = Objective(checked, train) if train else None
    if train and objective:
        try:
            _build_loss(checked, objective)
        except Problem as problem:
            diagnostics.add(problem.diagnostic)
        for problem in check_training(load, train, checked):
            diagnostics.add(problem.diagnostic)
    warn_of_gradients(checked)
    diagnostics.sort()
    if load.model is not None and not diagnostics.has_errors:
        network = _network(load, checked, objective)
        for diagnostic in check_budget(load, network):
            diagnostics.add(diagnostic)
        network = None if diagnostics.has_errors else network
    inputs = {
        ref.name: signal.tensor.type
        for ref, signal in checked.signals.items()
        if ref.name in checked.spec.inputs
    }
    return Examined(network, diagnostics, inputs, tuple(checked.layers), checked.parameters)


def bounded_network(load: LoadResult, network: Network) -> Network:
    """A valid spec's ``network`` for running it: recurrences over sequences with lengths stop after the longest one.

    How long that is, is the value of a further dim. Its graphs compute the same as those of ``network``.
    """
    model = load.model
    assert model is not None
    inputs = any(input.lengths is not None for input in model.inputs.values())
    if not inputs and not any(LENGTHS in given for given in load.wiring.given.values()):
        return network
    checked = _expanded(load, "loss", bounded=True)
    objective = Objective(checked, model.train) if model.train else None
    if objective:
        _build_loss(checked, objective)
    return _network(load, checked, objective) if checked.longest_of else network


def _expanded(
    load: LoadResult,
    name: str,
    *,
    mode: Mode = "predict",
    diagnostics: Diagnostics | None = None,
    bounded: bool = False,
) -> Expander:
    expander = Expander(load, name, EXPANSIONS, mode=mode, diagnostics=diagnostics, bounded=bounded)
    expander.expand()
    return expander


def _network(load: LoadResult, checked: Expander, objective: Objective | None) -> Network:
    model = checked.spec
    builders: dict[str, Callable[[], Graph]] = {"predict": lambda: _predict(load, checked.bounded)}
    states: dict[str, State] = {}
    checkpoints: tuple[Checkpoints, ...] = ()
    if model.train and objective:
        train = model.train
        training = _expanded(load, "train_step", mode="train", bounded=checked.bounded)
        types = {name: param.type for name, param in checked.parameters.items() if param.trained}
        states |= update_states(train, types)
        checkpoints = tuple(training.checkpoints.values())
        states |= {name: state for name, state in training.states.items() if name not in states}
        builders["loss"] = lambda: checked.graph
        builders["train_step"] = lambda: _train_step(load, train, training)
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
            name: DimInfo(name=name, min=dim.least, max=dim.most, multiple_of=dim.multiple_of, role=dim.role)
            for name, dim in model.dims.items()
        }
        | {name: DimInfo(name=name, longest_of=input) for name, input in checked.longest_of.items()},
        inputs={name: checked.signals[Ref(name)].tensor.type for name in model.inputs},
        outputs=outputs,
        targets=dict(objective.targets.types) if objective else {},
        parameters=dict(checked.parameters),
        states=states,
        layers=tuple(checked.layers),
        seed=checked.seed,
        scores=objective.scores if objective else (),
        fitted=tuple(checked.fitted),
        checkpoints=checkpoints,
        graphs=Graphs(builders),
    )


# Entries.


def _predict(load: LoadResult, bounded: bool) -> Graph:
    expander = _expanded(load, "predict", bounded=bounded)
    for name, ref in load.wiring.outputs.items():
        expander.graph.set_output(name, expander.signals[ref].tensor.value)
    return expander.graph


def layer_graph(load: LoadResult) -> Graph:
    """The graph of all layers of a valid spec, for analyses, with an output for the value of each layer (``layer``)
    and port (``layer.port``), whether or not it is read."""
    expander = _expanded(load, "layers")
    for ref, signal in expander.signals.items():
        if ref.name not in expander.spec.inputs:
            expander.graph.set_output(str(ref), signal.tensor.value)
    return expander.graph


def class_graph(load: LoadResult, network: Network) -> Graph:
    """The graph of the classes that a valid spec's outputs answer with and those that are meant (see
    ``answered_classes``). ``network`` is the one that runs it, as ``bounded_network`` returns it.
    """
    assert load.model is not None
    assert load.model.train is not None
    expander = _expanded(load, "classes", bounded=any(dim.longest_of for dim in network.dims.values()))
    for name, value in answered_classes(Objective(expander, load.model.train)).items():
        expander.graph.set_output(name, value.value)
    return expander.graph


def _build_loss(expander: Expander, objective: Objective) -> None:
    for name, value in objective.build().items():
        expander.graph.set_output(name, value.value)


def _cleared(
    load: LoadResult, train: TrainSpec, masked: MaskedSteps, bounded: bool
) -> tuple[Expander, Objective]:
    """The network expanded again in training mode, with the steps cleared that losses ignore."""
    expander = Expander(load, "train_step", EXPANSIONS, mode="train", bounded=bounded)
    objective = Objective(expander, train)

    def steps(mask: str, type: TensorType) -> Tensor:
        known = mask in expander.spec.inputs
        return counted_by(
            expander.declared_input(mask, type) if known else objective.targets.tensor(mask, type)
        )

    counting = {mask: steps(mask, type) for mask, type in masked.types.items()}
    expander.clear = {ref: counting[mask] for ref, mask in masked.refs.items()}
    expander.expand()
    return expander, objective


def _train_step(load: LoadResult, train: TrainSpec, expander: Expander) -> Graph:
    """Forward in training mode, backward, update."""
    objective = Objective(expander, train)
    if (masked := masked_steps(expander, objective)) is not None:
        expander, objective = _cleared(load, train, masked, expander.bounded)
    sums = objective.build()
    forward = expander.graph
    for name, value in {**sums, **expander.updates}.items():
        forward.set_output(name, value.value)
    forward.set_output("loss.mean", objective.minimized(sums).value)
    trained = [name for name, param in expander.parameters.items() if param.trained]
    graph, cotangents = gradients(before_gradients(forward), "loss.mean", trained)
    graph.drop_output("loss.mean")

    def state(name: str, type: TensorType) -> Tensor:
        value = graph.inputs.get(name)
        return Tensor(graph, graph.input(name, type, "state") if value is None else value)

    slopes = {name: Tensor(graph, value) for name, value in cotangents.items()}
    count = Tensor(graph, graph.outputs[f"{objective.stems[0]}.count"])
    for name, value in updated(graph, train, slopes, count, state).items():
        graph.set_output(name, value.value)
    return graph
