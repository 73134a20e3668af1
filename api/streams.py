"""Streams of a program: the entry that takes steps, compiled when the first stream is made."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from netwright.compiler.codegen.files.csource import StreamTable
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.network import Graphs, Network
from netwright.compiler.graph.joining import renamed
from netwright.compiler.streaming import STEP, StepGraph, StreamError, step_network
from netwright.runtime.sessions.session import Session
from netwright.runtime.sessions.stream import Answers, Rhythm, Stream
from netwright.specs.dims import DimLike, dim
from netwright.specs.load import LoadResult

from .build import build, reference
from .errors import RequestError


def stepping(load: LoadResult, network: Network) -> tuple[Network, StepGraph]:
    """The network of a chunk of steps. Raises RequestError, which names the layers that stand against it."""
    try:
        return step_network(load, network)
    except StreamError as error:
        raise RequestError(f"{network.model} can't be computed step by step:\n  {error}") from None


def with_steps(load: LoadResult, network: Network) -> tuple[Network, dict[str, str]]:
    """The network with the entry that takes a chunk of steps beside its own, and notes on its outputs. What steps are
    read and answered has ``step.`` before its name, since the arrays are of other sizes. Raises RequestError as
    ``stepping``.
    """
    stepped, step = stepping(load, network)
    names = {name: f"{STEP}.{name}" for name in (*stepped.inputs, *stepped.outputs)}
    graph = renamed(stepped.graphs[STEP], names)
    made = replace(
        network,
        dims={**network.dims, **stepped.dims},
        outputs={**network.outputs, **{names[name]: info for name, info in stepped.outputs.items()}},
        states={**network.states, **stepped.states},
        graphs=Graphs(
            {
                **{name: partial(network.graphs.__getitem__, name) for name in network.graphs},
                STEP: lambda: graph,
            }
        ),
    )
    return made, {names[name]: note for name, note in notes_of(step).items()}


def notes_of(step: StepGraph) -> dict[str, str]:
    """What callers have to know of the answers to steps, by output."""
    notes: dict[str, str] = {}
    for name, answers in step.outputs.items():
        if answers.axis is None:
            notes[name] = "for all steps so far"
        elif answers.delay:
            first = (
                "frame of a stream is" if answers.delay == 1 else f"{answers.delay} frames of a stream are"
            )
            notes[name] = f"late: the first {first} no part of the sequence"
    return notes


def listening(network: Network, step: StepGraph) -> StreamTable:
    """How a program takes the steps of a network that ``stepping`` made. Raises RequestError if bare numbers on
    standard input are not enough.
    """
    if len(network.inputs) != 1:
        raise RequestError(
            f"a program takes the steps of one input, and {network.model} has {', '.join(network.inputs)}"
        )
    open_dims = [name for name, info in network.dims.items() if info.role != "batch" and name != step.chunk]
    if open_dims:
        raise RequestError(f"the sizes of a step have to be known: settle {', '.join(open_dims)} with --dim")
    ((name, axis),) = step.axes.items()
    types = {name: (network.inputs[name], axis)} | {
        name: (info.type, step.outputs[name].axis) for name, info in network.outputs.items()
    }
    for name, (type, axis) in types.items():
        before = type.shape[: axis or 0]
        if any(size != 1 and not _is_batch(network, size) for size in before):
            raise RequestError(
                f"the steps of {name} have to be one after the other: along its first axis but the batch"
            )
    outputs = {name: (out.axis, out.rate, out.delay) for name, out in step.outputs.items()}
    ((name, axis),) = step.axes.items()
    return StreamTable(name, axis, step.chunk, step.group, outputs)


def _is_batch(network: Network, size: DimLike) -> bool:
    return any(
        size == dim(name) and info.admits(1) for name, info in network.dims.items() if info.role == "batch"
    )


class Streams:
    """Makes the streams of one network. Raises RequestError if it can't be computed step by step."""

    def __init__(self, load: LoadResult, network: Network, engine: str, threads: int, cpu: str):
        made, step = stepping(load, network)
        graphs = dict(made.graphs)
        if engine == "reference":
            self._engine = reference(made, graphs)
        else:
            self._engine = build(made, graphs, named_target(cpu)).engine(threads)
        answers = {name: Answers(out.axis, out.rate, out.delay) for name, out in step.outputs.items()}
        self._rhythm = Rhythm(STEP, step.group, step.axes, answers)
        self._known = {buffer.name for buffer in self._engine.manifest.buffers}
        self._session: Session | None = None
        self._version = 0

    def new(self, session: Session) -> Stream:
        """A stream that reads the weights which ``session`` has now. Streams of the same weights share them."""
        if self._session is None or self._version != session.version:
            read = {name: array for name, array in session.weights.items() if name in self._known}
            self._session, self._version = Session(self._engine, read), session.version
        return Stream(self._session, self._rhythm)
