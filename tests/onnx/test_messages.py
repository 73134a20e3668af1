"""What is said of a model that is not brought over, or under other names."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from netwright.cli import main
from netwright.onnx.errors import OnnxError
from netwright.onnx.files import import_model


def value(name: str, shape: list[int | str] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str] | None],
    **weights: list[int],
) -> onnx.ModelProto:
    constants = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in weights.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [value(name, shape) for name, shape in inputs.items()],
        [value(name, shape) for name, shape in outputs.items()],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


UP = helper.make_node("ConvTranspose", ["x", "W"], ["y"], name="up")
SIGMOID = helper.make_node("Sigmoid", ["w"], ["W"], name="gates")
STEP = helper.make_graph(
    [helper.make_node("Add", ["s"], ["s2"], name="sum"), helper.make_node("Identity", ["s2"], ["z"])],
    "step",
    [value("s", [2]), value("e", [2])],
    [value("s2", [2]), value("z", [2])],
)
SCAN = helper.make_node("Scan", ["s0", "x"], ["s1", "y"], num_scan_inputs=1, body=STEP)
NINE = numpy_helper.from_array(np.array([2, 1, 1, 1, 1, 1, 1, 1, 3], np.int64), "shape")
WIDEN = [
    helper.make_node("Constant", [], ["shape"], value=NINE),
    helper.make_node("Reshape", ["x", "shape"], ["r"], name="widen"),
    helper.make_node("Softmax", ["r"], ["y"], axis=4),
]
CASES = {
    "more axes than a layer has": (
        model(WIDEN, {"x": [2, 3]}, {"y": None}),
        r"9 entries of shape: reshape takes at most 8$",
    ),
    "a value computed by a node": (
        model([SIGMOID, UP], {"x": ["N", 3, 8, 8], "w": [3, 2, 2, 2]}, {"y": None}),
        r"^up \(ConvTranspose\): .*W is computed at run time by gates \(Sigmoid\)",
    ),
    "a value that is an input": (
        model([UP], {"x": ["N", 3, 8, 8], "W": [3, 2, 2, 2]}, {"y": None}),
        r"^up \(ConvTranspose\): .*W is computed at run time: it is an input",
    ),
    "one operand": (
        model([SCAN], {"x": ["T", 2], "s0": [2]}, {"y": ["T", 2]}),
        r"sum \(Add\): there is 1 operand, 2 are needed",
    ),
    "an empty constant": (
        model(
            [helper.make_node("Identity", ["c"], ["y"]), helper.make_node("Relu", ["x"], ["z"])],
            {"x": ["N", 3]},
            {"y": [0, 3], "z": ["N", 3]},
            c=[0, 3],
        ),
        r"the output y: an empty tensor: .* has the shape \[0, 3\]",
    ),
    "an empty product": (
        model([helper.make_node("MatMul", ["x", "c"], ["y"])], {"x": ["N", 3]}, {"y": ["N", 0]}, c=[3, 0]),
        r"\(MatMul\): an empty tensor: units of dense would be 0",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refusals(case: str) -> None:
    source, message = CASES[case]
    with pytest.raises(OnnxError, match=message):
        import_model(source)


def test_other_names_are_told(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["input.1"], ["t"]), helper.make_node("Tanh", ["t"], ["out:2"])]
    source = model(nodes, {"input.1": ["N", 3]}, {"out:2": ["N", 3], "t": ["N", 3]})
    onnx.save(source, tmp_path / "m.onnx")
    given = ["-o", str(tmp_path / "m.yaml"), "--weights", str(tmp_path / "m.safetensors")]
    done = CliRunner().invoke(main, ["import", str(tmp_path / "m.onnx"), *given])
    assert done.exit_code == 0
    assert "the input input.1 is named input_1 here\n" in done.output
    assert "the output out:2 is named out_2 here\n" in done.output
    assert "t is named" not in done.output
