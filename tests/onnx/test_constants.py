"""What is computed from constants is a constant, and weights of other types are widened, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.helper import make_node

from netwright.onnx import import_model
from netwright.onnx.errors import OnnxError
from netwright.onnx.files import check
from netwright.onnx.fold import evaluated
from netwright.onnx.fold.reference import MAX_EVALUATED
from netwright.onnx.fold.table import Folding

from .models import model, onnxruntime_outputs

RNG = np.random.default_rng(7)
X = RNG.normal(size=(2, 3, 6, 6)).astype(np.float32)
KERNEL = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
CONV = make_node("Conv", ["x", "w"], ["y"])


def same(found: onnx.ModelProto, **inputs: NDArray) -> str:
    """Imports, compares with ONNX Runtime, and gives the spec."""
    imported = import_model(found)
    program = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    expected = onnxruntime_outputs(found, inputs)
    got = program.predict(**{imported.inputs[name]: value for name, value in inputs.items()})
    for port, value in zip(found.graph.output, expected, strict=True):
        ours = np.asarray(got[imported.outputs[port.name]])
        assert ours.shape == value.shape
        np.testing.assert_allclose(ours, value, rtol=1e-5, atol=1e-5)
    return imported.spec


def convolution(
    nodes: Sequence[onnx.NodeProto], constants: Mapping[str, NDArray], opset: int = 17
) -> onnx.ModelProto:
    return model([*nodes, CONV], {"x": ["N", 3, 6, 6]}, ["y"], constants, opset)


ONES, ZEROS = np.ones(4, np.float32), np.zeros(4, np.float32)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        (
            [
                make_node("Reshape", ["k", "flat"], ["r"]),
                make_node(
                    "BatchNormalization",
                    ["r", "one", "none", "none", "one"],
                    ["b", "m", "v"],
                    training_mode=1,
                ),
                make_node("Reshape", ["b", "shape"], ["w"]),
            ],
            {
                "flat": np.array([1, 4, -1]),
                "shape": np.array([4, 3, 3, 3]),
                "one": ONES,
                "none": ZEROS,
            },
        ),
        ([make_node("CumSum", ["k", "axis"], ["w"], reverse=1)], {"axis": np.array(2)}),
        (
            [make_node("Clip", ["k", "low", "high"], ["w"])],
            {"low": np.float32(-0.1), "high": np.float32(0.5)},
        ),
        ([make_node("Softmax", ["k"], ["w"], axis=1)], {}),
        ([make_node("Trilu", ["k"], ["w"], upper=0)], {}),
        (
            [make_node("ReduceMean", ["k"], ["m"], axes=[1, 2, 3]), make_node("Sub", ["k", "m"], ["w"])],
            {},
        ),
        (
            [make_node("Einsum", ["k", "mix"], ["w"], equation="ochw,cd->odhw")],
            {"mix": np.eye(3, dtype=np.float32)},
        ),
        (
            [make_node("ScatterND", ["k", "at", "new"], ["w"])],
            {"at": np.array([[1], [3]]), "new": np.ones((2, 3, 3, 3), np.float32)},
        ),
    ],
)
def test_kernels_that_are_computed(nodes: list[onnx.NodeProto], constants: dict[str, NDArray]) -> None:
    spec = same(convolution(nodes, {"k": KERNEL, **constants}), x=X)
    assert spec.count("type:") == 3, spec  # the convolution and the transposes around it
    assert "conv2d" in spec


@pytest.mark.parametrize("opset", [10, 13, 19, 21])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_quantized_weights(dtype: type, axis: int | None, opset: int) -> None:
    if opset == 10 and axis is not None:
        pytest.skip("scales of an axis are of opset 13")
    count = 1 if axis is None else KERNEL.shape[axis]
    limits = np.iinfo(dtype)
    codes = RNG.integers(limits.min, limits.max + 1, KERNEL.shape).astype(dtype)
    scales = RNG.uniform(0.01, 0.1, count).astype(np.float32).reshape(() if axis is None else -1)
    zeros = RNG.integers(0, 5, count).astype(dtype).reshape(scales.shape)
    keys = {} if axis is None else {"axis": axis}
    node = make_node("DequantizeLinear", ["q", "s", "z"], ["w"], **keys)
    spec = same(convolution([node], {"q": codes, "s": scales, "z": zeros}, opset), x=X)
    assert "quantize" not in spec


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE, TensorProto.INT8]
)
def test_weights_of_other_types(kind: int) -> None:
    found = convolution(
        [
            make_node(
                "Cast",
                [
                    "k",
                ],
                ["w"],
                to=TensorProto.FLOAT,
            )
        ],
        {},
    )
    tensor = helper.make_tensor("k", kind, KERNEL.shape, (KERNEL * 8).round(2).reshape(-1))
    if kind == TensorProto.INT8:
        tensor = onnx.numpy_helper.from_array((KERNEL * 8).astype(np.int8), "k")
    found.graph.initializer.append(tensor)
    same(found, x=X)


def test_computing_in_half_precision_is_refused() -> None:
    found = model(
        [make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16), make_node("Relu", ["h"], ["y"])],
        {"x": ["N", 3]},
        ["y"],
    )
    with pytest.raises(OnnxError, match="FLOAT16"):
        import_model(found)


def test_the_other_float_type_at_the_border() -> None:
    found = model(
        [
            make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT),
            make_node("Gemm", ["h", "w"], ["g"]),
            make_node("Cast", ["g"], ["y"], to=TensorProto.DOUBLE),
        ],
        {"x": ["N", 3]},
        ["y"],
        {"w": RNG.normal(size=(3, 2)).astype(np.float32)},
    )
    for port in (found.graph.input[0], found.graph.output[0]):
        port.type.tensor_type.elem_type = TensorProto.DOUBLE
    same(found, x=RNG.normal(size=(4, 3)))


def test_the_other_float_type_of_what_decides() -> None:
    """A comparison of one type says which values of the other type are taken."""
    found = model(
        [
            make_node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE),
            make_node("Mul", ["d", "third"], ["e"]),
            make_node("Sub", ["e", "third"], ["f"]),
            make_node("Greater", ["f", "third"], ["g"]),
            make_node("Where", ["g", "x", "zero"], ["h"]),
            make_node("Transpose", ["h"], ["t"], perm=[1, 0]),
            make_node("Gemm", ["t", "w"], ["y"], transA=1),
        ],
        {"x": ["N", 3]},
        ["y"],
        {
            "w": RNG.normal(size=(3, 2)).astype(np.float32),
            "third": np.asarray(1 / 3),
            "zero": np.asarray(0, np.float32),
        },
    )
    same(found, x=RNG.normal(size=(4, 3)).astype(np.float32))


def test_what_would_be_too_large_is_left_to_run_time() -> None:
    at = Folding(17, ("int64", "int64", "float32"), {})
    arrays = [np.arange(4), np.array(MAX_EVALUATED), np.array([0, 1], np.float32)]
    assert evaluated("OneHot", {}, arrays, at) is None
    assert evaluated("OneHot", {}, [arrays[0], np.array(5), arrays[2]], at) is not None


def test_what_the_evaluator_does_not_do_is_left_to_the_converter() -> None:
    at = Folding(17, ("float32", "float32"), {})
    assert evaluated("LSTM", {}, [np.ones((1, 1, 1), np.float32)] * 3, at) is None
    assert evaluated("Einsum", {"equation": "nonsense"}, [ONES, ONES], at) is None


def test_the_float_type_of_a_pool_is_not_that_of_positions() -> None:
    """Most operators compute where to gather from, in the other float type."""
    found = model(
        [
            make_node("MaxPool", ["x"], ["p"], kernel_shape=[2]),
            make_node("Shape", ["p"], ["s"], start=2),
            make_node("Cast", ["s"], ["c"], to=TensorProto.DOUBLE),
            make_node("Mul", ["c", "half"], ["m"]),
            make_node("Floor", ["m"], ["f"]),
            make_node("Sub", ["f", "half"], ["d"]),
            make_node("Ceil", ["d"], ["e"]),
            make_node("Cast", ["e"], ["i"], to=TensorProto.INT64),
            make_node("Gather", ["p", "i"], ["y"], axis=2),
        ],
        {"x": ["N", 3, 8]},
        ["y"],
        {"half": np.asarray(0.5)},
    )
    same(found, x=RNG.normal(size=(2, 3, 8)).astype(np.float32))
