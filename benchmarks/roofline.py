"""What a case costs, and how fast this machine could be at it.

The roofline of a case (Williams et al., 2009) is the longest of three times: its FLOPs at the peak of multiply-adds,
the bytes that have to be read and written at least once (weights, inputs, outputs) at the bandwidth of the place that
can hold them, and the rereading of a recurrence's weights at every step at the bandwidth of the second level of cache.
FLOPs are the work of the network as written, so a kernel that saves multiplications, as Winograd's does, can exceed
100 %.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod

from numpy.typing import NDArray

from netwright.compiler.codegen.speed import Speed, measure_speed
from netwright.compiler.codegen.targets.machines import cache_bytes, describe
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.graph.graph import Graph
from netwright.compiler.ops.cost import cost_of
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.specs.dims import evaluate

from .problem import Problem


@dataclass(frozen=True, slots=True)
class Peak:
    """What one core can do: FLOPs per second in float32, bytes per second from the second level of cache and from
    memory, and how many bytes the first, second and last level hold."""

    flops: float
    l2: float
    memory: float
    l1_bytes: int
    l2_bytes: int
    last_bytes: int


@dataclass(frozen=True, slots=True)
class Work:
    """Of one call: arithmetic operations, bytes that are touched, and bytes of a recurrence's weights times its
    steps."""

    flops: int
    touched: int
    reread: int = 0


def roofline(work: Work, peak: Peak, threads: int = 1) -> float:
    """The least seconds of a call on ``threads`` cores."""
    bandwidth = peak.l2 if work.touched <= peak.last_bytes else peak.memory
    times = (work.flops / peak.flops, work.touched / bandwidth, work.reread / peak.l2)
    return max(times) / threads


@cache
def peak() -> Peak:
    """This machine's, measured as `netwright machine` does, which takes a second."""
    machine, speed = describe(host_target()), _speed()
    last = max([machine.l2_bytes, *cache_bytes().values()])
    bandwidth = speed.bytes_per_second
    return Peak(
        speed.flops_per_second["float32"],
        bandwidth["l2"],
        bandwidth["memory"],
        machine.l1_bytes,
        machine.l2_bytes,
        last,
    )


@cache
def _speed() -> Speed:
    return measure_speed()


def work(problem: Problem) -> Work:
    """The work of one call of a case."""
    graph = problem.model.network.graphs[problem.entry]
    arrays = [*problem.inputs.values(), *problem.targets.values(), *problem.weights.values()]
    return graph_work(graph, problem.case.sizes, arrays)


def graph_work(graph: Graph, sizes: Mapping[str, int], arrays: Iterable[NDArray]) -> Work:
    """The work of one call, from the costs of the graph as it was written, with what is read: inputs and weights."""
    touched = sum(array.nbytes for array in arrays)
    touched += sum(_bytes(graph, name, sizes) for name in graph.outputs)
    return Work(evaluate(cost_of(graph).flops, sizes), touched, _reread(graph, sizes))


def _bytes(graph: Graph, output: str, sizes: Mapping[str, int]) -> int:
    type = graph.type(graph.outputs[output])
    return prod(evaluate(size, sizes) for size in type.shape) * 4


def _reread(graph: Graph, sizes: Mapping[str, int]) -> int:
    """Bytes of the matrices that loops multiply a state by, at each of their steps, beyond those that a core's first
    level of cache can hold."""
    total, held = 0, peak().l1_bytes
    for node in graph:
        if not isinstance(node.attrs, ScanAttributes):
            continue
        body = node.attrs.body
        kernels = 0
        for inner in body:
            if inner.op == "dot":
                shapes = [body.type(value).shape for value in body.operands(inner)]
                kernels += min(4 * prod(evaluate(size, sizes) for size in shape) for shape in shapes)
        total += max(0, kernels - held) * evaluate(node.attrs.length, sizes)
    return total


def machine_facts() -> dict[str, object]:
    """What results are kept with: CPU, cores, and what a core does."""
    own = peak()
    return {
        "cpu": cpu_model(),
        "target": host_target().cpu,
        "cores": os.cpu_count() or 1,
        "peak_gflops": round(own.flops / 1e9, 1),
        "l2_gbytes": round(own.l2 / 1e9, 1),
        "memory_gbytes": round(own.memory / 1e9, 1),
        "python": platform.python_version(),
    }


def cpu_model() -> str:
    """The CPU's name, as the system knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
