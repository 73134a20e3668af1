"""The loss ctc: against the sum over all paths, written out; against PyTorch; and what is refused."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright import Model
from netwright.runtime.errors import ExecutionError
from netwright.specs.load import load_spec_text

from .helpers import check_slopes, codes, diagnosed, drawn_weights, network, run

N, T, F, C, L = 5, 6, 3, 4, 3
STEPS = np.array([6, 5, 4, 3, 1])
COUNTS = np.array([3, 2, 3, 0, 1])


def spec(options: str = "", dtype: str = "float64", lengths: bool = True, mask: bool = False) -> str:
    steps = ", lengths: n}, n: {shape: [N], dtype: int64" if lengths else ""
    count = ", l: {shape: [N], dtype: int64}" if lengths else ""
    masked = ", m: {shape: [N, T], dtype: bool}" if mask else ""
    keys = ", target_lengths: l" if lengths else ""
    keys += ", mask: m" if mask else ""
    return f"""netwright: 1
model: m
dims: {{N: batch, T: time, L: size}}
inputs: {{x: {{shape: [N, T, {F}], dtype: {dtype}{steps}}}}}
layers: [{{name: a, type: dense, units: {C}}}]
outputs: {{y: a}}
train:
  targets: {{t: {{shape: [N, L], dtype: int64}}{count}{masked}}}
  loss: {{type: ctc, output: y, target: t{keys}{options}}}
  optimizer: {{type: sgd, learning_rate: 1.0}}
"""


def drawn(blank: int, seed: int = 0, dtype: str = "float64") -> dict[str, NDArray]:
    """Inputs, and labels that fit into the steps. The first sample has two equal ones in a row; past a sample's labels
    there are −1."""
    rng = np.random.default_rng(seed)
    labels = [label for label in range(C) if label != blank]
    t = rng.choice(labels, size=(N, L))
    t[0, :2], t[2] = labels[1], labels
    t[np.arange(L) >= COUNTS[:, None]] = -1
    x = rng.normal(size=(N, T, F)).astype(dtype) * 2
    return {"x": x, "n": STEPS, "t": t, "l": COUNTS}


def log_softmax(x: NDArray) -> NDArray:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def over_paths(logarithms: NDArray, labels: NDArray, blank: int) -> float:
    """−log of the sum of the probabilities of all paths that spell the labels."""
    steps, classes = logarithms.shape
    total = -np.inf
    for path in product(range(classes), repeat=steps):
        if [label for label, _ in groupby(path) if label != blank] == labels.tolist():
            total = np.logaddexp(total, sum(logarithms[step, label] for step, label in enumerate(path)))
    return -total


@pytest.mark.parametrize(("written", "blank"), [("0", 0), ("2", 2), ("last", C - 1)])
def test_is_the_sum_over_all_paths(written: str, blank: int) -> None:
    net = network(spec(f", blank: {written}, per_label: false"))
    data, start = drawn(blank), drawn_weights(net)
    logarithms = log_softmax(data["x"] @ start["a.kernel"] + start["a.bias"])
    expected = [
        over_paths(own[:steps], labels[:count], blank)
        for own, steps, labels, count in zip(logarithms, STEPS, data["t"], COUNTS, strict=True)
    ]
    results = run(net, "loss", start, **data)
    assert results["loss.numerator"] == pytest.approx(sum(expected), rel=1e-12)
    assert results["loss.count"] == N
    results = run(network(spec(f", blank: {written}")), "loss", start, **data)
    assert results["loss.numerator"] == pytest.approx(sum(expected / np.maximum(COUNTS, 1)), rel=1e-12)


def test_without_lengths_all_steps_and_labels_count() -> None:
    net = network(spec(", per_label: false", lengths=False))
    data, start = drawn(0), drawn_weights(net)
    x, t = data["x"][:2], np.array([[1, 2, 1], [3, 3, 2]])
    logarithms = log_softmax(x @ start["a.kernel"] + start["a.bias"])
    expected = sum(over_paths(own, labels, 0) for own, labels in zip(logarithms, t, strict=True))
    assert run(net, "loss", start, x=x, t=t)["loss.numerator"] == pytest.approx(expected, rel=1e-12)


def test_steps_that_the_mask_leaves_out_do_not_exist() -> None:
    net = network(spec(", per_label: false", mask=True))
    data, start = drawn(0), drawn_weights(net)
    mask = np.random.default_rng(5).random((N, T)) < 0.8
    mask[4, 0] = True
    data["t"], data["l"] = np.minimum(data["t"], 3), np.array([1, 1, 1, 0, 1])
    logarithms = log_softmax(data["x"] @ start["a.kernel"] + start["a.bias"])
    expected = [
        over_paths(own[:steps][kept[:steps]], labels[:count], 0)
        for own, steps, kept, labels, count in zip(logarithms, STEPS, mask, data["t"], data["l"], strict=True)
    ]
    found = run(net, "loss", start, m=mask, **data)
    assert found["loss.numerator"] == pytest.approx(sum(expected), rel=1e-12)
    data["x"] = np.where(mask[..., None], data["x"], np.nan)
    after = run(net, "train_step", start, m=mask, **data)
    assert all(np.isfinite(after[name]).all() for name in start)


def test_a_target_that_does_not_fit() -> None:
    """Two equal labels need three steps."""
    data = drawn(0)
    data["n"] = np.array([6, 5, 4, 3, 0])
    data["t"][2], data["l"], data["n"][2] = [1, 1, 2], np.array([3, 2, 3, 0, 1]), 3
    net = network(spec())
    start = drawn_weights(net)
    assert run(net, "loss", start, **data)["loss.numerator"] == np.inf
    net = network(spec(", skip_impossible: true"))
    results = run(net, "loss", start, **data)
    kept = [0, 1, 3]
    alone = run(net, "loss", start, **{name: array[kept] for name, array in data.items()})
    assert results["loss.count"] == alone["loss.count"] == 3
    assert results["loss.numerator"] == pytest.approx(float(alone["loss.numerator"]), rel=1e-12)
    after = run(net, "train_step", start, **data)
    assert all(np.isfinite(after[name]).all() for name in start)


def test_slopes_agree_with_differences() -> None:
    net = network(spec(", per_label: false"))
    check_slopes(net, drawn_weights(net), drawn(0), 1e-8)


@pytest.mark.torch
@pytest.mark.parametrize(("dtype", "steps", "tolerance"), [("float64", 50, 1e-9), ("float32", 400, 1e-4)])
def test_pytorch(dtype: str, steps: int, tolerance: float) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra: torch)")
    rng = np.random.default_rng(7)
    samples, most = 4, steps // 5
    x = (rng.normal(size=(samples, steps, F)) * 2).astype(dtype)
    n, many = rng.integers(most * 2 + 1, steps + 1, samples), rng.integers(1, most + 1, samples)
    t = rng.integers(1, C, (samples, most))
    text = spec(dtype=dtype)
    net = network(text)
    start = drawn_weights(net)
    leaves = {
        name: torch.tensor(value.astype(np.float64), requires_grad=True) for name, value in start.items()
    }
    y = torch.tensor(x.astype(np.float64)) @ leaves["a.kernel"] + leaves["a.bias"]
    value = torch.nn.functional.ctc_loss(
        torch.log_softmax(y, -1).transpose(0, 1), *map(torch.tensor, (t, n, many)), reduction="mean"
    )
    value.backward()
    data = {"x": x, "n": n, "t": t, "l": many}
    if dtype == "float64":
        results = run(net, "loss", start, **data)
        loss = float(results["loss.numerator"] / results["loss.count"])
        after = run(net, "train_step", start, **data)
    else:
        session = Model(load_spec_text(text, "spec.yaml")).compile(entries=["loss", "train_step"]).session
        session.assign(start)
        loss = session.loss(**data)["loss"]
        session.train_step(**data)
        after = session.weights
    assert loss == pytest.approx(float(value.detach()), rel=tolerance)
    for name, leaf in leaves.items():
        slopes = leaf.grad.numpy()
        np.testing.assert_allclose(
            start[name].astype(np.float64) - after[name],
            slopes,
            rtol=tolerance,
            atol=tolerance * np.abs(slopes).max(),
            err_msg=name,
        )


def test_native_code_names_what_is_out_of_range() -> None:
    session = Model(load_spec_text(spec(dtype="float32"), "spec.yaml")).compile(entries=["loss"]).session
    data = drawn(0, dtype="float32")
    for name, value, said in (
        ("t", 9, "t: sample 0 has the class 9 (at [0]); classes are 0 to 3"),
        ("l", 9, "l: sample 0 has the length 9; lengths are 0 to L = 3"),
    ):
        wrong = {**data, name: data[name].copy()}
        wrong[name][0] = value
        with pytest.raises(ExecutionError) as error:
            session.loss(**wrong)
        assert said in str(error.value)


BROKEN = {
    "no steps": ("[N, T, 3]", "[N, 3]", "NW0406", "ctc needs logits per step"),
    "a blank beyond the classes": (
        "target_lengths: l",
        "target_lengths: l, blank: 4",
        "NW0406",
        "the blank is class 4",
    ),
    "labels that are floats": (
        "[N, L], dtype: int64",
        "[N, L], dtype: float64",
        "NW0403",
        "labels are integers",
    ),
    "a label per sample": ("t: {shape: [N, L]", "t: {shape: [N]", "NW0403", "ctc takes [N, …]"),
    "lengths per label": ("l: {shape: [N]", "l: {shape: [N, L]", "NW0403", "lengths are integers [N]"),
    "no such lengths": (
        "target_lengths: l",
        "target_lengths: k",
        "NW0402",
        "there is no input or target named k",
    ),
    "windows": ("optimizer:", "bptt: {window: 2}\n  optimizer:", "NW0408", "ctc compares whole sequences"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_refusals(case: str) -> None:
    old, new, code, said = BROKEN[case]
    text = spec()
    if case == "no steps":
        text = text.replace(", lengths: n}, n: {shape: [N], dtype: int64", "")
    assert old in text
    errors = [error for error in diagnosed(text.replace(old, new)) if error.severity == "error"]
    assert [error.code for error in errors] == [code], errors
    assert said in errors[0].message


def test_a_target_has_to_be_declared() -> None:
    text = spec().replace(
        "  targets: {t: {shape: [N, L], dtype: int64}, l: {shape: [N], dtype: int64}}\n", ""
    )
    assert "NW0403" in codes(text.replace(", target_lengths: l", ""))


def test_a_softmax_before_the_loss_is_warned_of() -> None:
    text = spec().replace("units: 4}", "units: 4, activation: softmax}")
    assert codes(text) == ["NW0606"]


def edits(first: list[int], second: list[int]) -> int:
    """Levenshtein's distance, row by row."""
    row = list(range(len(second) + 1))
    for i, label in enumerate(first, 1):
        new = [i]
        for j, other in enumerate(second, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (label != other)))
        row = new
    return row[-1]


def spelled(scores: NDArray, blank: int) -> list[int]:
    return [label for label, _ in groupby(scores.argmax(-1).tolist()) if label != blank]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("written", "blank"), [("0", 0), ("last", C - 1)])
@pytest.mark.parametrize("seed", range(3))
def test_label_error_rate(written: str, blank: int, seed: int) -> None:
    text = spec(f", blank: {written}").replace("  optimizer:", "  metrics: [label_error_rate]\n  optimizer:")
    net = network(text)
    data, start = drawn(blank, seed), drawn_weights(net, seed)
    scores = data["x"] @ start["a.kernel"] + start["a.bias"]
    expected = [
        edits(spelled(own[:steps], blank), labels[:count].tolist())
        for own, steps, labels, count in zip(scores, STEPS, data["t"], COUNTS, strict=True)
    ]
    results = run(net, "loss", start, **data)
    assert results["metric.label_error_rate.numerator"] == sum(expected) > 0
    assert results["metric.label_error_rate.count"] == COUNTS.sum()
    session = Model(load_spec_text(text, "spec.yaml")).compile(entries=["loss"]).session
    session.assign(start)
    assert session.loss(**data)["label_error_rate"] == sum(expected) / COUNTS.sum()


def test_label_error_rate_needs_the_loss() -> None:
    text = """
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 3]}}
layers: [{name: a, type: dense, units: 4}]
outputs: {y: a}
train:
  loss: {type: softmax_cross_entropy, output: y, target: t}
  metrics: [label_error_rate]
"""
    (error,) = diagnosed(text)
    assert (error.code, error.message[:16]) == ("NW0406", "label_error_rate")
