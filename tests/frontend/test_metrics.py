"""Metrics of whole data sets from sums over partial batches, against formulas over all samples at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright import Model
from netwright.runtime.scores import value_of
from netwright.runtime.totals import Totals
from netwright.specs.load import load_spec_text
from netwright.specs.manifest import ScoreInfo

from .compared import compared_spec, drawn_target
from .helpers import network, run

CLASSES = 4
N, T, F = 12, 5, 3
LENGTHS = np.array([5, 1, 3, 0, 2, 4, 5, 1, 0, 3, 2, 5])
SOFTMAX = "softmax_cross_entropy"
Reference = Callable[[NDArray, NDArray], float]


def per_class(z: NDArray, t: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """How often each class is right, answered, and meant."""
    answered, meant = z.argmax(-1), t
    classes = np.arange(z.shape[-1])
    pairs = answered[:, None] == classes, meant[:, None] == classes
    return (pairs[0] & pairs[1]).sum(0), pairs[0].sum(0), pairs[1].sum(0)


def divided(a: NDArray, b: NDArray) -> NDArray:
    return np.array([x / y if y else 0.0 for x, y in zip(a, b, strict=True)])


def macro(values: NDArray, answered: NDArray, meant: NDArray) -> float:
    return float(np.mean([v for v, a, m in zip(values, answered, meant, strict=True) if a or m]))


def precision(z: NDArray, t: NDArray) -> float:
    right, answered, meant = per_class(z, t)
    return macro(divided(right, answered), answered, meant)


def recall(z: NDArray, t: NDArray) -> float:
    right, answered, meant = per_class(z, t)
    return macro(divided(right, meant), answered, meant)


def f1(z: NDArray, t: NDArray) -> float:
    right, answered, meant = per_class(z, t)
    return macro(divided(2 * right, answered + meant), answered, meant)


def binary_f1(yes: NDArray, meant: NDArray) -> float:
    return 2 * float((yes & meant).sum()) / float(yes.sum() + meant.sum())


def top(k: int) -> Reference:
    return lambda z, t: float(
        np.mean([label in np.argsort(-row)[:k] for row, label in zip(z, t, strict=True)])
    )


def r2(z: NDArray, t: NDArray) -> float:
    return float((1 - ((z - t) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)).mean())


def chances(z: NDArray) -> NDArray:
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def odds(z: NDArray) -> NDArray:
    return np.log(chances(z) / (1 - chances(z)))


def auc(z: NDArray, meant: NDArray) -> float:
    """Over all pairs, with scores in ranges of 1/64."""
    z = np.floor(np.clip(z, -16, 15.99) * 64)
    above = z[meant][:, None] - z[~meant]
    return float((above > 0).mean() + (above == 0).mean() / 2)


FLAGS = {"binary f1": "f1", "binary precision": "precision", "binary recall": "recall"}
CASES: Mapping[str, tuple[str, str, str, Reference]] = {
    "top 2": (SOFTMAX, "{type: top_k, k: 2}", "classes", top(2)),
    "precision": (SOFTMAX, "precision", "classes", precision),
    "recall": (SOFTMAX, "recall", "classes", recall),
    "f1": (SOFTMAX, "f1", "classes", f1),
    "f1 of mixtures": (SOFTMAX, "f1", "mixtures", lambda z, t: f1(z, t.argmax(-1))),
    "f1 of margins": ("multi_class_hinge", "f1", "classes", f1),
    "f1 of flags": ("binary_cross_entropy", "f1", "flags", lambda z, t: binary_f1(z > 0, t > 0.5)),
    "f1 of signs": ("hinge", "f1", "signs", lambda z, t: binary_f1(z > 0, t > 0)),
    "precision of flags": (
        "binary_cross_entropy",
        "precision",
        "flags",
        lambda z, t: float(((z > 0) & (t > 0)).sum() / (z > 0).sum()),
    ),
    "f1 of each flag": (
        "binary_cross_entropy",
        "{type: f1, average: macro}",
        "flags",
        lambda z, t: float(np.mean([binary_f1(z[:, i] > 0, t[:, i] > 0) for i in range(CLASSES)])),
    ),
    "r2": ("mse", "r2", "numbers", r2),
    "auc of flags": ("binary_cross_entropy", "auc", "flags", lambda z, t: auc(z, t > 0.5)),
    "auc": (
        SOFTMAX,
        "auc",
        "classes",
        lambda z, t: float(np.mean([auc(odds(z)[:, i], t == i) for i in range(CLASSES)])),
    ),
    "perplexity": (
        f"{SOFTMAX}, label_smoothing: 0.1, class_weights: [1, 2, 3, 4]",
        "perplexity",
        "classes",
        lambda z, t: float(np.exp(-np.log(chances(z))[np.arange(len(t)), t].mean())),
    ),
}


def spec(case: str, extra: str, dtype: str = "float64") -> str:
    loss, metric, target, _ = CASES[case]
    keys = f"{loss}, output: y, target: t"
    return compared_spec(keys, target, extra, dtype, F, CLASSES, f"  metrics: [{metric}]\n")


def arrays(case: str, extra: str, dtype: str) -> tuple[dict[str, NDArray], NDArray]:
    rng = np.random.default_rng(7)
    target = CASES[case][2]
    t = drawn_target(rng, target, N, T, CLASSES)
    t = 1000 + t if target == "numbers" else t
    found: dict[str, Any] = {"x": rng.normal(size=(N, T, F)).astype(dtype)}
    found["t"] = t if target == "classes" else t.astype(dtype)
    counts = np.ones((N, T), bool)
    if extra == "lengths":
        found["l"], counts = LENGTHS, np.arange(T) < LENGTHS[:, None]
    elif extra == "mask":
        found["m"] = counts = rng.random((N, T)) < 0.5
    if target == "classes":
        found["t"] = np.where(counts, found["t"], -1)  # what does not count may be anything
    return found, counts


@pytest.mark.parametrize("extra", ["", "mask", "lengths"])
@pytest.mark.parametrize("case", CASES)
def test_over_partial_batches(case: str, extra: str) -> None:
    net = network(spec(case, extra))
    data, counts = arrays(case, extra, "float64")
    rng = np.random.default_rng(4)
    weights = {name: rng.normal(size=one.type.shape) for name, one in net.parameters.items()}
    weights["a.bias"] += 1000 if CASES[case][2] == "numbers" else 0
    totals = Totals(net.scores)
    for part in (slice(0, 5), slice(5, 10), slice(10, 12)):
        totals.add(run(net, "loss", weights, **{name: array[part] for name, array in data.items()}))
    z = (data["x"] @ weights["a.kernel"] + weights["a.bias"])[counts]
    (name,) = totals.means().keys() - {"loss"}
    assert totals.means()[name] == pytest.approx(CASES[case][3](z, data["t"][counts]), rel=1e-9)
    again = Totals(net.scores)
    again.restore(totals.to_json())
    assert again.means() == totals.means()


@pytest.mark.alike(2)
@pytest.mark.parametrize("case", CASES)
def test_native_code_counts_the_same(case: str) -> None:
    data, _ = arrays(case, "mask", "float32")
    found = []
    for engine in ("native", "reference"):
        model = Model(load_spec_text(spec(case, "mask", "float32"), "spec.yaml"))
        found.append(model.compile(engine=engine, entries=["loss"]).session.loss(**data))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_a_class_that_never_occurs_is_left_out() -> None:
    net = network(spec("f1", ""))
    weights = {"a.kernel": np.eye(F, CLASSES), "a.bias": np.zeros(CLASSES)}
    x = np.eye(F)[np.array([[0, 1, 0, 1, 0]])]
    found = Totals(net.scores)
    found.add(run(net, "loss", weights, x=x, t=[[0, 1, 0, 0, 0]]))
    assert found.means()["f1"] == pytest.approx((6 / 7 + 2 / 3) / 2)


def test_names_of_metrics() -> None:
    text = spec("r2", "").replace("[r2]", "[mae, r2, {type: mae, output: y}, {type: mse, name: error}]")
    net = network(text)
    assert [score.name for score in net.scores] == ["loss", "mae", "r2", "mae_y", "error"]
    assert [score.rises for score in net.scores] == [False, False, True, False, False]


def test_auc_agrees_with_scikit_learn_within_the_ties() -> None:
    from_sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    meant = rng.random(400) < 0.3
    z = rng.normal(size=400) + meant
    places = np.clip(np.floor((z + 16) * 64), 0, 2047).astype(int)
    sums = [np.bincount(places[which], minlength=2048)[None].astype(float) for which in (meant, ~meant)]
    score = ScoreInfo(name="auc", formula="auc", sums=["meant", "others"])
    ties = float((sums[0] * sums[1]).sum() / (meant.sum() * (~meant).sum()))
    assert 0 < ties < 0.02
    assert abs(value_of(score, sums) - from_sklearn.roc_auc_score(meant, z)) <= ties / 2
    assert np.isnan(value_of(score, [sums[0], np.zeros((1, 2048))]))


def test_perplexity_needs_probabilities() -> None:
    with pytest.raises(AssertionError, match="perplexity is of probabilities of classes"):
        network(spec("r2", "").replace("[r2]", "[perplexity]"))
