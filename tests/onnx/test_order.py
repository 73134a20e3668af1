"""Graphs as they come: nodes out of order, nodes that nothing reads, constants that shadow inputs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from onnx import TensorProto, helper, numpy_helper

from netwright.onnx import OnnxError, import_model

from .models import agrees, model

node = helper.make_node


def test_nodes_out_of_order_are_sorted() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Tanh", ["a"], ["b"]), node("Add", ["a", "b"], ["y"])]
    tidy = model(nodes, {"x": ["N", 4]}, ["y"])
    for order in ([2, 1, 0], [1, 2, 0], [2, 0, 1]):
        found = model([nodes[i] for i in order], {"x": ["N", 4]}, ["y"])
        assert import_model(found).spec == import_model(tidy).spec


def test_branches_out_of_order_are_sorted() -> None:
    given = [helper.make_tensor_value_info("v", TensorProto.FLOAT, None)]
    nodes = [node("Tanh", ["u"], ["v"]), node("Relu", ["x"], ["u"])]
    graph = helper.make_graph(nodes, "branch", [], given)
    found = model(
        [node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)],
        {"x": ["N", 4]},
        ["y"],
        {"c": np.asarray(True)},
    )
    assert "type: tanh" in import_model(found).spec


@pytest.mark.parametrize(
    "dead",
    [
        [node("RandomNormalLike", ["x"], ["d"])],
        [node("Unheard", ["x"], ["d"], domain="of"), node("Relu", ["d"], ["e"])],
        [node("NonZero", ["x"], ["d"]), node("Shape", ["d"], ["e"])],
    ],
)
def test_what_nothing_reads_is_left_out(dead: list[onnx.NodeProto]) -> None:
    found = model([*dead, node("Relu", ["x"], ["y"])], {"x": ["N", 4]}, ["y"])
    assert import_model(found).spec.count("type:") == 1


def test_what_only_shapes_read_is_no_reason_to_refuse() -> None:
    """Nobody needs what the random numbers are: only findings behind an output count."""
    nodes = [
        node("Relu", ["x"], ["y"]),
        node("RandomNormalLike", ["x"], ["d"]),
        node("Where", ["yes", "y", "d"], ["z"]),
    ]
    found = model(nodes, {"x": ["N", 4]}, ["y", "z"], {"yes": np.asarray(True)})
    with pytest.raises(OnnxError, match="RandomNormalLike") as caught:
        import_model(found)
    assert len(caught.value.findings) == 1


def test_an_output_that_nobody_reads_keeps_a_layer_whole() -> None:
    """Dead readers do not keep an activation from its convolution."""
    kernel = {"w": np.ones((2, 3, 1, 1), np.float32)}
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Exp", ["a"], ["dead"]), node("Relu", ["a"], ["y"])]
    found = model(nodes, {"x": ["N", 3, 4, 4]}, ["y"], kernel)
    assert "activation: relu" in import_model(found).spec


def test_constants_that_are_listed_as_inputs() -> None:
    found = model(
        [node("MatMul", ["x", "w"], ["y"])],
        {"x": ["N", 3], "w": [3, 2]},
        ["y"],
        {"w": np.ones((3, 2), np.float32)},
    )
    assert list(import_model(found).inputs) == ["x"]
    agrees(found, {"x": (2, 3)}, {"x": (1, 3)})


def test_empty_names_among_operands_and_results() -> None:
    generator = np.random.default_rng(0)
    constants = {
        "w": generator.normal(size=(1, 16, 3)).astype(np.float32),
        "r": generator.normal(size=(1, 16, 4)).astype(np.float32),
    }
    nodes = [
        node("LSTM", ["x", "w", "r", "", "", "", "", ""], ["", "y", ""], hidden_size=4),
        node("GRU", ["x", "w3", "r3", "", ""], ["", "z"], hidden_size=4),
    ]
    constants |= {"w3": constants["w"][:, :12], "r3": constants["r"][:, :12]}
    agrees(model(nodes, {"x": ["T", "N", 3]}, ["y", "z"], constants), {"x": (3, 2, 3)}, {"x": (5, 1, 3)})


def test_an_input_that_nothing_reads_stays() -> None:
    found = model([node("Relu", ["x"], ["y"])], {"x": ["N", 4], "unread": ["N", 2]}, ["y"])
    assert list(import_model(found).inputs) == ["x", "unread"]


def test_domains_of_other_opsets_than_the_model() -> None:
    """A model names domains that it does not use, and ONNX's own by its long name."""
    found = model([node("Relu", ["x"], ["y"], domain="ai.onnx")], {"x": ["N", 4]}, ["y"])
    del found.opset_import[:]
    found.opset_import.extend([helper.make_opsetid("com.example", 3), helper.make_opsetid("ai.onnx", 17)])
    assert "type: relu" in import_model(found).spec


def test_thousands_of_nodes_in_reverse() -> None:
    """Nothing about nodes takes the square of their number."""
    count = 5_000
    nodes = [node("Add", [f"c{i}", "one"], [f"c{i + 1}"]) for i in range(count)]
    constants = {"c0": np.float32(0), "one": np.float32(1)}
    found = model([*nodes, node("Mul", ["x", f"c{count}"], ["y"])][::-1], {"x": ["N", 2]}, ["y"])
    found.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items())
    assert "5000" in import_model(found).spec
