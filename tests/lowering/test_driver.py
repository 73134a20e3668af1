"""From graphs to a program: what ``prepare`` takes over, and what the manifest says."""

import numpy as np
import pytest

from netwright.compiler.codegen.jit import compile_jit
from netwright.compiler.driver import lower
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.lowering.program import ProgramBuilder
from netwright.compiler.ops.base import BroadcastAttributes
from netwright.compiler.ops.products.dot import MATMUL
from netwright.runtime.engines.native import NativeEngine
from netwright.runtime.sessions.session import Session
from netwright.specs.manifest import DimInfo

from ..machines import AVX512
from .engines import lowered
from .networks import N, add_bias, draw_inputs


def folded() -> Graph:
    """dense with the weights scaled by a statistic: the scaling and the packing depend on parameters alone."""
    g = Graph("folded")
    x = g.input("x", TensorType("float32", (N, 24)))
    w = g.input("kernel", TensorType("float32", (24, 32)), "parameter")
    v = g.input("scale", TensorType("float32", (32,)), "statistic")
    y = g.apply("dot", x, w, attrs=MATMUL)
    g.set_output("y", add_bias(g, y, g.apply("exp", g.apply("mul", v, v))))
    return g


def test_prepare_computes_what_depends_on_parameters_alone() -> None:
    graph = folded()
    lowered = lower("m", {"predict": graph}, [DimInfo(name="N")], version="0", target="test", machine=AVX512)
    entries = {entry.name: entry for entry in lowered.manifest.entries}
    assert set(entries) == {"prepare", "predict"}
    assert [b.name for b in lowered.manifest.buffers if b.role == "packed"] == entries["prepare"].writes
    assert set(entries["predict"].reads) == {"x", *entries["prepare"].writes}

    native = compile_jit(lowered.program)
    engine = NativeEngine(
        lowered.manifest,
        {name: native.address(name) for name in entries},
        {name: native.plan_address(name) for name in entries},
        constants=lowered.constants,
        keepalive=native,
    )
    inputs = draw_inputs(graph, {"N": 5})
    session = Session(engine, {name: inputs[name] for name in ("kernel", "scale")})
    expected = evaluate(graph, inputs)["y"]
    np.testing.assert_allclose(session.predict(x=inputs["x"])["y"], expected, rtol=1e-5, atol=1e-5)


def test_prepare_leaves_what_has_the_sizes_of_a_call() -> None:
    """The scale, spread over the batch and squared there: only the spreading's operand could be prepared."""
    g = Graph("spread")
    x = g.input("x", TensorType("float32", (N, 4)))
    v = g.input("scale", TensorType("float32", (4,)), "parameter")
    spread = g.apply("broadcast", g.apply("exp", v), attrs=BroadcastAttributes((N, 4), (1,)))
    g.set_output("y", g.apply("mul", x, g.apply("mul", spread, spread)))
    lowered = lower("m", {"predict": g}, [DimInfo(name="N")], version="0", target="test", machine=AVX512)
    (packed,) = [b for b in lowered.manifest.buffers if b.role == "packed"]
    assert packed.shape == ["4"]


def test_a_buffer_is_the_same_in_all_entries() -> None:
    program = ProgramBuilder("m", {"N": 1}, AVX512)
    weight = program.storage("w", TensorType("float32", (4,)))
    assert program.storage("w", TensorType("float32", (4,))) is weight
    with pytest.raises(
        ValueError, match=r"buffer 'w' is float32\[4\] in one entry and float32\[5\] in another"
    ):
        program.storage("w", TensorType("float32", (5,)))


def test_kernels_know_the_layers_that_they_compute() -> None:
    """Equal kernels are one, for the layers of both; an operation of no layer adds none."""
    g = Graph("m")
    x, z = (g.input(name, TensorType("float32", (4,))) for name in ("x", "z"))
    g.set_output("a", g.add("neg", [x], layer="first").values[0])
    g.set_output("b", g.add("neg", [z], layer="second").values[0])
    g.set_output("c", g.add("exp", [x]).values[0])
    program, _ = lowered(g)
    assert sorted(program.layers.values()) == [(), ("first", "second")]
