"""Losses, metrics, masks, schedules, dropout, windows and fitting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netwright.compiler.frontend.network import initial_states, initial_values
from netwright.compiler.frontend.training.fitting import fit_statistics
from netwright.compiler.ops.base import EvaluationError
from netwright.compiler.ops.random.random_bits import RandomBitsAttributes
from netwright.specs.random import key_for

from .helpers import network, run

RNG = np.random.default_rng(9)


def spec(
    train: str, layers: str = "{name: a, type: dense, units: 3}", shape: str = "[N, T, 4]", more: str = ""
) -> str:
    return f"""
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: {shape}, dtype: float64{more}}}}}
layers: [{layers}]
outputs: {{y: a}}
train:
  data: {{train: t.npz}}
  {train}
"""


def weights(net) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=one.type.shape) for name, one in net.parameters.items()}


def logits(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    return x @ w["a.kernel"] + w["a.bias"]


def cross_entropy(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, labels[..., None], -1)[..., 0]


SOFTMAX = "loss: {type: softmax_cross_entropy, output: y, target: t, OPTIONS}\n  metrics: [accuracy]"
X = RNG.normal(size=(3, 5, 4))
LABELS = RNG.integers(0, 3, (3, 5))


def test_sums_and_counts_over_all_steps() -> None:
    net = network(spec(SOFTMAX.replace("OPTIONS", "steps: all")))
    assert str(net.targets["t"]) == "int64[N, T]"
    w = weights(net)
    found = run(net, "loss", w, x=X, t=LABELS)
    z = logits(w, X)
    assert found["loss.count"] == found["metric.accuracy.count"] == 15
    assert found["loss.numerator"] == pytest.approx(cross_entropy(z, LABELS).sum())
    assert found["metric.accuracy.numerator"] == (z.argmax(-1) == LABELS).sum()


def test_the_last_step() -> None:
    net = network(spec(SOFTMAX.replace("OPTIONS", "steps: last")))
    assert str(net.targets["t"]) == "int64[N]"
    w = weights(net)
    found = run(net, "loss", w, x=X, t=LABELS[:, -1])
    assert found["loss.count"] == 3
    assert found["loss.numerator"] == pytest.approx(cross_entropy(logits(w, X), LABELS)[:, -1].sum())
    declared = spec(
        SOFTMAX.replace("OPTIONS", "steps: last") + "\n  targets: {t: {shape: [N, T], dtype: int64}}"
    )
    whole = run(network(declared), "loss", w, x=X, t=LABELS)
    assert whole["loss.numerator"] == pytest.approx(float(found["loss.numerator"]))


@pytest.mark.parametrize("entry", ["loss", "train_step"])
def test_a_mask_says_which_steps_count(entry: str) -> None:
    net = network(spec(SOFTMAX.replace("OPTIONS", "mask: m")))
    w = weights(net)
    mask = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 1, 1, 1]])
    labels = np.where(mask, LABELS, -1)  # what does not count may be anything
    found = run(net, entry, w, x=X, t=labels, m=mask)
    losses = cross_entropy(logits(w, X), LABELS)
    assert found["loss.count"] == 7
    assert found["loss.numerator"] == pytest.approx((losses * mask).sum())


def test_the_last_step_of_a_mask() -> None:
    net = network(spec(SOFTMAX.replace("OPTIONS", "mask: m, steps: last")))
    w = weights(net)
    mask = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 1, 1, 1]])
    found = run(net, "loss", w, x=X, t=LABELS[:, 0], m=mask)
    losses = cross_entropy(logits(w, X), np.broadcast_to(LABELS[:, :1], (3, 5)))
    assert found["loss.count"] == 2
    assert found["loss.numerator"] == pytest.approx(losses[0, 1] + losses[2, 4])


def test_a_class_that_does_not_exist_is_an_error() -> None:
    net = network(spec(SOFTMAX.replace("OPTIONS", "steps: all")))
    with pytest.raises(EvaluationError, match="index 3 is out of range"):
        run(net, "loss", x=X, t=LABELS + 1)


@pytest.mark.parametrize("steps", ["all", "last"])
def test_padding_changes_nothing(steps: str) -> None:
    """Not the loss, not the update, not the statistics, whatever stands past the ends."""
    layers = """{name: c, type: conv1d, filters: 4, kernel_size: 3, padding: same, inputs: [x]},
  {name: n, type: batch_norm}, {name: r, type: lstm, units: 3, bidirectional: true}, {name: g, type: softmax},
  {name: a, type: dense, units: 3, inputs: [g]}"""
    more = ", lengths: n_steps}, n_steps: {shape: [N], dtype: int64"
    loss = SOFTMAX.replace("OPTIONS", f"steps: {steps}")
    net = network(spec(loss + "\n  optimizer: {type: sgd, learning_rate: 0.5}", layers, more=more))
    w = weights(net)
    w["n.variance"] = w["n.variance"] ** 2
    lengths = np.array([5, 2, 3])
    exists = np.arange(5) < lengths[:, None]
    labels = LABELS if steps == "all" else LABELS[:, 0]
    noise = np.where(exists[..., None], X, 100 * RNG.normal(size=X.shape))
    for entry in ("loss", "train_step"):
        clean = run(net, entry, w, x=X, t=labels, n_steps=lengths)
        noisy = run(net, entry, w, x=noise, t=labels, n_steps=lengths)
        assert clean["loss.count"] == (10 if steps == "all" else 3)
        for name, value in clean.items():
            np.testing.assert_allclose(noisy[name], value, rtol=1e-9, err_msg=name)


def test_means_over_lengths() -> None:
    text = spec(
        "loss: {type: mse, output: y, target: t}",
        "{name: g, type: global_mean_pool, inputs: [x]}, {name: a, type: dense, units: 1, inputs: [g]}",
        more=", lengths: n}, n: {shape: [N], dtype: int64",
    ).replace("y: a}", "y: a, g: g}")
    found = run(network(text), x=X, n=[5, 2, 3])["g"]
    np.testing.assert_allclose(found[1], X[1, :2].mean(0), rtol=1e-12)


def test_accuracy_of_logits_and_of_probabilities() -> None:
    binary = spec("loss: {type: binary_cross_entropy, output: y, target: t}\n  metrics: [accuracy, mae]")
    net = network(binary)
    w = weights(net)
    z, target = logits(w, X), RNG.integers(0, 2, (3, 5, 3))
    found = run(net, "loss", w, x=X, t=target)
    assert found["metric.accuracy.numerator"] == ((z > 0) == (target > 0.5)).sum()
    assert found["metric.mae.numerator"] == pytest.approx(np.abs(z - target).sum())
    soft = spec(
        "loss: {type: softmax_cross_entropy, output: y, target: t}\n  metrics: [accuracy]\n"
        "  targets: {t: {shape: [N, T, 3], dtype: float64}}"
    )
    target = RNG.dirichlet(np.ones(3), (3, 5))
    found = run(network(soft), "loss", w, x=X, t=target)
    assert found["metric.accuracy.numerator"] == (z.argmax(-1) == target.argmax(-1)).sum()
    assert found["loss.count"] == 15


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        ("0.3", lambda s: 0.3),
        ("{type: step, initial: 0.4, every: 3, factor: 0.5}", lambda s: 0.4 * 0.5 ** (s // 3)),
        (
            "{type: cosine, initial: 0.4, final: 0.1, steps: 5}",
            lambda s: 0.1 + 0.3 * (1 + math.cos(math.pi * min(s / 5, 1))) / 2,
        ),
        ("{type: constant, initial: 0.4, warm_up: 4}", lambda s: 0.4 * min((s + 1) / 5, 1)),
    ],
)
def test_schedules(schedule: str, rate) -> None:
    """The slope of the mean of x·w is the mean of x: the weight moves by exactly the rate."""
    net = network(
        f"""
dims: {{N: batch}}
inputs: {{x: {{shape: [N, 1], dtype: float64}}}}
layers: [{{name: a, type: dense, units: 1, use_bias: false}}]
outputs: {{y: a}}
train:
  data: {{train: t.npz}}
  loss: {{type: mae, output: y, target: t}}
  optimizer: {{type: sgd, learning_rate: {schedule}}}
"""
    )
    values: dict[str, np.ndarray] = {"a.kernel": np.array([[5.0]])}
    for s in range(8):
        before = values["a.kernel"]
        after = run(net, "train_step", values, x=[[1], [1]], t=[[-90], [-90]])
        np.testing.assert_allclose(before - after["a.kernel"], rate(s), rtol=1e-12)
        assert after["optimizer.step"] == s + 1
        values = {name: after[name] for name in ("a.kernel", "optimizer.step")}


def test_clipping_reports_the_norm_before_it() -> None:
    text = spec(
        "loss: {type: mse, output: y, target: t}\n  clip_norm: 0.001\n  optimizer: {type: sgd, learning_rate: 1}"
    )
    net = network(text)
    w = weights(net)
    after = run(net, "train_step", w, x=X, t=np.zeros((3, 5, 3)))
    moved = math.sqrt(sum(((w[name] - after[name]) ** 2).sum() for name in w))
    assert moved == pytest.approx(0.001, rel=1e-4)
    assert after["gradient.norm"] > 0.1


DROPOUT = "{name: d, type: dropout, rate: 0.25}, {name: a, type: dense, units: 1, use_bias: false}"


def test_dropout_drops_in_training_only() -> None:
    net = network(spec("loss: {type: mae, output: y, target: t}\n  seed: 5", DROPOUT, "[N, 1000]"))
    x, w = np.ones((4, 1000)), {"a.kernel": np.ones((1000, 1))}
    target = np.full((4, 1), -1e6)
    assert run(net, "loss", w, x=x, t=target)["loss.numerator"] == pytest.approx(4e6 + 4000)

    def kept(step: int) -> float:
        after = run(net, "train_step", {**w, "optimizer.step": np.array(step)}, x=x, t=target)
        return float(after["loss.numerator"] - 4e6) * 0.75

    assert kept(0) == pytest.approx(3000, abs=120)
    assert kept(0) == kept(0)
    assert kept(0) != kept(1)
    (bits,) = [node for node in net.graphs["train_step"] if node.op == "random_bits"]
    assert isinstance(bits.attrs, RandomBitsAttributes)
    assert bits.attrs.key == key_for(5, "d")


def test_windows_carry_the_state_without_gradient() -> None:
    layers = "{name: r, type: gru, units: 2, initial_state: learned}, {name: a, type: dense, units: 3}"
    train = "loss: {type: mse, output: y, target: t}\n  optimizer: {type: sgd, learning_rate: 0.1}"
    net = network(spec(train + "\n  bptt: {window: 2}", layers))
    whole = network(spec(train, layers))
    assert {name for name in net.states if name.startswith("carry.")} == {"carry.r.h", "carry.started"}
    assert not any(name.startswith("carry.") for name in whole.states)
    w, target = weights(net), np.zeros((3, 5, 3))
    first = run(net, "train_step", w, x=X[:, :2], t=target[:, :2])
    assert first["carry.started"]
    full = run(whole, "train_step", w, x=X[:, :2], t=target[:, :2])
    for name in w:
        np.testing.assert_array_equal(first[name], full[name])
    carried = {"carry.r.h": first["carry.r.h"], "carry.started": np.array(True)}
    second = run(net, "train_step", {**w, **carried}, x=X[:, 2:], t=target[:, 2:])
    both = run(whole, "loss", w, x=X, t=target)
    assert first["loss.numerator"] + second["loss.numerator"] == pytest.approx(float(both["loss.numerator"]))
    np.testing.assert_array_equal(second["r.h_init"], w["r.h_init"])  # no gradient into an earlier window
    assert (first["r.h_init"] != w["r.h_init"]).all()


def test_a_fitted_standardize() -> None:
    layers = "{name: s, type: standardize, inputs: [x]}, {name: a, type: dense, units: 3}"
    net = network(
        spec(
            "loss: {type: mse, output: y, target: t}",
            layers,
            more=", lengths: n}, n: {shape: [N], dtype: int64",
        )
    )
    assert net.fitted == ("s",)
    assert {name: one.kind for name, one in net.parameters.items() if name[0] == "s"} == {
        "s.mean": "statistic",
        "s.stddev": "statistic",
    }
    valid = np.concatenate([X[0], X[1, :2], X[2, :3]])
    sums = run(net, "fit", x=X, n=[5, 2, 3])
    np.testing.assert_allclose(sums["fit.s.sum"], valid.sum(0))
    assert sums["fit.s.count"] == 10
    mean = sums["fit.s.sum"] / sums["fit.s.count"]
    squares = run(net, "fit", {"s.mean": mean}, x=X, n=[5, 2, 3])["fit.s.squares"]
    np.testing.assert_allclose(squares / 10, valid.var(0))

    batches = [{"x": X[:2], "n": np.array([5, 2])}, {"x": X[2:], "n": np.array([3])}]
    fitted = fit_statistics(net, initial_values(net), lambda: batches)
    np.testing.assert_allclose(fitted["s.mean"], valid.mean(0))
    np.testing.assert_allclose(fitted["s.stddev"], valid.std(0))
    constant = [{"x": np.ones((2, 5, 4)), "n": np.array([5, 5])}]
    np.testing.assert_array_equal(fit_statistics(net, initial_values(net), lambda: constant)["s.stddev"], 1)


def test_states_start_at_zero() -> None:
    net = network(spec("loss: {type: mse, output: y, target: t}\n  optimizer: adam"))
    states = initial_states(net)
    assert set(states) == {
        "optimizer.step",
        "optimizer.m.a.kernel",
        "optimizer.m.a.bias",
        "optimizer.v.a.kernel",
        "optimizer.v.a.bias",
    }
    assert not any(state.any() for state in states.values())
    outputs = set(net.graphs["train_step"].outputs)
    assert outputs == {*states, "a.kernel", "a.bias", "loss.numerator", "loss.count"}
    assert set(net.graphs) == {"predict", "loss", "train_step"}
