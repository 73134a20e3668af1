"""Measurements that need a run: how long an entry takes on this machine, and how large its code and stack are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.measure import CodeSize, code_size
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.analyses.budget import exceeded, worst_dims
from netwright.compiler.frontend.network import Network
from netwright.compiler.frontend.problem import Problem
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.types import FLOATS
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.specs.diagnostics.diagnostic import Diagnostic
from netwright.specs.dims import evaluate
from netwright.specs.load import LoadResult

from ..build import build
from ..errors import RequestError
from ..program import Program

_SECONDS = 0.5  # how long to measure, after one call to warm up
_MOST_CALLS = 500


@dataclass(frozen=True, slots=True)
class Step:
    """The median time, in milliseconds, of the least number of steps that a stream computes at once."""

    latency_ms: float
    steps: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The median time of ``calls`` calls of `predict`, in milliseconds per call, and the size of its code and stack.
    ``step`` is None for a network that can't be computed step by step."""

    latency_ms: float
    calls: int
    size: CodeSize
    step: Step | None = None


def measure(
    load: LoadResult, network: Network, dims: Mapping[str, int], *, threads: int = 1, size: bool = True
) -> Measured:
    """Runs `predict` on this machine with initial weights and random inputs of the sizes in ``dims``; with ``size``
    also steps, and compiles for the size of the code."""
    program = Program(load, network, entries=("predict",), threads=threads)
    inputs = random_inputs(network, dims)
    program.predict(**inputs)
    times = _times(lambda: program.predict(**inputs))
    latency, calls = median(times) * 1e3, len(times)
    if not size:
        return Measured(latency, calls, CodeSize(0, None))
    target = named_target("native")
    lowered = build(network, {"predict": network.graphs["predict"]}, target).lowered
    code = code_size(lowered.program, target)
    return Measured(latency, calls, code, _step(program, network, dims))


def latency_exceeded(load: LoadResult, network: Network) -> list[Diagnostic]:
    """The error for a latency budget that is exceeded on this machine or can't be checked."""
    limit = load.model.budget.latency_ms if load.model and load.model.budget else None
    if limit is None:
        return []
    try:
        dims = worst_dims(load, network, "latency_ms")
    except Problem as problem:
        return [problem.diagnostic]
    latency = round(measure(load, network, dims, size=False).latency_ms, 3)
    return exceeded(load, "latency_ms", latency, limit, {}, "ms", dims)


def _step(program: Program, network: Network, dims: Mapping[str, int]) -> Step | None:
    try:
        stream = program.stream()
    except RequestError:
        return None
    (steps,) = (name for name, info in network.dims.items() if info.role == "time")
    inputs = random_inputs(network, {**dims, steps: stream.group})
    group = {name: inputs[name] for name in stream.inputs}
    stream.push(**group)
    return Step(median(_times(lambda: stream.push(**group))) * 1e3, stream.group)


def random_inputs(network: Network, dims: Mapping[str, int], seed: int = 0) -> dict[str, NDArray]:
    """Random inputs that the network accepts.

    Floats are drawn from N(0, 1), integers from the rows of the smallest table they index. Sequences have their full
    length.
    """
    generator = np.random.default_rng(seed)
    inputs: dict[str, NDArray] = {}
    for name, type in network.inputs.items():
        shape = tuple(evaluate(size, dims) for size in type.shape)
        if type.dtype in FLOATS:
            inputs[name] = generator.standard_normal(shape).astype(type.dtype)
        elif type.dtype == "bool":
            inputs[name] = generator.random(shape) < 0.5
        else:
            rows = _rows(network.graphs["predict"], name)
            if rows is None:  # not an index, but a number of steps or a grey level
                inputs[name] = np.full(shape, _time(network, dims), type.dtype)
            else:
                inputs[name] = generator.integers(0, rows, shape).astype(type.dtype)
    return inputs


def _times(call: Callable[[], object]) -> list[float]:
    """How many seconds each of some calls takes."""
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _MOST_CALLS and (len(times) < 3 or time.perf_counter() < end):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def _time(network: Network, dims: Mapping[str, int]) -> int:
    """Full lengths for all sequences."""
    sizes = [type.shape[1:2] for type in network.inputs.values()]
    return min((evaluate(size, dims) for shape in sizes for size in shape), default=1)


def _rows(graph: Graph, name: str) -> int | None:
    """The number of rows of the smallest table that an input indexes; None if it indexes none."""
    counts: list[int] = []

    def follow(graph: Graph, start: set[Value]) -> None:
        reached = set(start)
        for node in graph:
            operands = list(graph.operands(node)) if node.op != "input" else []
            if node.op == "gather" and operands[1] in reached:
                rows = graph.type(operands[0]).shape[0]
                counts.append(rows if isinstance(rows, int) else 1)
            elif isinstance(node.attrs, ScanAttributes):
                inner = list(node.attrs.body.inputs.values())
                follow(node.attrs.body, {inner[i] for i, v in enumerate(operands) if v in reached})
            elif any(value in reached for value in operands):
                reached |= {value for value in node.values if graph.type(value).dtype not in FLOATS}

    if name in graph.inputs:
        follow(graph, {graph.inputs[name]})
    return min(counts, default=None)
