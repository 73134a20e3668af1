"""Several losses with weights, and losses that are equations."""

from __future__ import annotations

import numpy as np
import pytest

from netwright import Model
from netwright.runtime.totals import Totals
from netwright.specs.load import load_spec_text

from .helpers import network, run

RNG = np.random.default_rng(5)
N, T, F = 6, 4, 3
X = RNG.normal(size=(N, T, F))


def spec(loss: str, targets: str, *, lengths: bool = False, dtype: str = "float64", metrics: str = "") -> str:
    more = ", lengths: n}, n: {shape: [N], dtype: int64" if lengths else ""
    return f"""netwright: 1
model: m
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, {F}], dtype: {dtype}{more}}}}}
layers:
  - {{name: a, type: dense, units: 3, inputs: [x]}}
  - {{name: b, type: dense, units: 2, inputs: [x]}}
outputs: {{y: a, z: b}}
train:
  targets: {targets}
  loss: {loss}
  metrics: [{metrics}]
  optimizer: {{type: sgd, learning_rate: 1.0}}
"""


BOTH = """
    - {type: softmax_cross_entropy, output: y, target: k, class_weights: [1, 2, 3], mask: m}
    - {type: mse, output: z, target: t, weight: 0.25, name: far}"""
TARGETS = "{k: {shape: [N, T], dtype: int64}, t: {shape: [N, T, 2], dtype: float64}, m: {shape: [N, T], dtype: bool}}"
DATA = {
    "x": X,
    "k": RNG.integers(0, 3, (N, T)),
    "t": RNG.normal(size=(N, T, 2)),
    "m": RNG.random((N, T)) < 0.5,
}


def drawn(net) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=one.type.shape) for name, one in net.parameters.items()}


def test_the_total_is_the_weighted_sum() -> None:
    """Of the values over a whole data set, whose parts count differently in each batch, and of the gradients."""
    net = network(spec(BOTH, TARGETS, metrics="accuracy, {type: mae, output: z}"))
    first, second = (
        network(spec(text, TARGETS))
        for text in (
            BOTH.split("\n")[1].strip(" -"),
            BOTH.split("\n")[2].strip(" -").replace("weight: 0.25, ", ""),
        )
    )
    w = drawn(net)
    totals, alone = Totals(net.scores), [Totals(first.scores), Totals(second.scores)]
    for part in (slice(0, 4), slice(4, 5), slice(5, 6)):
        batch = {name: array[part] for name, array in DATA.items()}
        totals.add(run(net, "loss", w, **batch))
        for one, found in zip((first, second), alone, strict=True):
            taken = {name: array for name, array in batch.items() if name in {**one.inputs, **one.targets}}
            found.add(run(one, "loss", w, **taken))
    found = totals.means()
    assert list(found) == ["loss", "y_loss", "far", "accuracy", "mae"]
    assert found["y_loss"] == alone[0].means()["loss"]
    assert found["far"] == alone[1].means()["loss"]
    assert found["loss"] == pytest.approx(found["y_loss"] + 0.25 * found["far"], rel=1e-15)
    assert (
        found["accuracy"]
        == (((X @ w["a.kernel"] + w["a.bias"]).argmax(-1) == DATA["k"]) & DATA["m"]).sum() / DATA["m"].sum()
    )
    after = run(net, "train_step", w, **DATA)
    single = [
        run(one, "train_step", w, **{n: a for n, a in DATA.items() if n in {**one.inputs, **one.targets}})
        for one in (first, second)
    ]
    for name, weight, one in (("a.kernel", 1, single[0]), ("b.kernel", 0.25, single[1])):
        np.testing.assert_allclose(w[name] - after[name], weight * (w[name] - one[name]), rtol=1e-12)


def test_the_weight_of_one_loss() -> None:
    one = "{type: mse, output: z, target: t, weight: 3, name: distance}"
    targets = "{t: {shape: [N, T, 2], dtype: float64}}"
    net, plain = network(spec(one, targets)), network(spec(one.replace(", weight: 3", ""), targets))
    w, batch = drawn(net), {"x": X, "t": DATA["t"]}
    found, expected = Totals(net.scores), Totals(plain.scores)
    found.add(run(net, "loss", w, **batch))
    expected.add(run(plain, "loss", w, **batch))
    assert found.means()["loss"] == pytest.approx(3 * expected.means()["loss"])
    assert found.means()["distance"] == expected.means()["loss"]
    after, once = run(net, "train_step", w, **batch), run(plain, "train_step", w, **batch)
    np.testing.assert_allclose(w["b.kernel"] - after["b.kernel"], 3 * (w["b.kernel"] - once["b.kernel"]))


def test_a_loss_whose_mask_leaves_nothing_adds_nothing() -> None:
    net = network(spec(BOTH, TARGETS))
    w, totals = drawn(net), Totals(net.scores)
    batch = {**DATA, "m": np.zeros((N, T), bool)}
    totals.add(run(net, "loss", w, **batch))
    found = totals.means()
    assert np.isnan(found["y_loss"])
    assert found["loss"] == pytest.approx(0.25 * found["far"])
    after = run(net, "train_step", w, **batch)
    np.testing.assert_array_equal(after["a.kernel"], w["a.kernel"])


@pytest.mark.alike(2)
@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize(
    "loss",
    [
        BOTH,
        BOTH.replace("weight: 0.25", "weight: 0.25, mask: m"),
        "{type: expression, value: 'sum((z - t) ** 2, axis=-1)', mask: m}",
        "{type: expression, value: 'log(z ** 2 + t ** 2)', mask: m}",
    ],
)
def test_what_a_mask_leaves_out_changes_nothing(loss: str, engine: str) -> None:
    """Not a bit of losses and weights, even if it is NaN; in an input only where all losses leave it out."""
    text = spec(loss, TARGETS if "k" in loss else TARGETS.replace("k: {shape: [N, T], dtype: int64}, ", ""))
    session = (
        Model(load_spec_text(text, "spec.yaml"))
        .compile(engine=engine, entries=["loss", "train_step"])
        .session
    )
    names = {info.name for info in session.input_info("train_step")}
    clean = {name: array for name, array in DATA.items() if name in names}
    dirty = {name: array.copy() for name, array in clean.items()}
    if "k" in names:
        dirty["k"][~DATA["m"]] = -7
    if loss != BOTH:
        dirty["t"][~DATA["m"]] = np.nan
        dirty["x"][~DATA["m"]] = np.nan
    start = session.weights
    found = []
    for arrays in (clean, dirty):
        session.assign(start)
        value = session.train_step(**arrays)
        found.append((value, session.weights))
    assert found[0][0] == found[1][0]
    assert all(np.isfinite(value) for value in found[0][0].values())
    for name, array in found[0][1].items():
        np.testing.assert_array_equal(array, found[1][1][name], err_msg=name)
        assert (name.startswith("a.") and "k" not in names) or (array != start[name]).any()


def test_an_equation_that_divides_by_lengths() -> None:
    """A number per sample, from the steps that exist: what is past them is zero in outputs and targets."""
    text = spec(
        "{type: expression, value: 'sum(sum(abs(z - t), axis=-1), axis=-1) / cast(n, float64)'}",
        "{t: {shape: [N, T, 2], dtype: float64}}",
        lengths=True,
    )
    net = network(text)
    w, n = drawn(net), np.array([4, 1, 3, 2, 4, 1])
    found = run(net, "loss", w, x=X, t=DATA["t"], n=n)
    errors = np.abs(X @ w["b.kernel"] + w["b.bias"] - DATA["t"]).sum(-1)
    assert found["loss.count"] == N
    assert found["loss.numerator"] == pytest.approx(
        sum(row[:k].mean() for row, k in zip(errors, n, strict=True))
    )


def test_a_contrastive_loss_of_pairs() -> None:
    """Hadsell et al. (2006): in float64, with its gradient, against PyTorch."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra: torch)")
    net = network("""
dims: {N: batch}
inputs: {p: {shape: [N, 4], dtype: float64}, q: {shape: [N, 4], dtype: float64}}
layers:
  - {name: near, type: dense, units: 3, inputs: [p]}
  - {name: far, type: dense, units: 3, inputs: [q], share: near}
outputs: {a: near, b: far}
train:
  targets: {same: {shape: [N], dtype: float64}}
  loss:
    type: expression
    value: where(same > 0, sum((a - b) ** 2, axis=-1), maximum(2 - sqrt(sum((a - b) ** 2, axis=-1)), 0) ** 2)
  optimizer: {type: sgd, learning_rate: 1.0}
""")
    rng = np.random.default_rng(1)
    w = {name: rng.normal(size=one.type.shape) for name, one in net.parameters.items()}
    p, q, same = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), np.array([1.0, 0, 1, 0, 0])
    kernel, bias = (torch.tensor(w[f"near.{name}"], requires_grad=True) for name in ("kernel", "bias"))
    a, b = torch.tensor(p) @ kernel + bias, torch.tensor(q) @ kernel + bias
    distance = torch.nn.functional.pairwise_distance(a, b, eps=0)
    losses = torch.where(torch.tensor(same) > 0, distance**2, torch.relu(2 - distance) ** 2)
    losses.mean().backward()
    totals = Totals(net.scores)
    totals.add(run(net, "loss", w, p=p, q=q, same=same))
    assert totals.means()["loss"] == pytest.approx(float(losses.mean().detach()), rel=1e-9)
    after = run(net, "train_step", w, p=p, q=q, same=same)
    np.testing.assert_allclose(w["near.kernel"] - after["near.kernel"], kernel.grad, rtol=1e-9, atol=1e-12)
