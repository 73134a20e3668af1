"""Chooses where a kernel stores its results, so that no two threads store to the same range.

Iterations of a kernel's parallel loop must each store to a range of their own, on some axis of every buffer. Two
results that are concatenated along that very axis (two dense layers of one sample, say) break this rule: each thread
would store in two ranges of one buffer. All results but the first then go to temporary memory, and another kernel
moves each to its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netwright.specs.dims import Shape

from ..graph.graph import Graph
from ..graph.node import Value
from ..graph.types import TensorType
from ..loop.intrinsics.builder import KernelBuilder
from .grouping.groups import Group
from .grouping.roles import Roles
from .kernels.fused import Kernel, build
from .program import ProgramBuilder
from .reading.apart import Range, stored_ranges
from .reading.places import Place, Target, same_index
from .tiles.tiling import parallel_axis

Targets = list[tuple[Value, list[Target]]]


def store_apart(
    targets: Targets,
    space: Shape,
    allocate: Callable[[TensorType], Place],
    types: Callable[[Value], TensorType],
) -> tuple[Targets, list[tuple[Place, Target]]]:
    """The targets of one kernel over ``space``, and the moves to make afterwards: (temporary place, target)."""
    axis = parallel_axis(space)
    if axis is None:  # a single element, so a single thread
        return targets, []
    known: dict[Any, set[Range]] = {}
    kept: Targets = []
    moves: list[tuple[Place, Target]] = []
    for value, places in targets:
        own: list[Target] = []
        for place, index_map in places:
            key, ranges = stored_ranges(place, index_map, space, axis)
            shared = known.get(key, ranges) & ranges
            if shared:
                known[key] = shared
                own.append((place, index_map))
            else:
                temporary = allocate(types(value))
                own.append((temporary, same_index))
                moves.append((temporary, (place, index_map)))
        kept.append((value, own))
    return kept, moves


def move_kernel(program: ProgramBuilder, source: Place, target: Target) -> Kernel:
    """The kernel that stores all of ``source`` at ``target``."""
    graph = Graph()
    value = graph.input("source", source.type)
    (copy,) = graph.add("copy", [value]).values
    roles = Roles(graph)
    group = Group(0, source.type.shape, [roles.part(copy)])
    places: Sequence[tuple[Value, Sequence[Target]]] = [(copy, [target])]
    return build(roles, group, lambda _: source, places, dict(program.dims), program.machine)


def copy_kernel(program: ProgramBuilder, source: Place, target: Place) -> Kernel:
    """Copies all elements of one place to another of the same size."""
    b, size = KernelBuilder("kernel", dict(program.dims)), source.type.size
    x = b.buffer("p0", source.type.dtype, (size,))
    y = b.buffer("p1", target.type.dtype, (size,), "write")
    lanes = program.machine.lanes(source.type.dtype)
    with b.loop("j", 0, size, lanes, "parallel") as j:
        b.store(y, (j,), b.load(x, (j,), lanes, size - j), size - j)
    return Kernel.over(b.finish(), source, target)
