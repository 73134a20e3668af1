"""Whole networks as ONNX Runtime quantizes them, against ONNX Runtime."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray
from onnx.helper import make_node
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from netwright.onnx import import_model

from ..slices import sliced
from .compared import built, compare, run
from .models import onnxruntime_outputs
from .test_quantized_runtime import F, draw


class _Reader(CalibrationDataReader):
    def __init__(self, *batches: NDArray):
        self.batches = iter([{"x": one} for one in batches])

    def get_next(self) -> dict[str, NDArray] | None:  # type: ignore[override]
        return next(self.batches, None)


def network() -> onnx.ModelProto:
    """Convolutions, pools, a residual sum, a gate, and a dense layer."""
    constants = {"w1": draw(8, 3, 3, 3) / 5, "b1": draw(8) / 5, "w2": draw(8, 8, 3, 3) / 8, "b2": draw(8) / 5}
    constants |= {"w3": draw(8, 8, 1, 1) / 3, "w4": draw(10, 16) / 4, "b4": draw(10) / 4}
    nodes = [
        make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1] * 4, name="first"),
        make_node("Relu", ["c1"], ["r1"]),
        make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Conv", ["p1", "w2", "b2"], ["c2"], pads=[1] * 4, name="second"),
        make_node("LeakyRelu", ["c2"], ["r2"], alpha=0.2),
        make_node("Add", ["r2", "p1"], ["s"]),
        make_node("Conv", ["s", "w3"], ["c3"], name="gate"),
        make_node("Sigmoid", ["c3"], ["g"]),
        make_node("Mul", ["s", "g"], ["m"]),
        make_node("AveragePool", ["m"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Concat", ["p2", "p2"], ["j"], axis=1),
        make_node("GlobalAveragePool", ["j"], ["v"]),
        make_node("Flatten", ["v"], ["f"]),
        make_node("Gemm", ["f", "w4", "b4"], ["y"], transB=1),
    ]
    return built(nodes, {"x": (F, ["N", 3, 16, 16])}, ["y"], constants, opset=13)


def half_of_forms(form: QuantFormat, channels: bool, kind: QuantType) -> bool:
    return ((form == QuantFormat.QDQ) + channels + (kind == QuantType.QInt8)) % 2 == 0


@pytest.mark.parametrize(
    ("form", "channels", "kind"),
    sliced(
        product((QuantFormat.QOperator, QuantFormat.QDQ), (False, True), (QuantType.QUInt8, QuantType.QInt8)),
        half_of_forms,
    ),
)
def test_a_network_quantized_beforehand(
    form: QuantFormat, channels: bool, kind: QuantType, tmp_path: Path
) -> None:
    onnx.save(network(), tmp_path / "floats.onnx")
    reader = _Reader(*(draw(2, 3, 16, 16) for _ in range(4)))
    quantize_static(
        tmp_path / "floats.onnx",
        tmp_path / "whole.onnx",
        reader,
        quant_format=form,
        per_channel=channels,
        activation_type=kind,
        weight_type=QuantType.QInt8,
        reduce_range=form == QuantFormat.QOperator,  # see ``weight_codes``
    )
    found = onnx.load(tmp_path / "whole.onnx")
    if form == QuantFormat.QOperator:
        kinds = {node.op_type for node in found.graph.node}
        assert kinds >= {
            "QLinearConv",
            "QLinearAdd",
            "QLinearMul",
            "QLinearSigmoid",
            "QLinearLeakyRelu",
            "QGemm",
        }
        assert kinds >= {"QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearConcat"}
        compare(found, {"x": draw(3, 3, 16, 16)}, {"x": draw(1, 3, 16, 16)})
        return
    # Pairs are around sums of floats, which are rounded one way or the other: by one step at most. Rewritten, they are
    # sums of bytes, which may be saturated.
    (last,) = [node for node in found.graph.node if "y" in node.output]
    (step,) = [one for one in found.graph.initializer if one.name == last.input[1]]
    given = {"x": draw(3, 3, 16, 16)}
    ours, theirs = run(import_model(found), given)["y"], onnxruntime_outputs(found, given, as_written=True)[0]
    apart = np.rint((ours - theirs) / onnx.numpy_helper.to_array(step))
    assert np.abs(apart).max() <= 1
    assert np.count_nonzero(apart) <= apart.size / 3


@pytest.mark.parametrize("channels", [False, True])
def test_networks_quantized_while_they_run(channels: bool, tmp_path: Path) -> None:
    units = 12
    constants = {
        "w": draw(2, 4 * units, 5) / 3,
        "r": draw(2, 4 * units, units) / 3,
        "b": draw(2, 8 * units) / 3,
    }
    constants |= {"k": draw(2 * units, 4), "shape": np.array([0, 0, -1])}
    nodes = [
        make_node("LSTM", ["x", "w", "r", "b"], ["h"], hidden_size=units, direction="bidirectional"),
        make_node("Transpose", ["h"], ["t"], perm=[0, 2, 1, 3]),
        make_node("Reshape", ["t", "shape"], ["s"]),
        make_node("MatMul", ["s", "k"], ["y"]),
    ]
    floats = built(nodes, {"x": (F, ["T", 1, 5])}, ["y"], constants, opset=13)
    onnx.save(floats, tmp_path / "floats.onnx")
    quantize_dynamic(
        tmp_path / "floats.onnx", tmp_path / "whole.onnx", per_channel=channels, reduce_range=True
    )
    found = onnx.load(tmp_path / "whole.onnx")
    assert "DynamicQuantizeLSTM" in {node.op_type for node in found.graph.node}
    compare(found, {"x": draw(6, 1, 5)}, {"x": draw(3, 1, 5)})
