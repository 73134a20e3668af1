"""Lowers one graph and runs it in the loop interpreter and as native code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from netwright.compiler.codegen.jit import compile_jit, jit_pool
from netwright.compiler.driver import describe
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop import ir
from netwright.compiler.loop.checks.verify import verify_program
from netwright.compiler.loop.interpreter.run import run_entry
from netwright.compiler.lowering.program import ProgramBuilder
from netwright.compiler.lowering.schedule import lower_entry
from netwright.compiler.machine import Machine
from netwright.compiler.observers import Observer
from netwright.compiler.pipeline import MEMORY
from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.engines.workers import process_pool
from netwright.specs.dims import evaluate
from netwright.specs.manifest import DimInfo

from ..machines import AVX512


def lowered(
    graph: Graph,
    machine: Machine = AVX512,
    *,
    steady: bool = False,
    opens: bool = False,
    observer: Observer | None = None,
) -> tuple[ir.Program, dict[str, np.ndarray]]:
    """The program with one entry, "main", and its constants."""
    if observer is not None:
        return _lower(graph, machine, steady, opens, observer)
    return _lowered(graph, machine, steady, opens)


def _lower(
    graph: Graph, machine: Machine, steady: bool, opens: bool, observer: Observer | None = None
) -> tuple[ir.Program, dict[str, np.ndarray]]:
    names = {
        name for value in graph.inputs.values() for size in graph.type(value).shape for name in _names(size)
    }
    builder = ProgramBuilder("test", dict.fromkeys(sorted(names), 1), machine)
    lower_entry(builder, "main", MEMORY.run(graph), observer, steady=steady, opens=opens)
    program = builder.finish()
    verify_program(program)
    return program, builder.constants


#: The loop interpreter and the machine code run the same program.
_lowered = lru_cache(maxsize=2)(_lower)


def _names(size: object) -> frozenset[str]:
    return getattr(size, "symbols", frozenset())


def zeros(type: TensorType, dims: Mapping[str, int]) -> np.ndarray:
    return np.zeros(tuple(evaluate(size, dims) for size in type.shape), type.dtype)


def run_loops(
    graph: Graph,
    inputs: Mapping[str, np.ndarray],
    dims: Mapping[str, int],
    machine: Machine = AVX512,
    nthreads: int = 1,
    *,
    steady: bool = False,
    opens: bool = False,
) -> dict[str, np.ndarray]:
    """The outputs that the lowered program computes in the loop interpreter."""
    program, constants = lowered(graph, machine, steady=steady, opens=opens)
    table = {name: array.copy() for name, array in {**inputs, **constants}.items()}
    for name, value in graph.outputs.items():
        table.setdefault(name, zeros(graph.type(value), dims))
    run_entry(program, "main", table, dict(dims), nthreads)
    return {name: table[name] for name in graph.outputs}


def run_native(
    graph: Graph,
    inputs: Mapping[str, np.ndarray],
    dims: Mapping[str, int],
    threads: int = 1,
    machine: Machine = AVX512,
) -> dict[str, np.ndarray]:
    """The outputs that the compiled program computes."""
    program, constants = lowered(graph, machine)
    native = compile_jit(program)
    manifest = describe(program, {"main": graph}, [DimInfo(name=name) for name, _ in program.dims])
    engine = NativeEngine(
        manifest,
        {"main": native.address("main")},
        {"main": native.plan_address("main")},
        constants=constants,
        keepalive=native,
        threads=threads,
        pool=process_pool(jit_pool()),
        grain=1,
    )
    table = {name: array.copy() for name, array in {**inputs, **constants}.items()}
    for name, value in graph.outputs.items():
        table.setdefault(name, zeros(graph.type(value), dims))
    engine.run("main", {name: dims[name] for name, _ in program.dims}, table)
    return {name: table[name] for name in graph.outputs}
