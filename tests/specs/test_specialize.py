"""Open sizes settled or narrowed from outside."""

import pytest

from netwright.specs.load import load_spec_text
from netwright.specs.specialize import DimError, specialize

SPEC = """\
netwright: 1
model: m
dims: {N: batch, T: {min: 2, max: 100}}
inputs:
  x: {shape: [N, 2*T, 4], dtype: float32}
layers:
  - {name: a, type: dense, units: 4, expect: [N, 2*T, 4]}
  - {name: b, type: reshape, shape: [N, T, 8]}
outputs: {y: b}
train:
  data: {train: a.npz}
  targets: {t: {shape: [N, T, 8], dtype: float32}}
  loss: {type: mse, output: y, target: t}
"""


def test_numbers_settle_and_pairs_narrow() -> None:
    load = load_spec_text(SPEC)
    model = specialize(load, {"T": 5}).model
    assert model is not None
    assert model.train is not None
    assert model.inputs["x"].shape == ("N", 10, 4)
    assert model.layers[0].expect == ("N", 10, 4)
    assert model.layers[1].shape == ("N", 5, 8)  # type: ignore[union-attr]
    assert model.train.targets["t"].shape == ("N", 5, 8)
    assert list(model.dims) == ["N"]
    narrow = specialize(load, {"T": (16, 64), "N": (8, None)}).model
    assert narrow is not None
    assert (narrow.dims["T"].min, narrow.dims["T"].max) == (16, 64)
    assert (narrow.dims["N"].min, narrow.dims["N"].max) == (8, None)
    assert narrow.inputs == load.model.inputs  # type: ignore[union-attr]
    assert specialize(load, {}) is load


@pytest.mark.parametrize(
    "dims", [{"n": 1}, {"T": 1}, {"T": 101}, {"T": (2, None)}, {"T": (9, 8)}, {"N": 0}, {"T": (1, 5)}]
)
def test_what_a_dim_can_not_be(dims: dict) -> None:
    with pytest.raises(DimError):
        specialize(load_spec_text(SPEC), dims)
