"""Cells of the spec against loops in NumPy: cells inside cells, states that are matrices, `prev(output)`."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ..frontend.helpers import codes, diagnosed
from .harness import check_gradients, drawn_weights, network, spec, values
from .test_recurrences import Options, below, gru_step, lstm_step

RNG = np.random.default_rng(8)
X = RNG.normal(size=(2, 5, 3))


def with_cells(cells: str, layers: str, **inputs: str) -> str:
    return spec(layers, **(inputs or {"x": "[N, T, 3]"})).replace("inputs:\n", f"cells:\n{cells}inputs:\n", 1)


LEAKY = """\
  leaky:
    args: {U: int, rate: float}
    input: {v: [F]}
    states: {h: {shape: [U], learn_init: true}}
    params: {W: {shape: [F, U]}, V: {shape: [U, U]}}
    update: {h: rate * prev(h) + tanh(v @ W + prev(h) @ V)}
    output: h * 2
"""
TOWER = (
    LEAKY
    + """\
  tower:
    args: {H: int}
    input: {x: [F]}
    cells:
      low: {use: leaky, with: {U: H, rate: 0.5}}
      high: {use: leaky, with: {U: 2*H, rate: 0.25}}
    update:
      - a = low(x)
      - b = high(concat(a, x)) + sum(prev(low_h))
    output: b + sum(low_h)
"""
)
RUN = "[{name: y, type: recurrent, cell: tower, with: {H: 2}}, {name: z, type: dense, units: 1, inputs: [y.low_h]}]"


def leaky(w: dict[str, NDArray], v: NDArray, h: NDArray, rate: float) -> NDArray:
    return rate * h + np.tanh(v @ w["W"] + h @ w["V"])


def test_cells_inside_a_cell() -> None:
    text = with_cells(TOWER, RUN).replace("{y: y}", "{y: y, low: y.low_h, high: y.high_h_all}")
    text = text.replace(", {name: z, type: dense, units: 1, inputs: [y.low_h]}", "")
    weights = drawn_weights(network(text))
    assert {name: array.shape for name, array in weights.items()} == {
        "y.low.W": (3, 2),
        "y.low.V": (2, 2),
        "y.low_h_init": (2,),
        "y.high.W": (5, 4),
        "y.high.V": (4, 4),
        "y.high_h_init": (4,),
    }
    low = np.broadcast_to(weights["y.low_h_init"], (2, 2))
    high = np.broadcast_to(weights["y.high_h_init"], (2, 4))
    ys, highs = [], []
    for t in range(5):
        before = low.sum(1, keepdims=True)
        low = leaky(below(weights, "y.low."), X[:, t], low, 0.5)
        joined = np.concatenate([2 * low, X[:, t]], 1)
        high = leaky(below(weights, "y.high."), joined, high, 0.25)
        ys.append(2 * high + before + low.sum(1, keepdims=True))
        highs.append(high)
    found = values(text, weights, x=X)
    np.testing.assert_allclose(found["y"], np.stack(ys, 1), rtol=1e-10)
    np.testing.assert_allclose(found["high"], np.stack(highs, 1), rtol=1e-10)
    np.testing.assert_allclose(found["low"], low, rtol=1e-10)
    check_gradients(text.replace("T, 3", "4, 3"), weights, x=X[:1, :4], tolerance=1e-5)


def test_a_stack_of_built_in_cells() -> None:
    """An LSTM under a GRU, both in one cell: the same as two layers."""
    cells = """\
  stack:
    args: {H: int}
    input: {x: [F]}
    cells:
      first: {use: lstm, with: {H: H}}
      second: {use: gru, with: {H: 3}}
    output: second(first(x))
"""
    text = with_cells(cells, "[{name: y, type: recurrent, cell: stack, with: {H: 2}, unroll: UNROLL}]")
    weights = drawn_weights(network(text.replace("UNROLL", "none")))
    h, c = np.zeros((2, 2)), np.zeros((2, 2))
    top, ys = np.zeros((2, 3)), []
    for t in range(5):
        h, c = lstm_step(Options(weights=below(weights, "y.first.")), X[:, t], h, c)
        top, _ = gru_step(Options(weights=below(weights, "y.second.")), h, top, top)
        ys.append(top)
    for unroll in ("none", "2"):
        found = values(text.replace("UNROLL", unroll), weights, x=X)["y"]
        np.testing.assert_allclose(found, np.stack(ys, 1), rtol=1e-9)


def test_cells_three_deep_keep_their_names_apart() -> None:
    cells = (
        LEAKY
        + """\
  pair:
    args: {H: int}
    input: {v: [F]}
    cells: {h: {use: leaky, with: {U: H, rate: 1.0}}, g: {use: leaky, with: {U: H, rate: 0.5}}}
    output: h(v) + g(v)
  both:
    input: {v: [F]}
    cells: {h: {use: pair, with: {H: 2}}, g: {use: pair, with: {H: 2}}}
    output: h(v) * g(v)
"""
    )
    text = with_cells(cells, "[{name: y, type: recurrent, cell: both}]")
    weights = drawn_weights(network(text))
    assert {f"y.{a}.{b}.W" for a in "hg" for b in "hg"} < set(weights)
    states = {(a, b): np.broadcast_to(weights[f"y.{a}_{b}_h_init"], (2, 2)) for a in "hg" for b in "hg"}
    for t in range(5):
        for (a, b), state in states.items():
            rate = {"h": 1.0, "g": 0.5}[b]
            states[a, b] = leaky(below(weights, f"y.{a}.{b}."), X[:, t], state, rate)
    y = 4 * (states["h", "h"] + states["h", "g"]) * (states["g", "h"] + states["g", "g"])
    np.testing.assert_allclose(values(text, weights, x=X)["y"][:, -1], y, rtol=1e-9)


OUTER = """\
  outer:
    args: {H: int}
    input: {x: [F]}
    cells: {low: INNER}
    update: UPDATE
    output: OUT
"""


@pytest.mark.parametrize(
    ("inner", "update", "output", "expected"),
    [
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low(x)", "a", []),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low(x)", "a + low_h", []),
        ("{use: leaki, with: {U: H, rate: 0.5}}", "a = low(x)", "a", ["NW0509"]),
        ("{use: leaky, with: {U: H}}", "a = low(x)", "a", ["NW0510"]),
        ("{use: leaky, with: {U: G, rate: 0.5}}", "a = low(x)", "a", ["NW0510"]),
        ("{use: leaky, with: {U: 0.5, rate: 0.5}}", "a = low(x)", "a", ["NW0510"]),
        ("{use: leaky, with: {U: H, rate: 0.5, W: 1}}", "a = low(x)", "a", ["NW0510"]),
        ("{use: outer, with: {H: H}}", "a = low(x)", "a", ["NW0513"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low(x, x)", "a", ["NW0505"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low(x) + low(x)", "a", ["NW0505"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low(x, axis=1)", "a", ["NW0505"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = lwo(x)", "a", ["NW0504"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = x * 2", "a", ["NW0507"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low_h * 2", "a + low(x)", ["NW0503"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low(x) + prev(low_g)", "a", ["NW0508"]),
        ("{use: leaky, with: {U: H, rate: 0.5}}", "a = low(sum(x))", "a", ["NW0511"]),
    ],
)
def test_what_is_wrong(inner: str, update: str, output: str, expected: list[str]) -> None:
    outer = OUTER.replace("INNER", inner).replace("UPDATE", f"['{update}']").replace("OUT", output)
    text = with_cells(LEAKY + outer, "[{name: y, type: recurrent, cell: outer, with: {H: 2}}]")
    assert codes(text) == expected


def test_a_state_that_is_a_matrix() -> None:
    """A fast-weight memory: h(t) = λ·h(t−1) + x xᵀ, read by the input."""
    cells = """\
  memory:
    args: {decay: float}
    input: {x: [F], c: [F, 1]}
    states: {m: {shape: [F, F], init: {type: constant, value: 0.1}}, steps: {shape: []}}
    params: {q: {shape: [F, F]}}
    update:
      - m = decay * (q @ prev(m)) + c * x
      - steps = prev(steps) + 1
    output: (m @ x) / steps
"""
    layer = "[{name: y, type: recurrent, cell: memory, inputs: [x, c], with: {decay: 0.7}}]"
    text = with_cells(cells, layer, x="[N, T, 3]", c="[N, T, 3, 1]")
    text = text.replace("{y: y}", "{y: y, m: y.m}")
    weights = drawn_weights(network(text))
    m, ys = np.full((2, 3, 3), 0.1), []
    for t in range(5):
        m = 0.7 * weights["y.q"] @ m + X[:, t, :, None] * X[:, t, None, :]
        ys.append(np.einsum("nij,nj->ni", m, X[:, t]) / (t + 1))
    found = values(text, weights, x=X, c=X[..., None])
    np.testing.assert_allclose(found["y"], np.stack(ys, 1), rtol=1e-10)
    np.testing.assert_allclose(found["m"], m, rtol=1e-10)
    small = text.replace("[N, T,", "[1, 4,")
    check_gradients(small, weights, x=X[:1, :4], c=X[:1, :4, :, None], tolerance=1e-5)


def test_an_output_that_comes_back() -> None:
    """Y(t) = f(X(t), Y(t−1)), with Y(−1) given."""
    cells = """\
  narx:
    args: {O: int}
    input: {x: [F]}
    params: {A: {shape: [F, O]}, B: {shape: [O, O]}}
    output: {value: tanh(x @ A + prev(output) @ B), shape: [O], init: ones}
"""
    for start in ("", ", initial_state: s"):
        inputs = {"x": "[N, T, 3]", **({"s": "[N, 2]"} if start else {})}
        layer = f"[{{name: y, type: recurrent, cell: narx, inputs: [x], with: {{O: 2}}{start}}}]"
        text = with_cells(cells, layer, **inputs)
        weights = drawn_weights(network(text))
        first = RNG.normal(size=(2, 2)) if start else np.ones((2, 2))
        y = first
        for t in range(5):
            y = np.tanh(X[:, t] @ weights["y.A"] + y @ weights["y.B"])
        found = values(text, weights, x=X, **({"s": first} if start else {}))["y"]
        np.testing.assert_allclose(found[:, -1], y, rtol=1e-10)


def test_lengths_freeze_every_state_inside() -> None:
    text = with_cells(TOWER, RUN, x="[N, T, 3]", n="[N] int64").replace("x: {shape", "x: {lengths: n, shape")
    text = text.replace("cell: tower", "inputs: [x], cell: tower").replace("{y: y}", "{y: z}")
    weights = drawn_weights(network(text))
    whole = values(text, weights, x=X, n=[5, 4])["y"]
    short = values(text, weights, x=X[1:, :4], n=[4])["y"]
    np.testing.assert_allclose(whole[1:], short, rtol=1e-12)


CONVOLVING = """\
  convolving:
    args: {F: int}
    input: {x: [H, W, C]}
    states: {h: {shape: [H, W, F]}, c: {shape: [H, W, F]}}
    params: {K: {shape: [3, 3, C, 4*F]}, R: {shape: [3, 2, F, 4*F]}, b: {shape: [4*F]}}
    update:
      - i, f, g, o = split(convolve(x, K) + convolve(prev(h), R) + b, 4)
      - c = sigmoid(f) * prev(c) + sigmoid(i) * tanh(g)
      - h = sigmoid(o) * tanh(c)
    output: h
"""


def same_convolution(x: NDArray, kernel: NDArray) -> NDArray:
    """Windows around the cells of [H, W, C], zeros outside."""
    height, width = kernel.shape[:2]
    low = (height - 1) // 2, (width - 1) // 2
    padded = np.pad(x, ((low[0], height - 1 - low[0]), (low[1], width - 1 - low[1]), (0, 0)))
    found = [
        np.tensordot(padded[i : i + height, j : j + width], kernel, 3)
        for i in range(x.shape[0])
        for j in range(x.shape[1])
    ]
    return np.reshape(found, (*x.shape[:2], -1))


def test_a_recurrence_over_images_convolves_its_state() -> None:
    layers = "[{name: y, type: recurrent, cell: convolving, with: {F: 2}}]"
    text = with_cells(CONVOLVING, layers, x="[N, T, 4, 3, 2]")
    images = np.random.default_rng(4).normal(size=(2, 5, 4, 3, 2))
    weights = drawn_weights(network(text))
    wanted = np.zeros((2, 5, 4, 3, 2))
    for sample in range(2):
        h, c = np.zeros((2, 4, 3, 2))
        for step in range(5):
            z = same_convolution(images[sample, step], weights["y.K"]) + same_convolution(h, weights["y.R"])
            i, f, g, o = np.split(z + weights["y.b"], 4, axis=-1)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * np.tanh(g)
            h = wanted[sample, step] = o * np.tanh(c)
    np.testing.assert_allclose(values(text, weights, x=images)["y"], wanted, rtol=1e-9, atol=1e-12)
    check_gradients(text, x=images)


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("call", "sizes"),
    [
        ("convolve(x, K, pad=0)", "[4, 5, 6]"),
        ("convolve(x, K, pad=2, stride=2)", "[4, 5, 6]"),
        ("convolve(x, K, pad=0, pad_end=1, stride=2)", "[4, 5, 6]"),
        ("convolve(x, K, dilation=2)", "[6, 7, 6]"),
    ],
)
def test_what_a_convolution_in_a_cell_may_be(call: str, sizes: str) -> None:
    """Of one group, and of two: the kernel has half of the channels then."""
    for channels in (6, 3):
        cell = "  one:\n    input: {x: [H, W, C]}\n"
        cell += f"    params: {{K: {{shape: [3, 2, {channels}, 4]}}}}\n    output: {call}\n"
        layers = "[{name: y, type: recurrent, cell: one}]"
        text = with_cells(cell, layers, x=f"[N, T, {sizes[1:]}")
        check_gradients(
            text, x=np.random.default_rng(4).normal(size=(1, 4, *map(int, sizes[1:-1].split(","))))
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("convolve(x, x)", "a kernel has no samples"),
        ("convolve(x, b)", "the numbers of axes do not fit"),
        ("convolve(x, K)", "6 channels are no multiple of 4"),
        ("convolve(x, L, pad=-1)", "pad and pad_end are 0 or more"),
        ("convolve(x, L, pad_end=1)", "pad_end is given beside pad"),
        ("convolve(x, L, stride=0)", "stride and dilation are 1 or more"),
    ],
)
def test_convolutions_that_do_not_fit(call: str, message: str) -> None:
    cell = "  one:\n    input: {x: [H, W, C]}\n"
    cell += "    params: {K: {shape: [3, 3, 4, 4]}, L: {shape: [3, 3, 6, 4]}, b: {shape: [6]}}\n"
    text = with_cells(
        cell + f"    output: {call}\n", "[{name: y, type: recurrent, cell: one}]", x="[N, T, 4, 4, 6]"
    )
    (found,) = diagnosed(text)
    assert found.code == "NW0511"
    assert message in found.message
