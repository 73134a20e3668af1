"""Recurrent layers and cells against loops written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from .helpers import network, run

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 6, 2))
LENGTHS = np.array([6, 1, 4])


def spec(layer: str, outputs: str = "y: a", more: str = "", inputs: str = "") -> str:
    return f"""
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, 2], dtype: float64{inputs}}}{more}}}
layers: [{layer}]
outputs: {{{outputs}}}
"""


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def random_values(net) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=one.type.shape) for name, one in net.parameters.items()}


def test_gru_with_the_reset_before_the_product() -> None:
    net = network(spec("{name: a, type: gru, units: 3, reset_after: false}"))
    w = random_values(net)
    assert sorted(w) == ["a.bias", "a.kernel", "a.recurrent_kernel"]
    h, steps = np.zeros((3, 3)), []
    for t in range(6):
        z, r, n = np.split(X[:, t] @ w["a.kernel"] + w["a.bias"], 3, axis=1)
        uz, ur, un = np.split(w["a.recurrent_kernel"], 3, axis=1)
        z, r = sigmoid(z + h @ uz), sigmoid(r + h @ ur)
        h = (1 - z) * np.tanh(n + (r * h) @ un) + z * h
        steps.append(h)
    np.testing.assert_allclose(run(net, values=w, x=X)["y"], np.stack(steps, 1), rtol=1e-12)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("options", ["", ", bidirectional: true", ", layers: 2, bidirectional: true"])
def test_lengths_are_as_good_as_shorter_sequences(kind: str, options: str) -> None:
    layer = f"{{name: a, type: {kind}, units: 3, inputs: [x]{options}}}"
    outputs = "y: a, last: a.state, all: a.state_all"
    net = network(spec(layer, outputs, ", n: {shape: [N], dtype: int64}", ", lengths: n"))
    last = network(
        spec(
            layer[:-1] + ", return_sequences: false}",
            "y: a",
            ", n: {shape: [N], dtype: int64}",
            ", lengths: n",
        )
    )
    w = random_values(net)
    found = run(net, values=w, x=X, n=LENGTHS)
    ends = run(last, values=w, x=X, n=LENGTHS)["y"]
    for i, length in enumerate(LENGTHS):
        alone = run(net, values=w, x=X[i : i + 1, :length], n=[length])
        np.testing.assert_allclose(found["y"][i, :length], alone["y"][0], rtol=1e-12)
        np.testing.assert_allclose(found["all"][i, :length], alone["all"][0], rtol=1e-12)
        np.testing.assert_allclose(found["last"][i], alone["last"][0], rtol=1e-12)
        assert not found["y"][i, length:].any()
        assert not found["all"][i, length:].any()
        forward, backward = alone["y"][0, -1], alone["y"][0, 0]
        expected = np.concatenate([forward[:3], backward[3:]]) if options else forward
        np.testing.assert_allclose(ends[i], expected, rtol=1e-12)


def test_ports_give_last_and_all_states() -> None:
    outputs = "y: a, s: a.state, h: a.h, c: a.c, c_all: a.c_all, s_all: a.state_all"
    net = network(spec("{name: a, type: lstm, units: 3}", outputs))
    w = random_values(net)
    found = run(net, values=w, x=X)
    np.testing.assert_array_equal(found["s"], found["y"][:, -1])
    np.testing.assert_array_equal(found["h"], found["s"])
    np.testing.assert_array_equal(found["s_all"], found["y"])
    np.testing.assert_array_equal(found["c"], found["c_all"][:, -1])
    h, c = np.zeros((3, 3)), np.zeros((3, 3))
    for t in range(6):
        gates = X[:, t] @ w["a.kernel"] + h @ w["a.recurrent_kernel"] + w["a.bias"]
        i, f, g, o = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(found["c_all"][:, t], c, rtol=1e-12)
        np.testing.assert_allclose(found["y"][:, t], h, rtol=1e-12)


STATE_SPACE = """
dims: {N: batch, T: {min: 2, max: 512}}
inputs: {x: {shape: [N, T, 2], dtype: float64}}
cells:
  state_space:
    args: {H: int, O: int}
    input: {x: [F]}
    states:
      h: {shape: [H], init: zeros, learn_init: true}
    params:
      A: {shape: [H, H], init: orthogonal}
      B: {shape: [F, H], init: glorot_uniform}
      b: {shape: [H], init: zeros}
      C: {shape: [H, O], init: glorot_uniform}
    update:
      h: tanh(prev(h) @ A + x @ B + b)
    output: h @ C
layers:
  - {name: dyn, type: recurrent, cell: state_space, with: {H: 4, O: 5}, expect: [N, T, 5], OPTIONS}
outputs: {y: dyn, state: dyn.h}
"""


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_a_cell_of_the_spec(reverse: bool, sequences: bool) -> None:
    options = f"reverse: {str(reverse).lower()}, return_sequences: {str(sequences).lower()}"
    text = STATE_SPACE.replace("OPTIONS", options)
    net = network(text if sequences else text.replace("[N, T, 5]", "[N, 5]"))
    w = random_values(net)
    assert sorted(w) == ["dyn.A", "dyn.B", "dyn.C", "dyn.b", "dyn.h_init"]
    h = np.broadcast_to(w["dyn.h_init"], (3, 4))
    expected = np.zeros((3, 6, 5))
    order = list(reversed(range(6))) if reverse else list(range(6))
    for t in order:
        h = np.tanh(h @ w["dyn.A"] + X[:, t] @ w["dyn.B"] + w["dyn.b"])
        expected[:, t] = h @ w["dyn.C"]
    found = run(net, values=w, x=X)
    np.testing.assert_allclose(found["y"], expected if sequences else expected[:, order[-1]], rtol=1e-12)
    np.testing.assert_allclose(found["state"], h, rtol=1e-12)


def test_the_last_output_of_a_cell_with_lengths() -> None:
    text = STATE_SPACE.replace("OPTIONS", "inputs: [x], return_sequences: false").replace(
        "[N, T, 5]", "[N, 5]"
    )
    text = text.replace("dtype: float64}}", "dtype: float64, lengths: n}, n: {shape: [N], dtype: int64}}")
    net = network(text)
    w = random_values(net)
    found = run(net, values=w, x=X, n=LENGTHS)["y"]
    for i, length in enumerate(LENGTHS):
        alone = run(net, values=w, x=X[i : i + 1, :length], n=[length])["y"]
        np.testing.assert_allclose(found[i], alone[0], rtol=1e-12)


def test_an_output_that_reads_its_own_past() -> None:
    net = network(
        """
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 2], dtype: float64}, z: {shape: [N, T], dtype: float64}}
cells:
  infinite:
    args: {slope: float}
    input: {x: [F], z: []}
    output: {value: slope * prev(output) + sum(x) * z, shape: [], init: ones}
layers:
  - {name: a, type: recurrent, cell: infinite, inputs: [x, z], with: {slope: 0.5}}
outputs: {y: a}
"""
    )
    z = RNG.normal(size=(3, 6))
    y, expected = np.ones(3), []
    for t in range(6):
        y = 0.5 * y + X[:, t].sum(1) * z[:, t]
        expected.append(y)
    np.testing.assert_allclose(run(net, x=X, z=z)["y"], np.stack(expected, 1), rtol=1e-12)


@pytest.mark.parametrize(
    ("expression", "function"),
    [
        ("concat(x, x * 2)", lambda x, a: np.concatenate([x, 2 * x])),
        ("A @ x", lambda x, a: a @ x),
        ("A @ (A * x)", lambda x, a: a @ (a * x)),
        ("(A * x) @ A", lambda x, a: (a * x) @ a),
        ("x @ (A * x)", lambda x, a: x @ (a * x)),
        ("transpose(A * x) @ (A + x)", lambda x, a: (a * x).T @ (a + x)),
        ("x @ x", lambda x, a: x @ x),
        ("A + 1", lambda x, a: a + 1),
        ("mean(A * x, axis=0)", lambda x, a: (a * x).mean(0)),
        ("max(A * x)", lambda x, a: (a * x).max()),
        ("min(A * x, axis=-1)", lambda x, a: (a * x).min(-1)),
        ("sum(A, axis=1)", lambda x, a: a.sum(1)),
        ("where(x > 0, x, -2 * x)", lambda x, a: np.where(x > 0, x, -2 * x)),
        ("maximum(x, A)", lambda x, a: np.maximum(x, a)),
        ("minimum(x, 0.25)", lambda x, a: np.minimum(x, 0.25)),
        ("softmax(A * x, axis=0)", lambda x, a: np.exp(a * x) / np.exp(a * x).sum(0)),
        ("abs(x) ** 1.5 - x ** 3 / 2", lambda x, a: np.abs(x) ** 1.5 - x**3 / 2),
        ("1 / (1 + exp(-x)) ** 2", lambda x, a: sigmoid(x) ** 2),
        ("leaky_relu(x, 0.1) + elu(x, 2) + relu(x)", None),
        ("sqrt(abs(x)) * log(abs(x)) * x ** -1 * x ** 0", lambda x, a: np.sqrt(abs(x)) * np.log(abs(x)) / x),
    ],
)
def test_expressions(expression: str, function) -> None:
    net = network(
        f"""
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, 2], dtype: float64}}}}
cells:
  c: {{input: {{x: [F]}}, params: {{A: {{shape: [F, F]}}}}, output: "{expression}"}}
layers: [{{name: a, type: recurrent, cell: c}}]
outputs: {{y: a}}
"""
    )
    weights = {"a.A": RNG.normal(size=(2, 2))}
    found = run(net, values=weights, x=X)["y"]

    def piecewise(x: np.ndarray, a: np.ndarray) -> np.ndarray:
        negative = np.minimum(x, 0)
        return 0.1 * negative + 2 * (np.exp(negative) - 1) + 3 * np.maximum(x, 0)

    for n in range(3):
        for t in range(6):
            expected = (function or piecewise)(X[n, t], weights["a.A"])
            np.testing.assert_allclose(found[n, t], expected, rtol=1e-10, atol=1e-12)


def test_given_learned_and_zero_states() -> None:
    layer = "{name: a, type: lstm, units: 3, inputs: [x], initial_state: {h: h0, c: learned}}"
    net = network(spec(layer, "y: a", ", h0: {shape: [N, 3], dtype: float64}"))
    assert "a.c_init" in net.parameters
    assert "a.h_init" not in net.parameters
    w, h0 = random_values(net), RNG.normal(size=(3, 3))
    gates = X[:, 0] @ w["a.kernel"] + h0 @ w["a.recurrent_kernel"] + w["a.bias"]
    i, f, g, o = np.split(gates, 4, axis=1)
    c = sigmoid(f) * w["a.c_init"] + sigmoid(i) * np.tanh(g)
    np.testing.assert_allclose(run(net, values=w, x=X, h0=h0)["y"][:, 0], sigmoid(o) * np.tanh(c), rtol=1e-12)


def test_a_state_that_starts_from_drawn_values_is_no_parameter() -> None:
    text = STATE_SPACE.replace("OPTIONS", "").replace("init: zeros, learn_init: true", "init: normal")
    net = network(text)
    assert "dyn.h_init" not in net.parameters
    first, again = run(net, x=X)["y"], run(net, x=X)["y"]
    np.testing.assert_array_equal(first, again)


def test_unrolling_changes_no_value() -> None:
    texts = [spec(f"{{name: a, type: gru, units: 3, unroll: {mode}}}") for mode in ("none", "2", "5", "auto")]
    nets = [network(text) for text in texts] + [
        network(spec("{name: a, type: gru, units: 3, unroll: full}").replace("[N, T, 2]", "[N, 6, 2]"))
    ]
    w = random_values(nets[0])
    first, *others = (run(net, values=w, x=X)["y"] for net in nets)
    for other in others:
        np.testing.assert_array_equal(other, first)
