"""The negative log-likelihood of labels, against NumPy and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, spec, values

RNG = np.random.default_rng(3)
SCORES = RNG.normal(size=(2, 4, 5))
LABELS = np.array([[0, 4, 2, 2], [1, 1, 3, 0]])
WEIGHTS = np.array([0.5, 2.0, 1.0, 0.0, 3.0])


def text(keys: str, weighted: bool = False) -> str:
    inputs = "p, k, w" if weighted else "p, k"
    layers = f"""
  - {{name: p, type: log_softmax, inputs: [x]}}
  - {{name: y, type: nll_loss, inputs: [{inputs}]{keys}}}
"""
    return spec(layers, x="[2, 4, 5]", k="[2, 4] int64", **({"w": "[5]"} if weighted else {}))


def expected(reduction: str, ignored: int | None, weights: np.ndarray | None) -> np.ndarray:
    logarithms = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))
    weight = np.ones(5) if weights is None else weights
    counts = weight[LABELS] * (ignored != LABELS)
    losses = -np.take_along_axis(logarithms, LABELS[..., None], -1)[..., 0] * counts
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / counts.sum()}[reduction]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("ignored", [None, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(reduction: str, ignored: int | None, weighted: bool) -> None:
    keys = f", reduction: {reduction}" + ("" if ignored is None else f", ignore_index: {ignored}")
    more = {"w": WEIGHTS} if weighted else {}
    found = values(text(keys, weighted), x=SCORES, k=LABELS, **more)["y"]
    np.testing.assert_allclose(found, expected(reduction, ignored, WEIGHTS if weighted else None), rtol=1e-12)


def test_an_ignored_label_need_not_be_a_class() -> None:
    labels = np.where(LABELS == 2, -100, LABELS)
    found = values(text(", ignore_index: -100"), x=SCORES, k=labels)["y"]
    np.testing.assert_allclose(found, expected("mean", 2, None), rtol=1e-12)


def test_gradients() -> None:
    check_gradients(text(", ignore_index: 2", True), x=SCORES, k=LABELS, w=WEIGHTS, wrt=["x"])


def test_what_is_refused() -> None:
    layer = "[{name: y, type: nll_loss, inputs: [x, k]}]"
    assert codes(spec(layer, x="[2, 4, 5]", k="[2, 5] int64")) == ["NW0308"]
    assert codes(spec(layer, x="[2, 4, 5]", k="[2, 4]")) == ["NW0311"]
    layer = layer.replace("x, k", "x, k, w")
    assert codes(spec(layer, x="[2, 5]", k="[2] int64", w="[4]")) == ["NW0308"]


@pytest.mark.torch
def test_numbers_are_those_of_pytorch() -> None:
    import torch

    scores, labels = torch.tensor(SCORES).movedim(-1, 1), torch.tensor(LABELS)
    for reduction in ("none", "sum", "mean"):
        loss = torch.nn.functional.cross_entropy(
            scores, labels, torch.tensor(WEIGHTS), ignore_index=0, reduction=reduction
        )
        keys = f", reduction: {reduction}, ignore_index: 0"
        found = values(text(keys, True), x=SCORES, k=LABELS, w=WEIGHTS)["y"]
        np.testing.assert_allclose(found, loss.numpy(), rtol=1e-10)
