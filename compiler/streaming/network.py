"""The network of a chunk of steps: what `stream` compiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netwright.specs.dims import dim_symbols
from netwright.specs.load import LoadResult
from netwright.specs.manifest import STEP, DimInfo

from ..frontend.build import build_network
from ..frontend.network import Network, OutputInfo, State
from ..pipeline import eliminate_dead
from .step import StepGraph, steps_of
from .values import StreamError

#: The entry that takes a chunk.


def step_network(load: LoadResult, network: Network) -> tuple[Network, StepGraph]:
    """The network whose only entry, ``step``, takes a chunk of steps of a valid spec's ``network``.

    A stream has no steps that do not count: inputs with `lengths` have none in it. Raises StreamError.
    """
    times = [name for name, info in network.dims.items() if info.role == "time"]
    if len(times) != 1:
        reason = "has no dim of time" if not times else f"has several dims of time: {', '.join(times)}"
        raise StreamError({network.model: reason})
    (time,) = times
    if not network.quantized:
        network = with_whole(load, network)
    elif network.whole is None and _with_lengths(load, network, time):
        raise StreamError(
            {network.model: "has other weights than the spec, for sequences with lengths alone"}
        )
    info = network.dims[time]
    predict = network.graphs["predict"] if network.whole is None else network.whole
    step = steps_of(eliminate_dead(predict), time, list(network.dims), info.multiple_of)
    graph = step.graph
    chunk = DimInfo(name=step.chunk, min=step.group, multiple_of=step.group, role="time")
    types = {name: graph.type(value) for name, value in graph.inputs.items()}
    states = {name: State(types[name]) for name in graph.inputs if graph.input_role(name) == "state"}
    outputs: Mapping[str, OutputInfo] = {
        name: OutputInfo(graph.type(graph.outputs[name]), info.labels)
        for name, info in network.outputs.items()
    }
    dims = {name: dim for name, dim in network.dims.items() if name != time}
    inputs = {name: types[name] for name in network.inputs if name in types}
    return (
        replace(
            network,
            dims=dims | {chunk.name: chunk},
            inputs=inputs,
            outputs=outputs,
            targets={},
            states=states,
            scores=(),
            fitted=(),
            graphs={STEP: graph},
            whole=None,
        ),
        step,
    )


def with_whole(load: LoadResult, network: Network) -> Network:
    """The network of a valid spec with `predict` for sequences all of whose steps count as its ``whole``, if its inputs
    have lengths. What stores its weights in another form takes both, so that it can be computed step by step."""
    times = [name for name, info in network.dims.items() if info.role == "time"]
    if len(times) != 1 or not (cut := _with_lengths(load, network, times[0])):
        return network
    model = load.model
    assert model is not None
    whole_ones = {name: model.inputs[name].model_copy(update={"lengths": None}) for name in cut}
    whole = model.model_copy(update={"inputs": {**model.inputs, **whole_ones}, "train": None})
    made, _ = build_network(replace(load, model=whole, partial=whole))
    return network if made is None else replace(network, whole=made.graphs["predict"])


def _with_lengths(load: LoadResult, network: Network, time: str) -> list[str]:
    """The inputs with so many steps that have lengths."""
    model = load.model
    assert model is not None
    return [
        name
        for name, input in model.inputs.items()
        if input.lengths is not None and time in dim_symbols(network.inputs[name].shape[1])
    ]
