"""Options of recurrent layers against recurrences written in NumPy: peepholes, clipping, activations, coupled gates,
directions, given states, lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

RNG = np.random.default_rng(11)
X = RNG.normal(size=(2, 5, 3))
Function = Callable[[NDArray], NDArray]


def sigmoid(x: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-x))


@dataclass
class Options:
    """A recurrence in NumPy: what its gates do."""

    gate: Function = sigmoid
    candidate: Function = np.tanh
    out: Function = np.tanh
    clip: float = np.inf
    input_forget: bool = False
    reset_after: bool = True
    weights: Mapping[str, Any] = field(default_factory=dict)

    def clipped(self, x: NDArray) -> NDArray:
        return np.clip(x, -self.clip, self.clip)


def lstm_step(o: Options, x: NDArray, h: NDArray, c: NDArray) -> tuple[NDArray, NDArray]:
    w = o.weights
    i, f, g, out = np.split(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4, -1)
    si, sf, so = np.split(w.get("peephole", np.zeros(3 * h.shape[-1])), 3)
    enters = o.gate(o.clipped(i + si * c))
    stays = 1 - enters if o.input_forget else o.gate(o.clipped(f + sf * c))
    c = stays * c + enters * o.candidate(o.clipped(g))
    return o.gate(o.clipped(out + so * c)) * o.out(c), c


def gru_step(o: Options, x: NDArray, h: NDArray, c: NDArray) -> tuple[NDArray, NDArray]:
    w = o.weights
    xz, xr, xn = np.split(x @ w["kernel"] + w["bias"], 3, -1)
    uz, ur, un = np.split(w["recurrent_kernel"], 3, -1)
    bz, br, bn = np.split(w.get("recurrent_bias", np.zeros(3 * h.shape[-1])), 3)
    z = o.gate(o.clipped(xz + h @ uz + bz))
    r = o.gate(o.clipped(xr + h @ ur + br))
    inner = r * (h @ un + bn) if o.reset_after else (r * h) @ un
    n = o.candidate(o.clipped(xn + inner))
    return (1 - z) * n + z * h, c


def rnn_step(o: Options, x: NDArray, h: NDArray, c: NDArray) -> tuple[NDArray, NDArray]:
    w = o.weights
    return o.candidate(o.clipped(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"])), c


STEPS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}


def run(
    kind: str,
    options: Options,
    x: NDArray,
    units: int = 2,
    reverse: bool = False,
    start: tuple[NDArray, NDArray] | None = None,
    lengths: list[int] | None = None,
) -> tuple[NDArray, NDArray, NDArray]:
    """The outputs of all steps, zero past the end, and the last h and c."""
    n, steps, _ = x.shape
    h, c = start or (np.zeros((n, units)), np.zeros((n, units)))
    ys = np.zeros((n, steps, units))
    for t in range(steps)[:: -1 if reverse else 1]:
        new_h, new_c = STEPS[kind](options, x[:, t], h, c)
        exists = (np.array(lengths) > t)[:, None] if lengths else np.ones((n, 1), bool)
        h, c = np.where(exists, new_h, h), np.where(exists, new_c, c)
        ys[:, t] = np.where(exists, h, 0)
    return ys, h, c


def below(weights: Mapping[str, NDArray], prefix: str) -> dict[str, NDArray]:
    return {name.removeprefix(prefix): one for name, one in weights.items() if name.startswith(prefix)}


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("kind", "keys", "options"),
    [
        ("lstm", "", Options()),
        ("lstm", "peepholes: true", Options()),
        ("lstm", "clip: 0.4", Options(clip=0.4)),
        ("lstm", "peepholes: true, input_forget: true, clip: 0.5", Options(clip=0.5, input_forget=True)),
        (
            "lstm",
            "recurrent_activation: hard_sigmoid, activation: softsign, output_activation: relu",
            Options(
                lambda x: np.clip(x / 6 + 0.5, 0, 1),
                lambda x: x / (1 + np.abs(x)),
                lambda x: np.maximum(x, 0),
            ),
        ),
        (
            "lstm",
            "activation: {type: scaled_tanh, alpha: 1.7, beta: 0.6}, "
            "output_activation: {type: affine, alpha: 0.5, beta: 0.1}",
            Options(candidate=lambda x: 1.7 * np.tanh(0.6 * x), out=lambda x: 0.5 * x + 0.1),
        ),
        ("gru", "", Options()),
        ("gru", "clip: 0.3", Options(clip=0.3)),
        ("gru", "reset_after: false, clip: 0.3", Options(clip=0.3, reset_after=False)),
        (
            "gru",
            "activation: {type: elu, alpha: 0.7}, recurrent_activation: {type: hard_sigmoid, alpha: 0.2}",
            Options(
                lambda x: np.clip(0.2 * x + 0.5, 0, 1),
                lambda x: np.where(x > 0, x, 0.7 * np.expm1(np.minimum(x, 0))),
            ),
        ),
        ("rnn", "clip: 0.5, activation: linear", Options(candidate=lambda x: x, clip=0.5)),
        (
            "rnn",
            "activation: {type: thresholded_relu, theta: 0.1}",
            Options(candidate=lambda x: np.where(x > 0.1, x, 0)),
        ),
        (
            "rnn",
            "activation: {type: leaky_relu, negative_slope: 0.3}",
            Options(candidate=lambda x: np.where(x > 0, x, 0.3 * x)),
        ),
        ("rnn", "activation: softplus", Options(candidate=lambda x: np.logaddexp(x, 0))),
        ("rnn", "reverse: true", Options()),
        ("lstm", "reverse: true, peepholes: true", Options()),
    ],
)
def test_options(kind: str, keys: str, options: Options) -> None:
    written = f", {keys}" if keys else ""
    text = spec(f"[{{name: y, type: {kind}, units: 2{written}}}]", x="[N, T, 3]")
    weights = drawn_weights(network(text))
    options.weights = below(weights, "y.")
    expected, _, _ = run(kind, options, X, reverse="reverse" in keys)
    np.testing.assert_allclose(values(text, weights, x=X)["y"], expected, rtol=1e-9, atol=1e-12)
    if "relu" not in keys and "hard" not in keys:
        check_gradients(text.replace("T, 3", "4, 3"), weights, x=X[:1, :4], tolerance=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_given_states_of_both_directions(kind: str) -> None:
    states = ("h", "c") if kind == "lstm" else ("h",)
    written = ", ".join(f"{state}: {state}0" for state in states)
    layers = f"""
  - {{name: m, type: {kind}, inputs: [x], units: 2, bidirectional: true, initial_state: {{{written}}}}}
  - {{name: y, type: concat, inputs: [m, m], axis: -1}}
  - {{name: z, type: expression, inputs: {{s: m.h}}, value: s}}
"""
    inputs = {f"{state}0": "[N, 4]" for state in states}
    text = spec(layers, x="[N, T, 3]", **inputs).replace("{y: y}", "{y: y, z: z}")
    weights = drawn_weights(network(text))
    given = {f"{state}0": RNG.normal(size=(2, 4)) for state in states}
    found = values(text, weights, x=X, **given)
    parts = []
    for position, direction in enumerate(("forward", "backward")):
        half = slice(2 * position, 2 * position + 2)
        start = (given["h0"][:, half], given.get("c0", given["h0"])[:, half])
        parts.append(
            run(kind, Options(weights=below(weights, f"m.{direction}.")), X, 2, position == 1, start)
        )
    y = np.concatenate([part[0] for part in parts], -1)
    np.testing.assert_allclose(found["y"], np.concatenate([y, y], -1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        found["z"], np.concatenate([part[1] for part in parts], -1), rtol=1e-9, atol=1e-12
    )


def test_one_given_state_for_two() -> None:
    text = spec(
        "[{name: y, type: lstm, inputs: [x], units: 2, initial_state: {h: s, c: s}}]",
        x="[N, T, 3]",
        s="[N, 2]",
    )
    weights = drawn_weights(network(text))
    start = RNG.normal(size=(2, 2))
    expected, _, _ = run("lstm", Options(weights=below(weights, "y.")), X, start=(start, start))
    np.testing.assert_allclose(values(text, weights, x=X, s=start)["y"], expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_lengths_of_the_layer_itself(dtype: str) -> None:
    layers = """
  - {name: m, type: gru, inputs: [x], units: 2, lengths: n, reverse: true}
  - {name: y, type: transpose, permutation: [1, 0, 2]}
  - {name: z, type: expression, inputs: {s: m.h}, value: s}
"""
    text = spec(layers, x="[N, T, 3]", n=f"[N] {dtype}").replace("{y: y}", "{y: y, z: z}")
    weights = drawn_weights(network(text))
    found = values(text, weights, x=X, n=[3, 5])
    expected, h, _ = run("gru", Options(weights=below(weights, "m.")), X, reverse=True, lengths=[3, 5])
    np.testing.assert_allclose(found["y"], expected.transpose(1, 0, 2), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["z"], h, rtol=1e-9)


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("bidirectional: true, reverse: true", "NW0212"),
        ("layers: 2, initial_state: s", "NW0212"),
        ("bidirectional: true, initial_state: s", "NW0308"),
        ("lengths: s", "NW0308"),
        ("lengths: nothing", "NW0302"),
        ("clip: 0", "NW0204"),
    ],
)
def test_what_is_refused(keys: str, code: str) -> None:
    text = spec(f"[{{name: y, type: rnn, inputs: [x], units: 2, {keys}}}]", x="[N, T, 3]", s="[N, 2]")
    assert code in codes(text)


def test_two_kinds_of_lengths() -> None:
    text = """
dims: {N: batch, T: time}
inputs: {n: {shape: [N], dtype: int64}, x: {shape: [N, T, 4], lengths: n}}
layers: [{name: y, type: rnn, inputs: [x], units: 2, lengths: n}]
outputs: {y: y}
"""
    assert codes(text) == ["NW0315"]
