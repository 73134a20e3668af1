"""Shifts measured on data."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

from netwright.inspection.probe import probe_shifts, shifted
from netwright.model import Model
from netwright.specs.load import load_spec_text

SPEC = """\
netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 40, 2]}}
layers:
  - {name: look, type: conv1d, filters: 3, kernel_size: 3, stride: 2, activation: relu}
  - {name: best, type: global_max_pool}
  - {name: class, type: argmax}
  - {name: flat, type: flatten, inputs: [look]}
  - {name: fixed, type: dense, units: 4}
outputs: {score: best, class: class, map: look, fixed: fixed}
train:
  data: {train: d.npz}
  targets: {t: {shape: [N, 4], dtype: float32}}
  loss: {type: mse, output: fixed, target: t}
"""


def signals() -> np.ndarray:
    """Something in the middle, on nothing."""
    x = np.zeros((5, 40, 2), np.float32)
    x[:, 12:20] = np.random.default_rng(0).normal(size=(5, 8, 2))
    return x


def test_what_is_invariant_stays_and_what_is_not_changes() -> None:
    program = Model(load_spec_text(SPEC, "m.yaml")).compile(entries=("predict",))
    found = {
        (one.output, one.by): one for one in probe_shifts(program, {"x": signals()}, (1, 2, 4, 99)).probes
    }
    assert {by for _, by in found} == {1, 2, 4}
    for by in (2, 4):
        assert found["score", by].change == 0
        assert found["score", by].same == found["class", by].same == 1
        assert (found["map", by].change, found["map", by].moved) == (0, by // 2)
        assert found["fixed", by].change is not None
        assert found["fixed", by].change > 0.1
    assert found["score", 1].change is not None
    assert found["score", 1].change > 0  # not a multiple of the stride
    assert found["map", 1].moved == 0
    assert found["class", 1].change is None


def test_shifted_arrays_repeat_their_border() -> None:
    array = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(shifted(array, 1, 2), [[0, 0, 0], [3, 3, 3]])
    np.testing.assert_array_equal(shifted(array, 0, 1), [[0, 1, 2], [0, 1, 2]])


def test_command(cli: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(SPEC, encoding="utf-8")
    np.savez(tmp_path / "d.npz", x=signals(), t=np.zeros((5, 4), np.float32))
    np.savez(tmp_path / "other.npz", z=np.zeros(3))
    assert cli("train", "m.yaml", "--weights", "w.safetensors", "--epochs", "1").exit_code == 0
    shown = cli("probe", "shift", "m.yaml", "--weights", "w.safetensors").stdout
    assert "100.0 %" in shown
    assert "5 samples of d.npz" in shown
    done = cli("probe", "shift", "m.yaml", "--weights", "w.safetensors", "--by", "2", "--format", "json")
    assert {one["by"] for one in json.loads(done.stdout)["probes"]} == {2}
    assert cli("probe", "shift", "m.yaml", "--weights", "w.safetensors", "--data", "other.npz").exit_code == 2
    assert cli("probe", "shift", "m.yaml", "--weights", "none.safetensors").exit_code == 2
