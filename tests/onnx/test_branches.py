"""If: the branch that is taken, both where a condition is computed, and what is said where neither will do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from click.testing import CliRunner
from onnx import TensorProto, helper

import netwright
import netwright.specs.load
from netwright.cli import main
from netwright.onnx import OnnxError, import_model

from .models import agrees, model

node = helper.make_node


def branch(nodes: list[onnx.NodeProto], *outputs: str) -> onnx.GraphProto:
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    return helper.make_graph(nodes, "branch", [], given)


def conditional(condition: list[onnx.NodeProto], **more: object) -> onnx.ModelProto:
    """relu(x) where c, else tanh(2x); the inner names are the same."""
    then = branch([node("Relu", ["x"], ["v"])], "v")
    other = branch([node("Add", ["x", "x"], ["u"]), node("Tanh", ["u"], ["v"])], "v")
    nodes = [*condition, node("If", ["c"], ["r"], then_branch=then, else_branch=other)]
    constants = {"one": np.asarray(1), "four": np.asarray(4), "half": np.asarray(0.5, np.float32)}
    return model([*nodes, node("Exp", ["r"], ["y"])], {"x": ["N", 4]}, ["y"], constants)


@pytest.mark.parametrize(("size", "layer"), [("four", "relu"), ("one", "tanh")])
def test_condition_from_shape(size: str, layer: str) -> None:
    sizes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["f"])]
    found = conditional([*sizes, node("Equal", ["f", size], ["c"])])
    assert f"type: {layer}" in (imported := import_model(found)).spec
    assert ("relu" in imported.spec) != ("tanh" in imported.spec)
    agrees(found, {"x": (3, 4)}, {"x": (1, 4)})


@pytest.mark.parametrize("shape", [[], [1]])
def test_condition_at_run_time_computes_both(shape: list[int]) -> None:
    """Above and below a threshold."""
    mean = node("ReduceMean", ["x"], ["m"], keepdims=0)
    compare = [node("Less", ["m", "half"], ["l"]), node("Reshape", ["l", "to"], ["c"])]
    found = conditional([mean, *compare])
    found.graph.initializer.append(helper.make_tensor("to", TensorProto.INT64, [len(shape)], shape))
    for shift in (-4.0, 4.0):
        agrees(found, {"x": (3, 4)}, {"x": (2, 4)}, shift=shift)


def test_branches_of_different_types_need_the_condition() -> None:
    mean = [node("ReduceMax", ["x"], ["m"], keepdims=0), node("Less", ["m", "half"], ["c"])]
    then = branch([node("Identity", ["x"], ["v"])], "v")
    other = branch([node("Flatten", ["x"], ["v"], axis=0)], "v")
    nodes = [*mean, node("If", ["c"], ["y"], then_branch=then, else_branch=other)]
    found = model(nodes, {"x": [2, 4]}, ["y"], {"half": np.asarray(0.5, np.float32)})
    with pytest.raises(OnnxError, match=r"float32\[2, 4\] and float32\[1, 8\], so the condition has to be"):
        import_model(found)


def switched() -> onnx.ModelProto:
    """A rate chooses among branches of which one can't be imported, and reads what can't be imported."""
    then = branch([node("Relu", ["x"], ["v"])], "v")
    other = branch([node("Det", ["dead"], ["v"])], "v")
    nodes = [
        node("RandomNormalLike", ["x"], ["dead"]),
        node("Equal", ["sr", "rate"], ["c"]),
        node("If", ["c"], ["y"], then_branch=then, else_branch=other),
    ]
    found = model(nodes, {"x": ["N", 4]}, ["y"], {"rate": np.asarray(16000)})
    found.graph.input.append(helper.make_tensor_value_info("sr", TensorProto.INT64, []))
    return found


def test_an_input_that_is_settled_disappears(tmp_path: Path) -> None:
    onnx.save(switched(), tmp_path / "m.onnx")
    spec, weights = tmp_path / "m.yaml", tmp_path / "m.safetensors"
    command = ["import", str(tmp_path / "m.onnx"), "-o", str(spec), "--weights", str(weights)]
    assert CliRunner().invoke(main, [*command, "--input", "sr=16000"]).exit_code == 0
    loaded = netwright.load(spec)
    assert loaded.is_valid
    assert list(loaded.network.inputs) == ["x"]
    assert "type: relu" in spec.read_text()
    refused = CliRunner().invoke(main, [*command, "--input", "sr=8000"])
    assert refused.exit_code == 1
    assert "(Det)" in refused.output or "(RandomNormalLike)" in refused.output
    assert CliRunner().invoke(main, [*command, "--input", "sr"]).exit_code == 2


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"rate": 1}, "there is no input 'rate': there is 'x', 'sr'"),
        ({"sr": 1.5}, r"is int64\[\], it can't be 1.5"),
        ({"sr": [1, 2]}, r"the value has the shape \[2\]"),
        ({"sr": True}, "it can't be True"),
        ({"sr": "a"}, "it can't be 'a'"),
        ({"x": 1.0}, r"float32\[N, 4\], the value has the shape \[\]"),
    ],
)
def test_inputs_that_do_not_fit(given: dict, reason: str) -> None:
    with pytest.raises(OnnxError, match=reason):
        import_model(switched(), inputs=given)


def test_a_branch_in_a_branch_with_names_of_its_own() -> None:
    """Both levels call their results the same, and read what is outside."""
    mean = [node("ReduceMean", ["x"], ["m"], keepdims=0), node("Less", ["m", "half"], ["c"])]
    inner = branch([node("Relu", ["x"], ["v"])], "v"), branch([node("Sin", ["w"], ["v"])], "v")
    deeper = node("If", ["known"], ["z"], then_branch=inner[0], else_branch=inner[1])
    then = branch([node("Exp", ["x"], ["w"]), deeper, node("Add", ["z", "w"], ["v"])], "v")
    other = branch([node("Identity", ["x"], ["v"])], "v")
    nodes = [*mean, node("If", ["c"], ["y"], then_branch=then, else_branch=other)]
    constants = {"half": np.asarray(0.5, np.float32), "known": np.asarray(False)}
    found = model(nodes, {"x": ["N", 4]}, ["y"], constants)
    agrees(found, {"x": (3, 4)}, {"x": (2, 4)})
    agrees(found, {"x": (3, 4)}, shift=2.0)


def squeezed(size: int | str) -> onnx.ModelProto:
    """What PyTorch writes for `squeeze(1)` of a size that it does not know, in front of what takes two axes alone."""
    nodes = [
        node("AveragePool", ["x"], ["pooled"], kernel_shape=[4], strides=[4]),
        node("Shape", ["pooled"], ["s"]),
        node("Gather", ["s", "last"], ["f"]),
        node("Equal", ["f", "one"], ["c"]),
        node(
            "If",
            ["c"],
            ["flat"],
            then_branch=branch([node("Squeeze", ["pooled", "axis"], ["v"])], "v"),
            else_branch=branch([node("Identity", ["pooled"], ["v"])], "v"),
        ),
        node("Gemm", ["flat", "w"], ["y"]),
    ]
    constants = {"last": np.asarray(2), "one": np.asarray(1), "axis": np.asarray([2])}
    return model(nodes, {"x": ["N", 3, size]}, ["y"], {**constants, "w": np.ones((3, 2), np.float32)})


def test_an_open_size_is_narrowed_to_where_a_branch_is_right() -> None:
    """Only for 4 to 7 cells is there one window, and only then is there a matrix."""
    imported = agrees(squeezed("T"), {"x": (2, 3, 4)}, {"x": (1, 3, 7)})
    dims = netwright.specs.load.load_spec_text(imported.spec, "m").model.dims
    assert (dims["T"].min, dims["T"].max) == (4, 7)


def test_branches_that_are_both_right_are_not_narrowed_to_one_size() -> None:
    """The branch for large sizes is taken where nothing speaks against it."""
    found = squeezed("T")
    del found.graph.node[-1]
    found.graph.output[0].name = "flat"
    imported = agrees(found, {"x": (2, 3, 9)}, {"x": (1, 3, 17)})
    assert "min: 8" in imported.spec


def test_a_branch_and_a_size_with_two_names() -> None:
    """Only with the branch that is not the usual one does it show that two names are one size."""
    found = squeezed("T")
    found.graph.node.append(node("Add", ["y", "z"], ["sum"]))
    found.graph.output[0].name = "sum"
    found.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["M", 2]))
    agrees(found, {"x": (2, 3, 5), "z": (2, 2)}, {"x": (3, 3, 7), "z": (3, 2)})
