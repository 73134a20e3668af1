"""Dropout of inputs and states, and zoneout, in training: against NumPy with the masks of the random streams, in the
interpreter and natively, values and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright
from netwright.specs.random import key_for, philox4x32

from ..frontend.helpers import codes
from .harness import spec, values

N, T, F, H = 3, 5, 2, 4
RNG = np.random.default_rng(2)
X, TARGET = RNG.normal(size=(N, T, F)), RNG.normal(size=(N, T, H))
HEAD = """\
netwright: 1
model: noisy
dims: {N: batch, T: time}
"""
TRAIN = """
train:
  data: {train: data.npz}
  targets: {t: {shape: [N, T, UNITS], dtype: float64}}
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 1}
  seed: 7
"""


def bits(path: str, count: int, time: int = 0, step: int = 0) -> NDArray:
    """The random words of a stream: counter (element, 0, time, step)."""
    counter = np.zeros((count, 4), np.uint32)
    counter[:, 0], counter[:, 2], counter[:, 3] = np.arange(count), time, step
    return philox4x32(key_for(7, path), counter)[:, 0]


def kept(path: str, rate: float, shape: tuple[int, ...], time: int = 0) -> NDArray:
    return (bits(path, math.prod(shape), time) >= math.ceil(rate * 2**24) << 8).reshape(shape)


def sigmoid(x: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-x))


def gru(w: dict[str, NDArray], x: NDArray, h: NDArray, dropped: NDArray) -> NDArray:
    xz, xr, xn = np.split(x @ w["kernel"] + w["bias"], 3, -1)
    hz, hr, hn = np.split(dropped @ w["recurrent_kernel"] + w["recurrent_bias"], 3, -1)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    return (1 - z) * np.tanh(xn + r * hn) + z * h


def rnn(w: dict[str, NDArray], x: NDArray, h: NDArray, dropped: NDArray) -> NDArray:
    return np.tanh(x @ w["kernel"] + dropped @ w["recurrent_kernel"] + w["bias"])


def loss(step: Callable, rates: tuple[float, float, float], w: dict[str, NDArray], reverse: bool) -> float:
    """The loss of the first training step."""
    fed, recurrent, zoneout = rates
    x = X * (kept("y.input_dropout.x", fed, (N, 1, F)) / (1 - fed) if fed else 1)
    factor = kept("y.recurrent_dropout.h", recurrent, (N, H)) / (1 - recurrent) if recurrent else 1.0
    h, total = np.zeros((N, H)), 0.0
    for t in range(T)[:: -1 if reverse else 1]:
        new = step(w, x[:, t], h, h * factor)
        if zoneout:
            new = np.where(kept("y.zoneout.h", zoneout, (N, H), t), new, h)
        h = new
        total += ((h - TARGET[:, t]) ** 2).sum()
    return total / (N * T * H)


@pytest.mark.alike(2)
@pytest.mark.parametrize(("kind", "step"), [("gru", gru), ("rnn", rnn)], ids=["gru", "rnn"])
@pytest.mark.parametrize(
    ("keys", "rates"),
    [
        ("input_dropout: 0.4", (0.4, 0, 0)),
        ("recurrent_dropout: 0.3", (0, 0.3, 0)),
        ("zoneout: 0.25", (0, 0, 0.25)),
        ("zoneout: {h: 0.5}, recurrent_dropout: 0.5, input_dropout: 0.5, reverse: true", (0.5, 0.5, 0.5)),
        ("zoneout: 0.4, recurrent_dropout: 0.3, unroll: 2", (0, 0.3, 0.4)),
    ],
)
def test_training_is_that_of_numpy(kind: str, step: Callable, keys: str, rates: tuple, tmp_path) -> None:
    layer = f"layers: [{{name: y, type: {kind}, units: {H}, {keys}}}]\noutputs: {{y: y}}"
    text = f"{HEAD}inputs: {{x: {{shape: [N, T, {F}], dtype: float64}}}}\n{layer}{TRAIN}".replace(
        "UNITS", str(H)
    )
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    model = netwright.load(path)
    assert model.is_valid, model.diagnostics.to_text()
    for engine in ("reference", "native"):
        program = model.compile(engine=engine, entries=["train_step"])
        before = {name.removeprefix("y."): np.array(one) for name, one in program.weights.items()}
        found = program.train_step(x=X, t=TARGET)["loss"]
        assert found == pytest.approx(loss(step, rates, before, "reverse" in keys), rel=1e-9)
        after = {name.removeprefix("y."): one for name, one in program.weights.items()}
        for name, array in before.items():
            index = tuple(size // 2 for size in array.shape)
            sides = []
            for move in (1e-5, -1e-5):
                moved = {**before, name: array.copy()}
                moved[name][index] += move
                sides.append(loss(step, rates, moved, "reverse" in keys))
            slope = (sides[0] - sides[1]) / 2e-5
            assert array[index] - after[name][index] == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_prediction_drops_nothing_and_zones_by_the_mean() -> None:
    plain = spec("[{name: y, type: rnn, units: 4}]", x="[N, T, 2]")
    noisy = plain.replace("units: 4", "units: 4, input_dropout: 0.5, recurrent_dropout: 0.5")
    np.testing.assert_array_equal(values(noisy, x=X)["y"], values(plain, x=X)["y"])
    zoned = plain.replace("units: 4", "units: 4, zoneout: 0.25")
    weights = {"y.kernel": RNG.normal(size=(2, 4)), "y.recurrent_kernel": RNG.normal(size=(4, 4))}
    h = np.zeros((N, 4))
    for t in range(T):
        h = 0.25 * h + 0.75 * np.tanh(X[:, t] @ weights["y.kernel"] + h @ weights["y.recurrent_kernel"])
    np.testing.assert_allclose(values(zoned, weights, x=X)["y"][:, -1], h, rtol=1e-10)


def test_an_lstm_zones_what_it_remembers_not_what_it_says() -> None:
    """The new h is made of the new c as it is without zoneout (Krueger et al., 2017, equation 3)."""
    text = spec("[{name: y, type: lstm, units: 2, zoneout: {c: 0.5, h: 0.1}}]", x="[N, T, 2]")
    w = {name: RNG.normal(size=shape) for name, shape in (("kernel", (2, 8)), ("recurrent_kernel", (2, 8)))}
    h, c = np.zeros((N, 2)), np.zeros((N, 2))
    bias = np.repeat([0.0, 1, 0, 0], 2)
    for t in range(T):
        i, f, g, o = np.split(X[:, t] @ w["kernel"] + h @ w["recurrent_kernel"] + bias, 4, -1)
        new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        new_h = sigmoid(o) * np.tanh(new_c)
        h, c = 0.1 * h + 0.9 * new_h, 0.5 * c + 0.5 * new_c
    found = values(text, {f"y.{name}": one for name, one in w.items()}, x=X)["y"]
    np.testing.assert_allclose(found[:, -1], h, rtol=1e-10)


def test_a_cell_of_the_spec_too(tmp_path) -> None:
    """Its matrix state loses elements where the product reads it, its vector state, which no product reads, none."""
    cell = """
cells:
  leaky:
    args: {H: int}
    input: {x: [F]}
    states: {m: {shape: [H, F]}, s: {shape: [H]}}
    params: {A: {shape: [H, H]}, B: {shape: [H], init: {type: uniform, low: 0.1, high: 0.9}}}
    update:
      - m = tanh(A @ prev(m) + x)
      - s = prev(s) * B + sum(m, axis=1)
    output: s
"""
    layer = "layers: [{name: y, type: recurrent, cell: leaky, with: {H: 4}, recurrent_dropout: 0.4, zoneout: {s: 0.2}}]"
    text = f"{HEAD}inputs: {{x: {{shape: [N, T, 2], dtype: float64}}}}{cell}{layer}\noutputs: {{y: y}}{TRAIN}"
    path = tmp_path / "spec.yaml"
    path.write_text(text.replace("UNITS", "4"))
    model = netwright.load(path)
    assert model.is_valid, model.diagnostics.to_text()
    for engine in ("reference", "native"):
        program = model.compile(engine=engine)
        a, b = np.array(program.weights["y.A"]), np.array(program.weights["y.B"])
        factor = kept("y.recurrent_dropout.m", 0.4, (N, 4, 2)) / 0.6
        m, s, total = np.zeros((N, 4, 2)), np.zeros((N, 4)), 0.0
        for t in range(T):
            m = np.tanh(a @ (m * factor) + X[:, t, None])
            s = np.where(kept("y.zoneout.s", 0.2, (N, 4), t), s * b + m.sum(2), s)
            total += ((s - TARGET[:, t]) ** 2).sum()
        assert program.train_step(x=X, t=TARGET)["loss"] == pytest.approx(total / (N * T * 4), rel=1e-9)


def test_what_is_wrong() -> None:
    assert codes(spec("[{name: y, type: rnn, units: 2, dropout: 0.5}]", x="[N, T, 2]")) == ["NW0212"]
    assert codes(spec("[{name: y, type: rnn, units: 2, zoneout: {c: 0.5}}]", x="[N, T, 2]")) == ["NW0201"]
    assert codes(spec("[{name: y, type: rnn, units: 2, zoneout: 1.5}]", x="[N, T, 2]")) == ["NW0204"]
