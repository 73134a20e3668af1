"""Algebraic simplification: what each rule gives, and that it computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.interpreter import evaluate
from netwright.compiler.passes.base import PassContext
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.simplify import Simplify

SIMPLE = [
    (
        "x + 0",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=0.0} : float32[N, 4]",
        "add(%0, %2)",
        "%0",
    ),
    (
        "1 * x",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=1.0} : float32[N, 4]",
        "mul(%2, %0)",
        "%0",
    ),
    (
        "x / 1",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=1.0} : float32[N, 4]",
        "div(%0, %2)",
        "%0",
    ),
    ("-(-x)", "%2 = neg(%0) : float32[N, 4]", "neg(%2)", "%0"),
    ("x + (-y)", "%2 = neg(%1) : float32[N, 4]", "add(%0, %2)", "sub"),
    (
        "x * -1",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=-1.0} : float32[N, 4]",
        "mul(%0, %2)",
        "neg",
    ),
    (
        "x * 0",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=0.0} : float32[N, 4]",
        "mul(%0, %2)",
        "mul",
    ),
    ("cast", "%2 = neg(%0) : float32[N, 4]", "cast(%2) {dtype='float32'}", "neg"),
    ("select", "%2 = eq(%0, %1) : bool[N, 4]", "select(%2, %0, %0)", "%0"),
    ("two reverses", "%2 = reverse(%0) {axes=(0, 1)} : float32[N, 4]", "reverse(%2) {axes=(0, 1)}", "%0"),
    ("reverse part", "%2 = reverse(%0) {axes=(0, 1)} : float32[N, 4]", "reverse(%2) {axes=(0,)}", "reverse"),
    ("stop", "%2 = neg(%0) : float32[N, 4]", "stop_gradient(%2)", "neg"),
    (
        "reshapes",
        "%2 = reshape(%0) {shape=(4*N,)} : float32[4*N]",
        "reshape(%2) {shape=(N, 4)}",
        "%0",
    ),
    (
        "transposes",
        "%2 = transpose(%0) {permutation=(1, 0)} : float32[4, N]",
        "transpose(%2) {permutation=(1, 0)}",
        "%0",
    ),
    (
        "slice of pad",
        "%2 = pad(%0) {low=(1, 0), high=(0, 2), interior=(0, 0), fill=0} : float32[N + 1, 6]",
        "slice(%2) {start=(1, 0), limit=(N + 1, 4), stride=(1, 1)}",
        "%0",
    ),
    (
        "slice of concat",
        "%2 = concat(%0, %1) {axis=1} : float32[N, 8]",
        "slice(%2) {start=(0, 4), limit=(N, 8), stride=(1, 1)}",
        "%1",
    ),
    (
        "slice across a concat",
        "%2 = concat(%0, %1) {axis=1} : float32[N, 8]",
        "slice(%2) {start=(0, 2), limit=(N, 6), stride=(1, 1)}",
        "slice",
    ),
]


@pytest.mark.parametrize(
    ("setup", "operation", "expected"), [s[1:] for s in SIMPLE], ids=[s[0] for s in SIMPLE]
)
def test_simplification(setup: str, operation: str, expected: str):
    text = f"""graph "g" {{
      %0 = input() {{name="x", role="input"}} : float32[N, 4]
      %1 = input() {{name="y", role="input"}} : float32[N, 4]
      {setup}
      %3 = {operation} : float32[N, 4]
      return "out"=%3
    }}""".replace("'", '"')
    graph = parse_graph(text)
    simplified = Simplify(differentiated=True).run(graph, PassContext())
    result = simplified.outputs["out"]
    if expected.startswith("%"):
        assert result.node == int(expected[1:])
    else:
        assert simplified.producer(result).op == expected
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(3, 4)).astype(np.float32) for name in ("x", "y")}
    np.testing.assert_array_equal(evaluate(simplified, arrays)["out"], evaluate(graph, arrays)["out"])


def test_gradients_of_slices_are_joined_again():
    text = """graph "g" {
      %0 = input() {name="x", role="input"} : float64[2, 3]
      %1 = pad(%0) {low=(0, 0), high=(0, 6), interior=(0, 0), fill=0} : float64[2, 9]
      %2 = pad(%0) {low=(0, 6), high=(0, 0), interior=(0, 0), fill=0} : float64[2, 9]
      %3 = neg(%0) : float64[2, 3]
      %4 = pad(%3) {low=(0, 3), high=(0, 3), interior=(0, 0), fill=0} : float64[2, 9]
      %5 = add(%1, %2) : float64[2, 9]
      %6 = add(%5, %4) : float64[2, 9]
      return "out"=%6
    }"""
    graph = parse_graph(text)
    found = RemoveDeadCode().run(Simplify().run(graph, PassContext()), PassContext())
    assert [node.op for node in found] == ["input", "neg", "concat"]
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(evaluate(found, {"x": x})["out"], np.concatenate([x, -x, x], axis=1))
