"""Every loss against PyTorch: value and gradient, of all steps and of those that a mask or lengths leave, in float64 by
the interpreter and in float32 by native code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright import Model
from netwright.runtime.totals import Totals
from netwright.specs.load import load_spec_text

from .compared import compared_spec, drawn_target
from .helpers import network, run

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra: torch)")
functional = torch.nn.functional
pytestmark = pytest.mark.torch

CLASSES = 3
WEIGHTS = [0.5, 2.0, 1.25]


@dataclass(frozen=True)
class Case:
    """A loss, what its target holds, and its mean over rows [R, C] in PyTorch."""

    loss: str
    target: str
    function: Callable[[Any, Any], Any]


def focal(x: Any, t: Any, gamma: float) -> Any:
    """Lin et al. (2017), equation 4, for targets 0 and 1."""
    p = torch.sigmoid(x)
    right = p * t + (1 - p) * (1 - t)
    return ((1 - right) ** gamma * functional.binary_cross_entropy_with_logits(x, t, reduction="none")).mean()


def class_focal(x: Any, t: Any, gamma: float) -> Any:
    logarithms = torch.log_softmax(x, -1).gather(-1, t[:, None])[:, 0]
    return -((1 - logarithms.exp()) ** gamma * logarithms).mean()


def cross_entropy(**options: Any) -> Callable[[Any, Any], Any]:
    return lambda x, t: functional.cross_entropy(x, t, **options)


def weights(x: Any) -> Any:
    return torch.tensor(WEIGHTS, dtype=x.dtype)


def binary(x: Any, t: Any, epsilon: float = 0.0, positive: Any = None) -> Any:
    smooth = t * (1 - epsilon) + epsilon / 2
    return functional.binary_cross_entropy_with_logits(x, smooth, pos_weight=positive)


SOFTMAX, BINARY = "softmax_cross_entropy", "binary_cross_entropy"
CASES = {
    "smooth": Case(f"{SOFTMAX}, label_smoothing: 0.1", "classes", cross_entropy(label_smoothing=0.1)),
    "smooth mixtures": Case(
        f"{SOFTMAX}, label_smoothing: 0.1", "mixtures", cross_entropy(label_smoothing=0.1)
    ),
    "weighted": Case(
        f"{SOFTMAX}, class_weights: {WEIGHTS}",
        "classes",
        lambda x, t: functional.cross_entropy(x, t, weights(x)),
    ),
    "weighted mixtures": Case(
        f"{SOFTMAX}, class_weights: {WEIGHTS}",
        "mixtures",
        lambda x, t: functional.cross_entropy(x, t, weights(x)),
    ),
    "smooth and weighted": Case(
        f"{SOFTMAX}, class_weights: {WEIGHTS}, label_smoothing: 0.2",
        "classes",
        lambda x, t: functional.cross_entropy(x, t, weights(x), label_smoothing=0.2),
    ),
    "smooth and weighted mixtures": Case(
        f"{SOFTMAX}, class_weights: {WEIGHTS}, label_smoothing: 0.2",
        "mixtures",
        lambda x, t: functional.cross_entropy(x, t, weights(x), label_smoothing=0.2),
    ),
    "focal": Case(f"{SOFTMAX}, focal_gamma: 2", "classes", lambda x, t: class_focal(x, t, 2)),
    "binary smooth": Case(f"{BINARY}, label_smoothing: 0.1", "flags", lambda x, t: binary(x, t, 0.1)),
    "binary weighted": Case(
        f"{BINARY}, positive_weight: 3",
        "flags",
        lambda x, t: binary(x, t, positive=torch.tensor(3.0, dtype=x.dtype)),
    ),
    "binary weighted each": Case(
        f"{BINARY}, positive_weight: {WEIGHTS}, label_smoothing: 0.1",
        "flags",
        lambda x, t: binary(x, t, 0.1, weights(x)),
    ),
    "binary focal": Case(f"{BINARY}, focal_gamma: 1.5", "flags", lambda x, t: focal(x, t, 1.5)),
    "log_cosh": Case("log_cosh", "numbers", lambda x, t: (x - t).cosh().log().mean()),
    "poisson": Case("poisson", "counts", lambda x, t: functional.poisson_nll_loss(x, t, log_input=True)),
    "hinge": Case("hinge", "signs", lambda x, t: functional.relu(1 - t * x).mean()),
    "hinge of flags": Case(
        "hinge, margin: 0.5, squared: true",
        "flags",
        lambda x, t: (functional.relu(0.5 - (2 * t - 1) * x) ** 2).mean(),
    ),
    "multi_class_hinge": Case("multi_class_hinge", "classes", functional.multi_margin_loss),
    "multi_class_hinge squared": Case(
        "multi_class_hinge, margin: 0.7, squared: true",
        "classes",
        lambda x, t: functional.multi_margin_loss(x, t, p=2, margin=0.7),
    ),
    "kl_divergence": Case(
        "kl_divergence",
        "mixtures",
        lambda x, t: functional.kl_div(torch.log_softmax(x, -1), t, reduction="batchmean"),
    ),
    "cosine": Case("cosine", "numbers", lambda x, t: 1 - functional.cosine_similarity(x, t).mean()),
    "expression": Case(
        "expression, value: 'log(1 + (y - t) ** 2) * 2'",
        "numbers",
        lambda x, t: 2 * (1 + (x - t) ** 2).log().mean(),
    ),
    "expression per step": Case(
        "expression, value: 'sum(abs(y - t), axis=-1)'", "numbers", lambda x, t: (x - t).abs().sum(-1).mean()
    ),
}
N, T, F = 5, 4, 6
LENGTHS = np.array([4, 1, 3, 0, 2])


def spec(case: Case, dtype: str, extra: str = "") -> str:
    named = "" if case.loss.startswith("expression") else ", output: y, target: t"
    more = "  optimizer: {type: sgd, learning_rate: 1.0}\n"
    return compared_spec(case.loss + named, case.target, extra, dtype, F, CLASSES, more)


def arrays(case: Case, dtype: str, extra: str) -> tuple[dict[str, NDArray], NDArray]:
    """Inputs and targets, and which steps count."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, T, F)).astype(dtype)
    t = drawn_target(rng, case.target, N, T, CLASSES)
    t = t if case.target == "classes" else t.astype(dtype)
    if extra == "lengths":
        return {"x": x, "t": t, "l": LENGTHS}, np.arange(T) < LENGTHS[:, None]
    if extra == "mask":
        mask = rng.random((N, T)) < 0.5
        return {"x": x, "t": t, "m": mask}, mask
    return {"x": x, "t": t}, np.ones((N, T), bool)


def expected(case: Case, found: Mapping[str, NDArray], counts: NDArray, start: Mapping[str, NDArray]) -> Any:
    """PyTorch's value and gradients."""
    leaves = {
        name: torch.tensor(value.astype(np.float64), requires_grad=True) for name, value in start.items()
    }
    x = torch.tensor(found["x"].astype(np.float64)) @ leaves["a.kernel"] + leaves["a.bias"]
    t = torch.tensor(found["t"] if case.target == "classes" else found["t"].astype(np.float64))
    value = case.function(x[counts], t[counts])
    value.backward()
    return float(value.detach()), {name: leaf.grad.numpy() for name, leaf in leaves.items()}


@pytest.mark.parametrize("extra", ["", "mask", "lengths"])
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient(case: str, extra: str) -> None:
    net = network(spec(CASES[case], "float64", extra))
    data, counts = arrays(CASES[case], "float64", extra)
    rng = np.random.default_rng(4)
    start = {name: rng.normal(size=one.type.shape) for name, one in net.parameters.items()}
    value, slopes = expected(CASES[case], data, counts, start)
    totals = Totals(net.scores)
    for part in (slice(0, 2), slice(2, 3), slice(3, 5)):  # of partial batches
        totals.add(run(net, "loss", start, **{name: array[part] for name, array in data.items()}))
    assert totals.means()["loss"] == pytest.approx(value, rel=1e-9)
    after = run(net, "train_step", start, **data)
    for name, slope in slopes.items():
        np.testing.assert_allclose(start[name] - after[name], slope, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.alike(4)
@pytest.mark.parametrize("case", CASES)
def test_native_code(case: str) -> None:
    model = Model(load_spec_text(spec(CASES[case], "float32", "mask"), "spec.yaml"))
    session = model.compile(entries=["loss", "train_step"]).session
    data, counts = arrays(CASES[case], "float32", "mask")
    start = session.weights
    value, slopes = expected(CASES[case], data, counts, start)
    assert session.loss(**data)["loss"] == pytest.approx(value, rel=1e-4)
    assert session.train_step(**data)["loss"] == pytest.approx(value, rel=1e-4)
    for name, slope in slopes.items():
        np.testing.assert_allclose(
            start[name] - session.weights[name], slope, rtol=1e-4, atol=1e-5, err_msg=name
        )
