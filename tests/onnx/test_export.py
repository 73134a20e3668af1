"""Specs to ONNX: the checker accepts them, and ONNX Runtime gives the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx
from numpy.typing import NDArray

import netwright
from netwright.onnx import export_model

from .models import onnxruntime_outputs

SIZES = {"N": 3, "T": 7}


def arrays(model: netwright.Model, seed: int = 0) -> dict[str, NDArray]:
    """Random inputs."""
    generator = np.random.default_rng(seed)
    found = {}
    for name, type in model.network.inputs.items():
        sizes = {dim: max(SIZES.get(dim, 5), one.min) for dim, one in model.network.dims.items()}
        shape = [size if isinstance(size, int) else sizes[str(size)] for size in type.shape]
        floats = type.dtype in ("float32", "float64")
        values = generator.normal(size=shape) if floats else generator.integers(1, 5, shape)
        found[name] = values.astype(type.dtype)
    return found


def exported(model: netwright.Model) -> tuple[onnx.ModelProto, netwright.Program]:
    program = model.compile(engine="reference", entries=["predict"], seed=1)
    proto = export_model(model, program.weights).proto
    onnx.checker.check_model(proto, full_check=True)
    return proto, program


def compare(model: netwright.Model) -> onnx.ModelProto:
    proto, program = exported(model)
    inputs = arrays(model)
    expected = program.predict(**inputs)
    answers = onnxruntime_outputs(proto, inputs)
    for name, answer in zip([output.name for output in proto.graph.output], answers, strict=True):
        assert answer.dtype == expected[name].dtype
        np.testing.assert_allclose(answer, expected[name], rtol=1e-4, atol=1e-5)
    return proto


LAYERS = {
    "quantized": "- {name: q, type: fake_quantize, scale: 0.05, zero_point: 3}\n"
    "  - {name: r, type: fake_quantize, scale: 0.02, bits: 6, signed: false}\n"
    "  - {name: s, type: fake_quantize, axis: -1}",
    "pools": "- {name: p, type: max_pool2d, pool_size: 3, stride: 2, padding: same}\n"
    "  - {name: q, type: mean_pool2d, pool_size: 2, padding: same_upper, rounding: floor}",
    "ceil": "- {name: p, type: mean_pool2d, pool_size: 4, stride: 3}\n  - {name: r, type: relu}",
    "norms": "- {name: b, type: batch_norm, scale: false}\n  - {name: l, type: layer_norm, center: false}",
    "gelu": "- {name: c, type: conv2d, filters: 4, kernel_size: 3, stride: 2, padding: same_lower, activation: gelu}",
    "groups": "- {name: c, type: conv2d, filters: 4, kernel_size: [3, 2], groups: 2, dilation: 2}\n"
    "  - {name: e, type: elu, alpha: 0.5}\n  - {name: s, type: softmax, axis: 1}",
    "joins": "- {name: c, type: conv2d, filters: 2, kernel_size: 3, padding: same}\n"
    "  - {name: a, type: add, inputs: [c, x]}\n  - {name: b, type: multiply, inputs: [a, c]}\n"
    "  - {name: d, type: concat, inputs: [a, b, x]}\n  - {name: f, type: flatten}\n"
    "  - {name: g, type: dense, units: 3}",
    "windows": "- {name: t, type: conv_transpose2d, filters: 3, kernel_size: 3, stride: 2}\n"
    "  - {name: p, type: lp_pool2d, pool_size: 2}\n"
    "  - {name: m, type: mean_pool2d, pool_size: 3, padding: same, count_include_pad: true, stride: 2}",
    "means": "- {name: g, type: global_mean_pool}\n  - {name: d, type: dropout, rate: 0.5}\n"
    "  - {name: h, type: dense, units: 3, activation: tanh}\n  - {name: k, type: argmax}",
    "moves": "- {name: t, type: transpose, permutation: [0, 2, 1, 3]}\n"
    "  - {name: s, type: slice, axes: [1, 2], starts: [1, null], stops: [-1, null], steps: [2, -1]}\n"
    "  - {name: r, type: reshape, shape: [N, -1]}\n  - {name: d, type: dense, units: 2}",
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS.keys())
def test_layers_agree_with_onnxruntime(layers: str, tmp_path: Path) -> None:
    last = re.findall(r"name: (\w+)", layers)[-1]
    text = f"""netwright: 1
model: m
dims: {{N: batch}}
inputs: {{x: {{shape: [N, 9, 8, 2]}}}}
layers:
  {layers}
outputs: {{y: {last}}}
"""
    (tmp_path / "m.yaml").write_text(text)
    compare(netwright.load(tmp_path / "m.yaml"))


CELLS = {
    "gru": "{name: r, type: gru, units: 4, bidirectional: true, layers: 2}",
    "gru_before": "{name: r, type: gru, units: 4, reset_after: false, return_sequences: false}",
    "lstm": "{name: r, type: lstm, units: 4, layers: 2, return_sequences: false}",
    "lstm_learned": "{name: r, type: lstm, units: 4, initial_state: learned}",
    "reverse": "{name: r, type: lstm, units: 4, reverse: true, peepholes: true, clip: 0.5}",
    "functions": "{name: r, type: lstm, units: 4, activation: relu, recurrent_activation: hard_sigmoid}",
    "rnn": "{name: r, type: rnn, units: 4, activation: {type: elu, alpha: 0.5}, bidirectional: true}",
    "cell": "{name: r, type: recurrent, cell: leaky, with: {H: 4}, reverse: true}",
}


WIDER = """
netwright: 1
model: m
inputs: {x: {shape: [2, 3, 4]}}
layers:
  - {name: wider, type: broadcast_to, shape: [1, 2, 3, 4]}
  - {name: size, type: expression, value: abs(x)}
  - {name: pool, type: mean_pool2d, pool_size: 1}
  - {name: sums, type: reduce, inputs: [size], op: sum, axes: [0, 2]}
outputs: {pool: pool, sums: sums, size: size}
"""


def test_axes_that_broadcasting_adds_are_there_for_who_reads_them(tmp_path: Path) -> None:
    """Elementwise operators broadcast on their own, so a value is expanded only in front of others."""
    path = tmp_path / "m.yaml"
    path.write_text(WIDER, encoding="utf-8")
    compare(netwright.load(path))


@pytest.mark.parametrize("layer", CELLS.values(), ids=CELLS.keys())
def test_recurrences_agree_with_onnxruntime(layer: str, tmp_path: Path) -> None:
    state = ", s: r.state" if "layers" not in layer else ""
    text = f"""netwright: 1
model: m
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, 3]}}}}
cells:
  leaky:
    args: {{H: int}}
    input: {{x: [F]}}
    states: {{h: {{shape: [H]}}}}
    params: {{A: {{shape: [H, H]}}, B: {{shape: [F, H]}}}}
    update: {{h: 0.5 * prev(h) + 0.5 * tanh(prev(h) @ A + x @ B)}}
    output: h * h
layers:
  - {layer}
outputs: {{y: r{state}}}
"""
    (tmp_path / "m.yaml").write_text(text)
    proto = compare(netwright.load(tmp_path / "m.yaml"))
    kinds = {one.op_type for one in proto.graph.node}
    assert kinds & {"LSTM", "GRU", "RNN", "Scan"}
