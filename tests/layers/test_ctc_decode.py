"""ctc_decode against the labels that are most likely over all paths, and against a search written out."""

from __future__ import annotations

from itertools import groupby, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from netwright import Model
from netwright.specs.load import load_spec_text

from ..frontend.helpers import diagnosed, network, run

C = 4


def spec(options: str, dtype: str = "float64", lengths: bool = True) -> str:
    steps = ", lengths: n}, n: {shape: [N], dtype: int64" if lengths else ""
    return f"""netwright: 1
model: m
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, {C}], dtype: {dtype}{steps}}}}}
layers: [{{name: a, type: ctc_decode, inputs: [x]{options}}}]
outputs: {{y: a, count: a.counts, score: a.scores}}
"""


def log_softmax(x: NDArray) -> NDArray:
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def spelled(path: Any, blank: int) -> tuple[int, ...]:
    return tuple(label for label, _ in groupby(path) if label != blank)


def totals(logarithms: NDArray, blank: int) -> dict[tuple[int, ...], float]:
    """The logarithm of the probability of all labels that the steps can spell, over all paths."""
    steps, classes = logarithms.shape
    sums: dict[tuple[int, ...], float] = {}
    for path in product(range(classes), repeat=steps):
        labels = spelled(path, blank)
        own = sum(logarithms[step, label] for step, label in enumerate(path))
        sums[labels] = np.logaddexp(sums.get(labels, -np.inf), own)
    return sums


def beam_search(logarithms: NDArray, blank: int, size: int) -> tuple[tuple[int, ...], float]:
    """Prefix beam search over a mapping of prefixes to the probabilities of their two kinds of paths."""
    beam = {(): (0.0, -np.inf)}
    for scores in logarithms:
        grown: dict[tuple[int, ...], list[float]] = {}

        def add(prefix: tuple[int, ...], kind: int, value: float, grown: Any = grown) -> None:
            own = grown.setdefault(prefix, [-np.inf, -np.inf])
            own[kind] = np.logaddexp(own[kind], value)

        for prefix, (blanks, labels) in beam.items():
            both = np.logaddexp(blanks, labels)
            add(prefix, 0, both + scores[blank])
            for label in range(len(scores)):
                if label == blank:
                    continue
                repeated = bool(prefix) and prefix[-1] == label
                if repeated:
                    add(prefix, 1, labels + scores[label])
                add((*prefix, label), 1, (blanks if repeated else both) + scores[label])
        best = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))[:size]
        beam = {prefix: (own[0], own[1]) for prefix, own in best}
    prefix, own = next(iter(beam.items()))
    return prefix, float(np.logaddexp(*own))


def answers(results: dict[str, NDArray]) -> list[tuple[int, ...]]:
    for labels, count in zip(results["y"], results["count"], strict=True):
        assert (labels[count:] == -1).all()
    return [
        tuple(labels[:count].tolist()) for labels, count in zip(results["y"], results["count"], strict=True)
    ]


@pytest.mark.parametrize(("written", "blank"), [("", 0), (", blank: last", C - 1), (", blank: 1", 1)])
def test_the_most_likely_path(written: str, blank: int) -> None:
    x = np.random.default_rng(0).normal(size=(6, 9, C)) * 2
    n = np.array([9, 4, 1, 0, 7, 9])
    results = run(network(spec(written)), x=x, n=n)
    assert answers(results) == [
        spelled(own[:steps].argmax(-1).tolist(), blank) for own, steps in zip(x, n, strict=True)
    ]
    scores = [log_softmax(own[:steps]).max(-1).sum() if steps else 0 for own, steps in zip(x, n, strict=True)]
    np.testing.assert_allclose(results["score"], scores, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_has_the_most_likely_labels(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(5, 4, C))
    n = np.array([4, 4, 3, 1, 0])
    results = run(network(spec(", beam: 60")), x=x, n=n)
    for labels, score, own, steps in zip(answers(results), results["score"], x, n, strict=True):
        sums = totals(log_softmax(own[:steps]), 0) if steps else {(): 0.0}
        best = max(sums, key=lambda labels: sums[labels])
        assert labels == best
        assert score == pytest.approx(sums[best], rel=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_narrow_beam(size: int) -> None:
    x = np.random.default_rng(size).normal(size=(6, 12, C))
    n = np.array([12, 10, 7, 3, 12, 1])
    results = run(network(spec(f", blank: last, beam: {size}")), x=x, n=n)
    for labels, score, own, steps in zip(answers(results), results["score"], x, n, strict=True):
        expected = beam_search(log_softmax(own[:steps]), C - 1, size)
        assert labels == expected[0]
        assert score == pytest.approx(expected[1], rel=1e-9)


@pytest.mark.parametrize("options", ["", ", beam: 4"])
def test_native_code(options: str) -> None:
    x = (np.random.default_rng(3).normal(size=(5, 20, C)) * 2).astype("float32")
    n = np.array([20, 15, 3, 1, 0])
    text = spec(options, "float32")
    expected = run(network(text), x=x, n=n)
    results = Model(load_spec_text(text, "spec.yaml")).compile(entries=["predict"]).session.predict(x=x, n=n)
    assert answers(results) == answers(expected)
    np.testing.assert_allclose(results["score"], expected["score"], rtol=1e-5)


BROKEN = {
    "no steps": ("[N, T, 4]", "[N, 4]", "NW0309"),
    "a blank beyond the classes": ("[x]", "[x], blank: 4", "NW0204"),
    "one class": ("[N, T, 4]", "[N, T, 1]", "NW0308"),
    "no beam": ("[x]", "[x], beam: 0", "NW0204"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_refusals(case: str) -> None:
    old, new, code = BROKEN[case]
    text = spec("", lengths=False)
    assert old in text
    assert [error.code for error in diagnosed(text.replace(old, new))] == [code]
