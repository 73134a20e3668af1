"""Dims that are multiples of a number, or have limits, go to ONNX and come back."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

import onnx

import netwright
from netwright.onnx import OnnxError, import_model
from netwright.onnx.files import check
from netwright.specs.load import load_spec_text

from .models import onnxruntime_outputs
from .test_export import exported

HALVED = """netwright: 1
model: m
dims: {N: batch, T: {role: time, multiple_of: 4}}
inputs:
  x: {shape: [N, T, 3]}
layers:
  - {name: p, type: mean_pool1d, pool_size: 2}
  - {name: q, type: mean_pool1d, pool_size: 2}
  - {name: u, type: resize, axes: [1], scales: [4.0]}
  - {name: a, type: add, inputs: [u, x]}
  - {name: m, type: max_pool1d, inputs: [p], pool_size: 2}
  - {name: v, type: max_unpool, inputs: [m, m.indices], pool_size: 2}
outputs: {y: a, z: v}
"""


def halved() -> tuple[netwright.Model, onnx.ModelProto]:
    model = netwright.Model(load_spec_text(HALVED, "m.yaml"))
    proto, program = exported(model)
    given = {"x": np.random.default_rng(1).normal(size=(2, 8, 3)).astype(np.float32)}
    for own, answer in zip(program.predict(**given).values(), onnxruntime_outputs(proto, given), strict=True):
        np.testing.assert_allclose(own, answer, rtol=1e-5, atol=1e-6)
    return model, proto


def test_a_dim_that_is_a_multiple_comes_back_as_one() -> None:
    """What ONNX has no word for stands in the model's metadata; sizes are written without cutting anything off."""
    model, proto = halved()
    assert "Mod" not in {node.op_type for node in proto.graph.node}
    imported = import_model(proto)
    assert "T: {role: " in imported.spec
    assert "multiple_of: 4}" in imported.spec
    again = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    given = {"x": np.random.default_rng(2).normal(size=(2, 12, 3)).astype(np.float32)}
    wanted = model.compile(entries=["predict"], threads=1).predict(**given)
    for name, value in again.predict(**given).items():
        np.testing.assert_allclose(value, wanted[name], rtol=1e-5, atol=1e-6)
    settled = import_model(proto, dims={"T": 8}).spec
    assert "[N, 8, 3]" in settled
    assert "multiple_of: 12}" in import_model(proto, dims={"T": "12k"}).spec


@pytest.mark.parametrize(
    "text", ["", "[", "[4]", '{"T": "4"}', '{"T": 0}', '{"T": true}', '{"other": 4}', "[" * 99999]
)
def test_metadata_that_say_nothing_are_no_reason_to_refuse(text: str) -> None:
    _, proto = halved()
    proto.metadata_props[0].value = text
    with pytest.raises(OnnxError) as caught:  # as for any file that does not say it
        import_model(proto)
    assert caught.value.help == "it fits where T is a multiple of 4: --dim T=4k"


LIMITED = """netwright: 1
model: m
dims: {N: batch, T: {min: 3, max: 9}}
inputs:
  x: {shape: [N, T, 1]}
layers:
  - {name: c, type: conv_transpose1d, filters: 2, kernel_size: 1, padding: [[1, 1]], activation: log_softmax}
outputs: {y: c}
"""


def test_limits_of_a_dim_come_back() -> None:
    """T - 2 was max(1, T - 1) - 1 again, which is something else for a T of 1."""
    proto, _ = exported(netwright.Model(load_spec_text(LIMITED, "m.yaml")))
    assert "min: 3, max: 9}" in import_model(proto).spec
    assert "min: 4, max: 5}" in import_model(proto, dims={"T": (4, 5)}).spec
    assert "min: 4, max: 9, multiple_of: 2}" in import_model(proto, dims={"T": "2k"}).spec
    assert "[N, 4, 1]" in import_model(proto, dims={"T": 4}).spec


@pytest.mark.parametrize("text", ["", "[4]", '{"T": -4}', '{"T": 2.5}', '{"T": 99999999999}'])
def test_limits_that_say_nothing_are_ignored(text: str) -> None:
    _, proto = halved()
    proto.metadata_props.add(key="netwright.max", value=text)
    assert "max" not in import_model(proto).spec.split("inputs:")[0]
