"""Composite layers trained: native code and the interpreter make the same two steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netwright

CASES = {
    "time_distributed": (
        "[N, T, 5, 5, 1]",
        """
  - name: look
    type: time_distributed
    layers:
      - {name: c, type: conv2d, filters: 3, kernel_size: 2, activation: relu}
      - {name: n, type: batch_norm}
      - {name: p, type: pool2d, pool_size: 2, expression: sqrt(mean(x * x) + 0.1)}
      - {name: f, type: flatten}
  - {name: y, type: lstm, units: 3, recurrent_dropout: 0.2}
""",
        "[N, T, 3]",
    ),
    "scan of convolutions": (
        "[N, 11, 9, 2]",
        """
  - name: y
    type: scan_window
    window: [5, 4]
    stride: [2, 1]
    combine: softmax
    layers:
      - {name: c, type: conv2d, filters: 3, kernel_size: 2, activation: tanh}
      - {name: d, type: dropout, rate: 0.3}
      - {name: e, type: conv2d, filters: 2, kernel_size: [2, 3]}
      - {name: f, type: flatten}
      - {name: g, type: dense, units: 3}
""",
        "[N, 3]",
    ),
    "scan of recurrences": (
        "[N, T, 2]",
        """
  - {name: up, type: up_sampling1d, size: 2}
  - name: s
    type: scan_window
    window: 4
    stride: 2
    layers: [{name: r, type: gru, units: 3, return_sequences: false, zoneout: 0.2}]
  - {name: y, type: global_max_pool}
""",
        "[N, 3]",
    ),
    "cells inside": (
        "[N, T, 2]",
        """
  - {name: z, type: recurrent, cell: tower, with: {H: 3}, zoneout: {low_c: 0.3}, recurrent_dropout: 0.2}
  - {name: a, type: multi_head_attention, num_heads: 2, key_dim: 2, causal: true, dropout: 0.1}
  - {name: y, type: separable_conv1d, filters: 3, kernel_size: 2, padding: causal}
cells:
  tower:
    args: {H: int}
    input: {x: [F]}
    cells: {low: {use: lstm, with: {H: H}}, high: {use: rnn, with: {H: 2*H}}}
    output: high(concat(low(x), x))
""",
        "[N, T, 3]",
    ),
}


@pytest.mark.alike(2)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_engines_train_alike(case: tuple[str, str, str], tmp_path: Path) -> None:
    shape, layers, target = case
    path = tmp_path / "spec.yaml"
    path.write_text(f"""\
netwright: 1
model: composite
dims: {{N: batch, T: {{role: time, min: 3}}}}
inputs: {{x: {{shape: {shape}, dtype: float64}}}}
layers: {layers}
outputs: {{y: y}}
train:
  data: {{train: data.npz}}
  targets: {{t: {{shape: {target}, dtype: float64}}}}
  loss: {{type: mse, output: y, target: t}}
  optimizer: {{type: adam, learning_rate: 0.1}}
""")
    model = netwright.load(path)
    assert model.is_valid, model.diagnostics.to_text()
    native, reference = model.compile(entries=["predict", "train_step"]), model.compile(engine="reference")
    rng = np.random.default_rng(0)
    sizes = {"N": 3, "T": 5}
    x, t = (
        rng.normal(size=[sizes.get(one) or int(one) for one in text.strip("[]").split(", ")])
        for text in (shape, target)
    )
    for _ in range(2):
        assert native.train_step(x=x, t=t) == pytest.approx(reference.train_step(x=x, t=t), rel=1e-9)
    for name, array in reference.weights.items():
        np.testing.assert_allclose(native.weights[name], array, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(native.predict(x=x)["y"], reference.predict(x=x)["y"], atol=1e-8)
