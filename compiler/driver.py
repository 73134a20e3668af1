"""From graphs to a program and its manifest: the whole compiler behind one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netwright.specs.manifest import (
    BufferInfo,
    DimInfo,
    EntryInfo,
    Manifest,
    RangeInfo,
    ScoreInfo,
    c_prefix,
    has_time,
)

from . import pipeline
from .formulas import Fourier
from .graph.graph import Graph
from .graph.node import InputAttributes
from .loop import ir
from .loop.checks.verify import verify_kernel, verify_program
from .loop.marks import complete_after
from .lowering.program import ProgramBuilder
from .lowering.schedule import lower_entry
from .machine import Machine
from .observers import Observer
from .passes.base import Math
from .ranges import merged_ranges

_ROLES = {
    "input": "input",
    "target": "input",
    "parameter": "parameter",
    "statistic": "statistic",
    "state": "state",
    "gradient": "gradient",
}
#: The entries of sequences that give the same bits for any number of steps at once. All others compute as is fastest.
_STEADY = ("predict", "loss", "step")
#: The entries with many kernels that differ in sizes alone: those that go backward, or change all parameters.
_OPENING = ("train_step", "gradients", "update")


@dataclass(frozen=True)
class Lowered:
    """A program in loop IR, its manifest, the contents of its constant buffers, and the formulas of some of them."""

    program: ir.Program
    manifest: Manifest
    constants: Mapping[str, np.ndarray]
    formulas: Mapping[str, Fourier]


def lower(
    model: str,
    graphs: Mapping[str, Graph],
    dims: Sequence[DimInfo],
    *,
    version: str,
    target: str,
    machine: Machine,
    math: Math = "fast",
    observer: Observer | None = None,
    features: Sequence[str] = (),
    labels: Mapping[str, Sequence[str]] | None = None,
    scores: Sequence[ScoreInfo] = (),
    ready: Callable[[ir.Function], None] | None = None,
) -> Lowered:
    """Runs the entries' graphs through the pipeline and lowers them.

    ``predict`` is split into ``prepare`` and the rest. The verifier proves every access of the program in bounds.
    ``ready`` is given each kernel as soon as it is verified.
    Raises PassError and UnrollError from the pipeline, VerifyError for an access that cannot be proved.
    """
    ranges = merged_ranges(graphs.values())

    def check(kernel: ir.Function, proved: bool) -> None:
        if not proved:
            verify_kernel(kernel)
        if ready is not None:
            ready(kernel)

    builder = ProgramBuilder(model, {d.name: d.min for d in dims}, machine, check)
    sequences = has_time(dims)
    entries = pipeline.run(graphs, machine, math=math, steady=sequences, observer=observer)
    for name, graph in entries.items():
        steady = sequences and name in _STEADY
        lower_entry(builder, name, graph, observer, steady=steady, opens=name in _OPENING)
    program = builder.finish()
    verify_program(program, checked=program.kernels)
    manifest = describe(
        program,
        entries,
        dims,
        version=version,
        target=target,
        features=features,
        labels=labels,
        ranges=ranges,
        scores=scores,
    )
    return Lowered(program, manifest, builder.constants, builder.formulas)


def describe(
    program: ir.Program,
    graphs: Mapping[str, Graph],
    dims: Sequence[DimInfo],
    *,
    version: str = "",
    target: str = "",
    features: Sequence[str] = (),
    labels: Mapping[str, Sequence[str]] | None = None,
    ranges: Mapping[str, Sequence[RangeInfo]] | None = None,
    scores: Sequence[ScoreInfo] = (),
) -> Manifest:
    """The manifest of a program lowered from ``graphs``."""
    roles: dict[str, str] = {}
    for graph in graphs.values():
        for name in graph.outputs:
            roles.setdefault(name, "output")
        for value in graph.inputs.values():
            attrs = graph.producer(value).attrs
            assert isinstance(attrs, InputAttributes)
            roles[attrs.name] = _ROLES.get(attrs.role, attrs.role)
    buffers = [
        BufferInfo.model_validate(
            {
                "name": buffer.name,
                "role": roles.get(buffer.name, "constant"),
                "dtype": buffer.dtype,
                "shape": [str(size) for size in buffer.shape],
                "labels": list(labels[buffer.name]) if labels and buffer.name in labels else None,
                "ranges": list(ranges[buffer.name]) if ranges and buffer.name in ranges else None,
            }
        )
        for buffer in program.table
    ]
    entries = []
    for name, entry in program.entries.items():
        arena = {slot.name for slot in entry.arena}
        table = [buffer for buffer in entry.function.buffers if buffer.name not in arena]
        entries.append(
            EntryInfo(
                name=name,
                symbol=f"{c_prefix(program.model)}_{name}_entry",
                reads=[b.name for b in table if b.access != "write"],
                writes=[b.name for b in table if b.access != "read"],
                slots=len(entry.arena),
                marks=list(complete_after(entry).values()),
            )
        )
    return Manifest(
        netwright=version,
        model=program.model,
        target=target,
        features=list(features),
        dims=list(dims),
        buffers=buffers,
        entries=entries,
        scores=[score for score in scores if roles.keys() >= set(score.sums)],
    )
