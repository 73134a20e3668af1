"""From a loaded spec to a network: expands every layer, and finds all errors in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netwright.specs.checks.wiring import Ref
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.load import LoadResult
from netwright.specs.manifest import GRADIENT, DimInfo
from netwright.specs.models.layers.recurrent import LENGTHS
from netwright.specs.models.spec import ModelSpec
from netwright.specs.models.train import TrainSpec

from ..autodiff import gradients
from ..graph.graph import Graph
from ..graph.node import Value
from ..graph.types import TensorType
from ..pipeline import before_gradients
from ..precision import mixed
from .analyses.budget import check_budget
from .analyses.prognosis import warn_of_gradients
from .analyses.sections import check_outputs, check_training
from .expander import Expander
from .generation.split import needed_part
from .layers.registry import EXPANSIONS
from .network import Checkpoints, Graphs, LayerInfo, Network, OutputInfo, Parameter, State
from .problem import Problem
from .scope import Mode
from .tensor import Tensor
from .training.answered import answered_classes
from .training.divided import count_graph, set_statistics, update_graph, whole_counts
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
    checked = _expanded(load, _first_entry(load.partial), diagnostics=diagnostics)
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
    if network.quantized:
        return network
    model = load.model
    assert model is not None
    inputs = any(input.lengths is not None for input in model.inputs.values())
    if not inputs and not any(LENGTHS in given for given in load.wiring.given.values()):
        return network
    checked = _expanded(load, _first_entry(model), bounded=True)
    objective = Objective(checked, model.train) if model.train else None
    if objective:
        _build_loss(checked, objective)
    return _network(load, checked, objective) if checked.longest_of else network


def divided_network(load: LoadResult, network: Network) -> Network:
    """A valid spec's ``network`` for training by parts of batches: with the entries `counts`, `gradients` and `update`
    in place of `train_step`. ``network`` is the one that runs it, as ``bounded_network`` returns it.

    The value of a further dim says where in the batch a part begins. Raises ShapeError for a layer whose random numbers
    can't be divided.
    """
    model, dims = load.model, network.dims
    assert model is not None
    train = model.train
    assert train is not None
    bounded, first = any(dim.longest_of for dim in dims.values()), "first_row"
    while first in dims:
        first += "_"
    training = _expanded(load, "gradients", mode="train", bounded=bounded, first_row=first)
    changed = [name for name in training.updates if name in network.parameters]
    types = {name: param.type for name, param in network.parameters.items()}
    trained = {name: type for name, type in types.items() if network.parameters[name].trained}
    objective = Objective(training, train)
    builders: dict[str, Callable[[], Graph]] = {
        "predict": lambda: network.graphs["predict"],
        "loss": lambda: network.graphs["loss"],
        "counts": lambda: count_graph(Objective(_expanded(load, "counts", bounded=bounded), train)),
        "gradients": lambda: _gradients(load, train, training, changed),
        "update": lambda: update_graph(
            train, f"{objective.stems[0]}.count", trained, {name: types[name] for name in changed}
        ),
    }
    return replace(
        network, dims={**dims, first: DimInfo(name=first, first_row=True)}, graphs=Graphs(builders)
    )


def _expanded(
    load: LoadResult,
    name: str,
    *,
    mode: Mode = "predict",
    diagnostics: Diagnostics | None = None,
    bounded: bool = False,
    whole: frozenset[str] = frozenset(),
    first_row: str | None = None,
) -> Expander:
    expander = Expander(
        load,
        name,
        EXPANSIONS,
        mode=mode,
        diagnostics=diagnostics,
        bounded=bounded,
        whole=whole,
        first_row=first_row,
    )
    expander.expand()
    return expander


def _network(load: LoadResult, checked: Expander, objective: Objective | None) -> Network:
    model = checked.spec
    builders: dict[str, Callable[[], Graph]] = {"predict": lambda: _predict(load, checked)}
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
        math=model.math,
    )


# Entries.


def _first_entry(spec: ModelSpec) -> str:
    """What is made of the graph that a spec is checked by."""
    return "loss" if spec.train else "predict"


def _predict(load: LoadResult, checked: Expander) -> Graph:
    again = checked.graph.name != "predict"
    expander = _expanded(load, "predict", bounded=checked.bounded) if again else checked
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


def slope_graph(load: LoadResult) -> Graph:
    """The graph of the mean loss in training, for analyses: an output ``loss.mean``, and one for the gradient of each
    trained parameter, by its name. ``load`` is of a valid spec with a `train` section.
    """
    assert load.model is not None
    assert load.model.train is not None
    expander = _expanded(load, "slopes", mode="train")
    objective = Objective(expander, load.model.train)
    expander.graph.set_output("loss.mean", objective.minimized(objective.build()).value)
    trained = [name for name, parameter in expander.parameters.items() if parameter.trained]
    graph, slopes = gradients(before_gradients(expander.graph), "loss.mean", trained)
    for name, value in slopes.items():
        graph.set_output(name, value)
    return graph


def writing_graph(load: LoadResult, network: Network, input: str, output: str) -> Graph:
    """The graph of an output of a valid spec that gives the scores of what follows the tokens of an ``input``, all of
    which count. ``network`` is the one that runs it, as ``bounded_network`` returns it.
    """
    bounded = any(dim.longest_of for dim in network.dims.values())
    expander = _expanded(load, "predict", bounded=bounded, whole=frozenset([input]))
    expander.graph.set_output(output, expander.signals[load.wiring.outputs[output]].tensor.value)
    return needed_part(expander.graph, [output])


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
    load: LoadResult, train: TrainSpec, masked: MaskedSteps, like: Expander
) -> tuple[Expander, Objective]:
    """The network expanded again in training mode, with the steps cleared that losses ignore."""
    expander = Expander(
        load, like.graph.name, EXPANSIONS, mode="train", bounded=like.bounded, first_row=like.first_row
    )
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


def _training(load: LoadResult, train: TrainSpec, expander: Expander) -> tuple[Expander, Objective]:
    """The network in training mode with its objective, expanded again if there are steps to clear."""
    objective = Objective(expander, train)
    masked = masked_steps(expander, objective)
    return (expander, objective) if masked is None else _cleared(load, train, masked, expander)


def _differentiated(expander: Expander, minimized: Tensor) -> tuple[Graph, dict[str, Value]]:
    """The graph with the gradients of a number for each trained parameter."""
    forward = expander.graph
    forward.set_output("loss.mean", minimized.value)
    trained = [name for name, param in expander.parameters.items() if param.trained]
    graph, cotangents = gradients(before_gradients(forward), "loss.mean", trained)
    graph.drop_output("loss.mean")
    train = expander.spec.train
    if train is not None and train.precision == "mixed_bfloat16":
        return mixed(graph, cotangents, frozenset(layer.name for layer in expander.layers))
    return graph, cotangents


def _gradients(load: LoadResult, train: TrainSpec, expander: Expander, changed: Sequence[str]) -> Graph:
    """Forward in training mode and backward, for a part of a batch."""
    expander, objective = _training(load, train, expander)
    counts = whole_counts(objective)
    sums = objective.build()
    states = {name: value for name, value in expander.updates.items() if name not in changed}
    for name, value in {**sums, **states}.items():
        expander.graph.set_output(name, value.value)
    set_statistics(expander.graph, {name: expander.updates[name] for name in changed})
    graph, cotangents = _differentiated(expander, objective.minimized(sums, counts))
    for name, value in cotangents.items():
        graph.set_output(f"{GRADIENT}{name}", value)
    return graph


def _train_step(load: LoadResult, train: TrainSpec, expander: Expander) -> Graph:
    """Forward in training mode, backward, update."""
    expander, objective = _training(load, train, expander)
    sums = objective.build()
    forward = expander.graph
    for name, value in {**sums, **expander.updates}.items():
        forward.set_output(name, value.value)
    graph, cotangents = _differentiated(expander, objective.minimized(sums))

    def state(name: str, type: TensorType) -> Tensor:
        value = graph.inputs.get(name)
        return Tensor(graph, graph.input(name, type, "state") if value is None else value)

    slopes = {name: Tensor(graph, value) for name, value in cotangents.items()}
    count = Tensor(graph, graph.outputs[f"{objective.stems[0]}.count"])
    for name, value in updated(graph, train, slopes, count, state).items():
        graph.set_output(name, value.value)
    return graph
