"""The loss soft_dtw against its recursion, written out; its slopes against differences; and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright import Model
from netwright.specs.load import load_spec_text

from .helpers import check_slopes, diagnosed, drawn_weights, network, run

N, T, M, F = 4, 5, 4, 2
STEPS, COUNTS = np.array([5, 3, 1, 4]), np.array([4, 4, 2, 1])


def spec(options: str = "", dtype: str = "float64", lengths: bool = True) -> str:
    steps = ", lengths: n}, n: {shape: [N], dtype: int64" if lengths else ""
    count = ", l: {shape: [N], dtype: int64}" if lengths else ""
    keys = ", target_lengths: l" if lengths else ""
    return f"""netwright: 1
model: m
dims: {{N: batch, T: time, M: size}}
inputs: {{x: {{shape: [N, T, 3], dtype: {dtype}{steps}}}}}
layers: [{{name: a, type: dense, units: {F}}}]
outputs: {{y: a}}
train:
  targets: {{t: {{shape: [N, M, {F}], dtype: {dtype}}}{count}}}
  loss: {{type: soft_dtw, output: y, target: t{keys}{options}}}
  optimizer: {{type: sgd, learning_rate: 1.0}}
"""


def drawn(dtype: str = "float64", seed: int = 0) -> dict[str, NDArray]:
    """Inputs and targets, with NaN in the target's steps that do not exist."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(N, M, F)).astype(dtype)
    t[np.arange(M) >= COUNTS[:, None]] = np.nan
    return {"x": rng.normal(size=(N, T, 3)).astype(dtype), "n": STEPS, "t": t, "l": COUNTS}


def soft_dtw(x: NDArray, y: NDArray, gamma: float) -> float:
    """Cuturi and Blondel (2017), algorithm 1."""
    table = np.full((len(x) + 1, len(y) + 1), np.inf)
    table[0, 0] = 0
    for i, j in product(range(1, len(x) + 1), range(1, len(y) + 1)):
        before = np.array([table[i - 1, j], table[i, j - 1], table[i - 1, j - 1]])
        least = before.min()
        soft = least - gamma * np.log(np.exp(-(before - least) / gamma).sum())
        table[i, j] = ((x[i - 1] - y[j - 1]) ** 2).sum() + soft
    return table[-1, -1]


@pytest.mark.parametrize("gamma", [1.0, 0.1, 1e-3])
def test_is_the_recursion(gamma: float) -> None:
    net = network(spec(f", gamma: {gamma}"))
    data, start = drawn(), drawn_weights(net)
    y = data["x"] @ start["a.kernel"] + start["a.bias"]
    expected = sum(
        soft_dtw(own[:steps], target[:count], gamma)
        for own, steps, target, count in zip(y, STEPS, data["t"], COUNTS, strict=True)
    )
    results = run(net, "loss", start, **data)
    assert results["loss.numerator"] == pytest.approx(expected, rel=1e-9)
    assert results["loss.count"] == N


def test_without_lengths_all_steps_count() -> None:
    net = network(spec(lengths=False))
    data, start = drawn(), drawn_weights(net)
    x, t = data["x"], np.nan_to_num(data["t"])
    y = x @ start["a.kernel"] + start["a.bias"]
    expected = sum(soft_dtw(own, target, 1.0) for own, target in zip(y, t, strict=True))
    assert run(net, "loss", start, x=x, t=t)["loss.numerator"] == pytest.approx(expected, rel=1e-9)


def test_an_empty_sequence_is_infinitely_far() -> None:
    net = network(spec())
    data, start = drawn(), drawn_weights(net)
    both = {**data, "n": np.array([0, 3, 1, 4]), "l": np.array([0, 4, 2, 1])}
    assert np.isfinite(run(net, "loss", start, **both)["loss.numerator"])
    assert run(net, "loss", start, **{**both, "l": COUNTS})["loss.numerator"] == np.inf
    assert run(net, "loss", start, **{**both, "n": STEPS})["loss.numerator"] == np.inf


@pytest.mark.parametrize("gamma", [1.0, 0.2])
def test_slopes_agree_with_differences(gamma: float) -> None:
    net = network(spec(f", gamma: {gamma}"))
    check_slopes(net, drawn_weights(net), drawn(), 1e-7)


def test_native_code() -> None:
    text = spec(dtype="float32")
    net = network(text)
    data, start = drawn("float32"), drawn_weights(net)
    session = Model(load_spec_text(text, "spec.yaml")).compile(entries=["loss", "train_step"]).session
    session.assign(start)
    expected = run(net, "loss", start, **data)
    loss = float(expected["loss.numerator"] / expected["loss.count"])
    assert session.loss(**data)["loss"] == pytest.approx(loss, rel=1e-5)
    session.train_step(**data)
    after = run(net, "train_step", start, **data)
    for name in start:
        np.testing.assert_allclose(session.weights[name], after[name], rtol=1e-4, atol=1e-4, err_msg=name)


BROKEN = {
    "no steps": ("[N, T, 3]", "[N, 3]", "NW0406", "soft_dtw compares sequences"),
    "other features": (f"[N, M, {F}]", "[N, M, 7]", "NW0403", "t is [N, M, 7], soft_dtw takes [N, …, 2]"),
    "integers": (
        f"[N, M, {F}], dtype: float64",
        f"[N, M, {F}], dtype: int64",
        "NW0403",
        "it is compared with",
    ),
    "windows": ("  optimizer:", "  bptt: {window: 2}\n  optimizer:", "NW0408", "soft_dtw compares whole"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_refusals(case: str) -> None:
    old, new, code, said = BROKEN[case]
    text = spec(lengths=False)
    assert old in text
    errors = [error for error in diagnosed(text.replace(old, new)) if error.severity == "error"]
    assert [error.code for error in errors] == [code], errors
    assert said in errors[0].message
