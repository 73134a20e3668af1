"""The graph's own operations: adding, rewriting, extracting, inlining."""

from __future__ import annotations

import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.graph.verify import verify
from netwright.compiler.ops.cost import cost_of
from netwright.compiler.ops.products.dot import MATMUL
from netwright.specs.dims import dim

F = TensorType("float32", (dim("N"), 4))


def chain() -> Graph:
    """y = exp(x + x), z = -x."""
    graph = Graph("chain")
    x = graph.input("x", F)
    graph.layer = "first"
    graph.set_output("y", graph.apply("exp", graph.apply("add", x, x)))
    graph.layer = "second"
    graph.set_output("z", graph.apply("neg", x))
    return graph


def test_an_operand_may_be_read_twice():
    graph = chain()
    x = graph.inputs["x"]
    add = graph.node(1)
    assert graph.operands(add) == (x, x)
    assert [(node.op, position) for node, position in graph.uses(x)] == [("add", 0), ("add", 1), ("neg", 0)]
    assert graph.network.number_of_edges(x.node, add.id) == 2


def test_what_is_added_later_is_seen():
    graph = chain()
    x = graph.inputs["x"]
    assert graph.network.number_of_nodes() == len(graph)
    assert len(graph.uses(x)) == 3
    sin = graph.add("sin", [x])
    assert graph.uses(x)[-1] == (sin, 0)
    network = graph.network
    assert network.nodes[sin.id]["node"] == sin
    assert list(network.in_edges(sin.id, keys=True, data="port")) == [(x.node, sin.id, 0, x.port)]


def test_rewriting_nothing_is_the_same_graph():
    graph = chain()
    assert graph.rewrite(lambda new, node, operands: None) is graph


def test_rewriting_replaces_and_keeps_layers():
    graph = chain()
    before = str(graph)

    def rule(new, node, operands):
        if node.op != "exp":
            return None
        assert len(new) == node.id
        return [new.apply("tanh", new.apply("neg", operands[0]))]

    rewritten = graph.rewrite(rule)
    verify(rewritten)
    assert [(node.op, node.layer) for node in rewritten] == [
        ("input", ""),
        ("add", "first"),
        ("neg", "first"),
        ("tanh", "first"),
        ("neg", "second"),
    ]
    assert rewritten.producer(rewritten.outputs["y"]).op == "tanh"
    assert str(graph) == before


def test_a_rewritten_graph_grows_apart_from_its_source():
    graph = chain()
    rewritten = graph.rewrite(lambda new, node, operands: [operands[0]] if node.op == "neg" else None)
    rewritten.apply("sin", rewritten.inputs["x"])
    assert len(graph) == 4
    assert [node.op for node in graph] == ["input", "add", "exp", "neg"]
    copy = graph.copy()
    copy.apply("sin", copy.inputs["x"])
    assert len(graph) == 4


def test_dropping_nodes():
    graph = chain()
    graph.drop_output("z")
    kept = graph.rewrite(lambda new, node, operands: None, keep=lambda node: node.op != "neg")
    assert [node.op for node in kept] == ["input", "add", "exp"]
    verify(kept)


def test_extracting_what_lies_between():
    graph = chain()
    middle = graph.operands(graph.producer(graph.outputs["y"]))[0]
    part = graph.extract("part", [("m", middle)], [("y", graph.outputs["y"])])
    assert [node.op for node in part] == ["input", "exp"]
    with pytest.raises(KeyError):
        graph.extract("part", [("m", middle)], [("z", graph.outputs["z"])])


def test_inlining_a_body():
    graph = Graph()
    (y, z) = graph.inline(chain(), [graph.input("a", F)])
    graph.set_output("out", graph.apply("add", y, z))
    verify(graph)
    assert [node.op for node in graph] == ["input", "add", "exp", "neg", "add"]


def test_an_input_is_declared_once():
    graph = chain()
    with pytest.raises(ValueError, match="has an input 'x' already"):
        graph.input("x", F)


def test_cost_counts_multiplications_and_additions():
    graph = Graph()
    a, b = graph.input("a", F), graph.input("b", TensorType("float32", (4, 8)))
    graph.apply("dot", a, b, attrs=MATMUL)
    assert str(cost_of(graph).flops) == "64*N"
    assert str(cost_of(graph).bytes) == "48*N + 128"
