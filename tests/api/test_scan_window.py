"""Scans end to end: against windows cut by hand, against the convolutions they are, natively and by reference."""

from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.compiler.interpreter import evaluate
from netwright.compiler.passes.base import PassContext
from netwright.compiler.passes.windows.share_windows import ShareWindows

HEAD = """\
netwright: 1
model: scanner
dims: {N: batch, T: {role: time, min: 6}}
"""
IMAGE = (
    HEAD
    + """\
inputs: {x: {shape: [N, 9, 8, 2]}}
layers:
  - name: scan
    type: scan_window
    window: [4, 3]
    stride: [2, 1]
    combine: COMBINE
    layers:
      - {name: flat, type: flatten}
      - {name: hidden, type: dense, units: 5, activation: tanh}
      - {name: out, type: dense, units: 3}
outputs: {y: scan}
train:
  data: {train: data.npz}
  targets: {t: {shape: TARGET, dtype: float32}}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 0.1}
"""
)
SIGNAL = (
    HEAD
    + """\
inputs: {x: {shape: [N, T, 2]}}
vars: {width: 6}
blocks:
  detector:
    args: {units: int}
    layers:
      - {name: near, type: conv1d, filters: $units, kernel_size: 3, activation: relu}
      - {name: flat, type: flatten}
      - {name: out, type: dense, units: 2}
layers:
  - {name: scan, type: scan_window, window: $width, stride: 2, use: detector, with: {units: 4}, combine: softmax}
outputs: {y: scan}
train:
  data: {train: data.npz}
  targets: {t: {shape: [N, 2], dtype: float32}}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 0.1}
"""
)


def model_of(text: str, tmp_path: Path) -> netwright.Model:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    model = netwright.load(path)
    assert model.is_valid, model.diagnostics.to_text()
    return model


def image(combine: str, target: str) -> str:
    return IMAGE.replace("COMBINE", combine).replace("TARGET", target)


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.alike(2)
@pytest.mark.parametrize("combine", ["none", "max", "mean", "softmax", "logistic"])
def test_an_image_is_scanned_as_by_hand(combine: str, tmp_path: Path) -> None:
    target = "[N, 3, 6, 3]" if combine == "none" else "[N, 3]"
    model = model_of(image(combine, target), tmp_path)
    native = model.compile()
    weights = {name.removeprefix("scan."): array for name, array in native.weights.items()}
    x = draw(3, 9, 8, 2)
    answers = np.zeros((3, 3, 6, 3), np.float32)
    for i in range(3):
        for j in range(6):
            window = x[:, 2 * i : 2 * i + 4, j : j + 3].reshape(3, -1)
            hidden = np.tanh(window @ weights["hidden.kernel"] + weights["hidden.bias"])
            answers[:, i, j] = hidden @ weights["out.kernel"] + weights["out.bias"]
    if combine == "logistic":
        total = (answers * weights["combined.kernel"]).sum((1, 2)) + weights["combined.bias"]
        expected = 1 / (1 + np.exp(-total))
    elif combine == "softmax":
        shares = np.exp(answers) / np.exp(answers).sum((1, 2), keepdims=True)
        expected = (answers * shares).sum((1, 2))
    else:
        expected = {
            "none": lambda: answers,
            "max": lambda: answers.max((1, 2)),
            "mean": lambda: answers.mean((1, 2)),
        }[combine]()
    np.testing.assert_allclose(native.predict(x=x)["y"], expected, atol=2e-6)
    reference = model.compile(native.weights, engine="reference")
    t = draw(*expected.shape)
    for _ in range(2):
        assert native.train_step(x=x, t=t) == pytest.approx(reference.train_step(x=x, t=t), rel=1e-5)
    for name, array in reference.weights.items():
        np.testing.assert_allclose(native.weights[name], array, atol=1e-5)


def test_a_signal_of_any_length_is_scanned_by_a_block(tmp_path: Path) -> None:
    model = model_of(SIGNAL, tmp_path)
    native = model.compile()
    reference = model.compile(native.weights, engine="reference")
    assert set(native.weights) == {
        f"scan.net.{layer}.{one}" for layer in ("near", "out") for one in ("kernel", "bias")
    }
    for count, length in ((1, 6), (3, 11), (2, 30)):
        x, t = draw(count, length, 2), draw(count, 2)
        expected = reference.predict(x=x)["y"]
        np.testing.assert_allclose(native.predict(x=x)["y"], expected, atol=2e-6)
        assert native.train_step(x=x, t=t) == pytest.approx(reference.train_step(x=x, t=t), rel=1e-5)
    for name, array in reference.weights.items():
        np.testing.assert_allclose(native.weights[name], array, atol=1e-5)


def test_a_dense_layer_on_windows_becomes_a_convolution(tmp_path: Path) -> None:
    graph = model_of(image("none", "[N, 3, 6, 3]"), tmp_path).network.graphs["predict"]
    shared = ShareWindows().run(graph, PassContext())
    ops = [node.op for node in shared]
    assert ops.count("conv") == 1
    assert ops.count("dot") == 1  # the layer after it has a kernel of one cell, which is a product
    shapes = {
        name: [3 if str(size) == "N" else size for size in graph.type(value).shape]
        for name, value in graph.inputs.items()
    }
    arrays = {name: draw(*map(int, map(str, shape))) for name, shape in shapes.items()}
    dims = {"N": 3}
    before, after = evaluate(graph, arrays, dims), evaluate(shared, arrays, dims)
    np.testing.assert_allclose(after["y"], before["y"], atol=1e-5)
