"""Recurrences in bytes are about as exact as ONNX Runtime's, whose scales for states are those of each step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from netwright import load
from netwright.onnx import export_model

from .helpers import drawn, predicted, prepared, quantized, spec
from .test_networks import native


@pytest.mark.parametrize("units", [16, 48])
def test_as_exact_as_a_dynamic_lstm(units: int, tmp_path: Path) -> None:
    written = spec([4, 25, 12], {"type": "lstm", "units": units})
    network, weights = prepared(written, units)
    x = drawn(network)
    export_model(load(written), weights).save(tmp_path / "float.onnx")
    quantize_dynamic(
        tmp_path / "float.onnx",
        tmp_path / "int8.onnx",
        per_channel=True,
        reduce_range=True,  # else it adds products in 16 bits, and saturates, where there is no VNNI
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["LSTM"],
    )
    assert b"DynamicQuantizeLSTM" in (tmp_path / "int8.onnx").read_bytes()
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx", providers=["CPUExecutionProvider"])
    theirs = np.asarray(session.run(None, {"x": x})[0])
    exact = predicted(network, weights, x)
    made = quantized(network, weights, x)
    ours = native(made, x, 1)

    def error(y: np.ndarray) -> float:
        return float(np.sqrt(np.mean((y - exact) ** 2)))

    assert 0 < error(ours) < 1.25 * error(theirs)
    assert error(ours) < 0.01
