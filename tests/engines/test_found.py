"""Networks in which drawing found something, kept small: each says what went wrong."""

from pathlib import Path

import numpy as np

import netwright

RUNNING_SUMS = """
netwright: 1
model: sums
dims: {N: batch, T: {min: 1}}
inputs:
  x: {shape: [N, T, 3]}
  spare: {shape: [N, 2]}
cells:
  sums:
    input: {x: [F]}
    states: {s: {shape: [F]}, r: {shape: [F]}}
    params: {b: {shape: [F], init: ones}}
    update:
      s: prev(s) + x + b
      r: prev(r) + b + prev(s) + x
    output: s + r
layers:
  - {name: sums, type: recurrent, cell: sums, inputs: [x]}
outputs: {y: sums}
"""


def test_sums_that_begin_with_a_state_and_an_input_that_nothing_reads(tmp_path: Path) -> None:
    """A state that is itself a term had no place in the regrouped sum; the manifest left ``spare`` out."""
    (tmp_path / "sums.yaml").write_text(RUNNING_SUMS, encoding="utf-8")
    loaded = netwright.load(tmp_path / "sums.yaml")
    x = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    s = np.cumsum(x + 1, axis=1)
    before = np.concatenate([np.zeros_like(s[:, :1]), s[:, :-1]], axis=1)
    expected = s + np.cumsum(before + x + 1, axis=1)
    for engine in ("reference", "native"):
        program = loaded.compile(engine=engine)
        np.testing.assert_allclose(program.predict(x=x, spare=np.zeros((1, 2), np.float32))["y"], expected)
