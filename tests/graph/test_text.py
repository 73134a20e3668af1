"""The text form: graphs print and parse back; what is no graph is refused with its line."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.parse import ParseError, parse_graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.graph.verify import VerificationError, Verified, verify
from netwright.compiler.ops.base import Primitive, Sample
from netwright.compiler.ops.values.constant import constant, splat
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.specs.dims import dim, dim_max

from .drawing import CASES, NAMES, sample_graph
from .scans import CELLS, Cell, build

EXAMPLE = """graph "digits" {
  %0 = input() {name="x", role="input"} : float32[N, 4]
  %1 = constant() {dtype="float32", shape=(N, 4), value=0.5} : float32[N, 4]
  %2 = add(%0, %1) : float32[N, 4] @ "shift"
  return "y"=%2
}"""


def test_text_is_what_the_documentation_shows():
    graph = Graph("digits")
    type = TensorType("float32", (dim("N"), 4))
    x = graph.input("x", type)
    half = splat(graph, 0.5, type)
    graph.layer = "shift"
    graph.set_output("y", graph.apply("add", x, half))
    assert str(graph) == EXAMPLE
    assert str(parse_graph(EXAMPLE)) == EXAMPLE


@pytest.mark.parametrize(("primitive", "sample"), CASES, ids=NAMES)
def test_every_sample_parses_back(primitive: Primitive, sample: Sample):
    graph, _ = sample_graph(primitive, sample)
    parsed = parse_graph(str(graph))
    assert str(parsed) == str(graph)
    verify(parsed)
    assert [node.attrs for node in parsed] == [node.attrs for node in graph]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_scans_and_their_gradients_parse_back(cell: Cell):
    graph = build(cell)
    if cell.name != "embedding":
        graph, _ = gradients(graph, "loss", [next(iter({**cell.consts, **cell.carries}))])
    parsed = parse_graph(str(graph))
    assert str(parsed) == str(graph)
    verify(parsed)


SIZES = st.recursive(
    st.sampled_from([1, 2, 7, dim("N"), dim("T")]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        inner.map(lambda x: (x + 1) // 2),
        st.tuples(inner, inner).map(lambda p: dim_max(*p)),
    ),
    max_leaves=5,
)


@given(low=SIZES, high=SIZES, size=SIZES, fill=st.floats(), name=st.text(), layer=st.text(), data=st.binary())
def test_sizes_numbers_and_names_parse_back(low, high, size, fill, name, layer, data):
    graph = Graph(name)
    x = graph.input(name, TensorType("float64", (size,)))
    graph.layer = layer
    constant(graph, np.frombuffer(data, np.uint8))
    graph.set_output(layer, graph.apply("pad", x, attrs=PadAttributes((low,), (high,), (1,), fill)))
    text = str(graph)
    assert str(parse_graph(text)) == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("add(%0, %1)", "add(%0, %7)", "line 4: there is no value %7 here"),
        ("add(%0, %1)", "add(%0, %1.1)", "line 4: there is no value %1.1 here"),
        ("add(%0, %1)", "add(%0)", "line 4: add: add takes 2 operands, not 1"),
        ("add(%0", "plus(%0", "line 4: unknown or missing: plus"),
        ('4] @ "shift"', '5] @ "shift"', r"line 4: add gives float32\[N, 4\]"),
        ("shape=(N, 4)", 'shape="N"', "line 3: constant"),
        ("value=0.5", "value=0.5, more=1", "line 3"),
        ("value=0.5", "value=0.5.5", "line 3"),
        ('return "y"=%2\n}', 'return "y"=%2', "line 5: expected"),
        ("%2 = add", "%1 = add", "line 4: a second %1"),
        ("float32[N, 4] @", "float99[N, 4] @", "line 4: unknown dtype"),
        ("graph", "graf", "line 1: expected 'graph'"),
    ],
)
def test_what_is_no_graph_is_refused(old: str, new: str, message: str):
    assert old in EXAMPLE
    with pytest.raises(ParseError, match=message):
        parse_graph(EXAMPLE.replace(old, new, 1))


@given(st.data())
def test_damaged_text_is_refused_or_read(data: st.DataObject):
    text = str(build(CELLS[0]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    damaged = text[:start] + data.draw(st.text('%(){}[]=,:"x0N@-.', max_size=4)) + text[end:]
    with contextlib.suppress(ParseError):
        verify(parse_graph(damaged))


def test_verifier_finds_a_type_that_is_not_what_the_rule_gives():
    graph = Graph()
    x = graph.input("x", TensorType("float32", (2,)))
    graph._insert("neg", [x], graph.add("neg", [x]).attrs, (TensorType("float32", (3,)),), "")
    with pytest.raises(VerificationError, match=r"%2 = neg: its rule gives float32\[2\]"):
        verify(graph)


def test_verifier_finds_operands_that_come_later():
    graph = Graph()
    x = graph.input("x", TensorType("float32", (2,)))
    neg = graph.add("neg", [x])
    graph._insert("neg", [Value(2)], neg.attrs, neg.types, "")
    with pytest.raises(VerificationError, match="%2 = neg: an operand that is no earlier value"):
        verify(graph)


def test_verifier_looks_again_at_a_node_whose_operand_has_another_type():
    graph, verified = Graph(), Verified()
    x = graph.input("x", TensorType("float32", (2,)))
    wide = graph.input("wide", TensorType("float32", (3,)))
    graph.set_output("y", graph.apply("neg", graph.apply("exp", x)))
    verify(graph, verified)
    changed = graph.rewrite(lambda new, node, operands: [wide] if node.op == "exp" else None)
    with pytest.raises(VerificationError, match=r"%2 = neg: its rule gives float32\[3\]"):
        verify(changed, verified)
