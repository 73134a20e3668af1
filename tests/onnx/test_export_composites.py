"""Layers that ONNX has no operator for, as the operators they are made of: ONNX Runtime gives the same numbers."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import netwright
from netwright.specs.load import load_spec_text

from .test_export import compare

WINDOW = "[{name: c, type: conv1d, filters: 2, kernel_size: 3}, {name: f, type: flatten}]"
IMAGES = "[{name: c, type: conv2d, filters: 2, kernel_size: 2}, {name: f, type: flatten}]"
LAYERS = [
    ("[N, 8, 8, 3]", "type: depthwise_conv2d, kernel_size: 3, padding: same, depth_multiplier: 2"),
    ("[N, 8, 8, 3]", "type: separable_conv2d, kernel_size: 3, filters: 4, stride: 2"),
    ("[N, T, 3]", "type: separable_conv1d, kernel_size: 3, filters: 4, padding: causal"),
    ("[N, 4, 5, 3]", "type: up_sampling2d, size: [2, 3], interpolation: bilinear"),
    ("[N, T, 3]", "type: up_sampling1d, size: 2"),
    ("[N, 8, 9, 3]", "type: pool2d, pool_size: [2, 3], rounding: floor, expression: sqrt(mean(x * x))"),
    ("[N, T, 3]", "type: pool1d, pool_size: 3, stride: 1, padding: causal, expression: max(x) - mean(x)"),
    ("[N, T, 3]", "type: expression, value: 'where(where(x > 0.5, x < 1, x < 0), x, 0)'"),
    ("[N, T, 3]", "type: attention, causal: true"),
    ("[N, T, 4]", "type: multi_head_attention, num_heads: 2, key_dim: 3"),
    ("[N, T, 6, 3]", "type: time_distributed, layer: {type: conv1d, filters: 2, kernel_size: 3}"),
    ("[N, T, 3]", "type: gru, units: 3, zoneout: 0.2, recurrent_dropout: 0.5"),
    (
        "[N, T, 3]",
        "type: lstm, units: 3, bidirectional: true, recurrent_activation: hard_sigmoid, output_activation: linear",
    ),
    ("[N, T, 3]", "type: gru, units: 3, recurrent_activation: linear, activation: hard_sigmoid"),
    ("[N, T, 3]", f"type: scan_window, window: 4, stride: 1, combine: max, layers: {WINDOW}"),
    ("[N, 7, 6, 2]", f"type: scan_window, window: [4, 3], stride: [3, 1], layers: {IMAGES}"),
]


@pytest.mark.parametrize(("shape", "layer"), LAYERS, ids=[layer for _, layer in LAYERS])
def test_composites(shape: str, layer: str) -> None:
    text = f"""\
netwright: 1
model: composite
dims: {{N: batch, T: {{role: time, min: 4}}}}
inputs: {{x: {{shape: {shape}}}}}
layers: [{{name: y, {layer}}}]
outputs: {{out: y}}
"""
    model = netwright.Model(load_spec_text(text))
    assert model.is_valid, model.diagnostics.to_text()
    compare(model)


@pytest.mark.parametrize("shape", ["[N, T, 2]", "[4, 5, 2]"])
def test_a_vector_after_a_matrix_that_was_transposed(shape: str) -> None:
    """A convolution's channels are moved to the end, which ONNX Runtime joins with the product: not with a vector's."""
    text = f"""\
netwright: 1
model: weighted
dims: {{N: batch, T: {{role: time, min: 4}}}}
inputs: {{x: {{shape: {shape}}}}}
layers:
  - {{name: c, type: conv1d, filters: 3, kernel_size: 2}}
  - {{name: v, type: constant, value: [0.5, 2.0, -1.0]}}
  - {{name: y, type: matmul, inputs: [c, v]}}
outputs: {{out: y}}
"""
    model = netwright.Model(load_spec_text(text))
    assert model.is_valid, model.diagnostics.to_text()
    compare(model)
