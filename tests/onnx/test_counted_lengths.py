"""Lengths that a network counts come back from ONNX."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import netwright
from netwright.onnx import import_model
from netwright.onnx.files import check
from netwright.specs.load import load_spec_text

from .models import onnxruntime_outputs
from .test_export import compare


def test_lengths_may_be_counted_among_steps_of_one_feature() -> None:
    """ONNX's lengths are int32 [N]; the maximum over one feature is no operation, so that axis is still there."""
    text = """netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 3, 2]}}
layers:
  - {name: first, type: rnn, units: 1}
  - name: count
    type: expression
    inputs: {a: first}
    value: "maximum(sum(max(cast(a > 0, int64), axis=-1), axis=1), 1)"
  - {name: r, type: rnn, inputs: [first], units: 3, return_sequences: false, lengths: count}
outputs: {y: r}
"""
    proto = compare(netwright.Model(load_spec_text(text, "m.yaml")))
    imported = import_model(proto, name="m")
    program = check(imported.spec).compile(dict(imported.weights), engine="reference", entries=["predict"])
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
    (expected,) = onnxruntime_outputs(proto, {"x": x})
    np.testing.assert_allclose(program.predict(x=x)["y"], expected, rtol=1e-5, atol=1e-6)
