"""Outputs that answer with classes: one of several, or each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.graph.types import TensorType

from .answers import SHOWN_STEPS, Answer
from .figures import check_cell, dumped, field, mapped, plain, plain_number, short, sigmoid, softmax, summary


class Classes(Answer):
    """Scores of classes along the last axis: logits, whose softmax are probabilities, or (if they are not ``logits``)
    scores as they are. ``top`` classes of a sample are shown.
    """

    def __init__(
        self, output: str, type: TensorType, names: Sequence[str], top: int, *, logits: bool, last: bool
    ):
        super().__init__(output, type, last=last)
        count = type.shape[-1]
        self._names, self._logits = tuple(names), logits
        self._top = min(top, count) if isinstance(count, int) else top
        self._rank = len(self.sizes)
        self._word, self._words = ("probability", "probabilities") if logits else ("score", "scores")

    @property
    def headings(self) -> tuple[str, ...]:
        if self._rank == 1:
            return self._titled("class", self._word, *(["next"] if self._top > 1 else []))
        return self._titled("classes", self._word) if self._rank == 2 else self._titled("classes")

    def cells(self, value: NDArray) -> tuple[str, ...]:
        scores = self._scores(value)
        if self._rank == 1:
            (name, score), *others = self._ranked(scores)
            after = ", ".join(f"{other} {short(score)}" for other, score in others)
            return (name, short(score), *([after] if self._top > 1 else []))
        best = scores.argmax(axis=-1)
        if self._rank == 2:
            names = [self._name(number) for number in best[:SHOWN_STEPS].tolist()]
            more = [f"… ({len(best)} steps)"] if len(best) > SHOWN_STEPS else []
            mean = scores.max(axis=-1).mean() if len(best) else np.nan
            return " ".join([*names, *more]), short(mean)
        numbers, counts = np.unique(best, return_counts=True)
        order = np.argsort(-counts, kind="stable")[: max(self._top, 3)]
        shares = [f"{self._name(int(numbers[i]))} {counts[i] / best.size:.1%}" for i in order.tolist()]
        return (", ".join(shares),)

    @property
    def columns(self) -> tuple[str, ...]:
        if self._rank > 1:
            return self._titled("classes", self._words)
        pairs = [("", "")] + [(f"_{i}", f"_{i}") for i in range(2, self._top + 1)]
        return self._titled(*(name for a, b in pairs for name in (f"class{a}", f"{self._word}{b}")))

    def fields(self, value: NDArray) -> tuple[str, ...]:
        scores = self._scores(value)
        if self._rank == 1:
            return tuple(text for name, score in self._ranked(scores) for text in (name, field(score)))
        check_cell(self.output, scores[..., 0])
        return tuple(dumped(part) for part in self._nested(scores).values())

    def to_json(self, value: NDArray) -> Any:
        scores = self._scores(value)
        if self._rank > 1:
            return self._nested(scores)
        (name, score), *others = self._ranked(scores)
        after = [{"class": other, self._word: plain_number(score)} for other, score in others]
        return {"class": name, self._word: plain_number(score), **({"next": after} if self._top > 1 else {})}

    def arrays(self, values: NDArray) -> dict[str, NDArray]:
        scores = self._scores(values)
        made = {f"{self.output}.class": scores.argmax(axis=-1)}
        return made | ({f"{self.output}.probability": scores} if self._logits else {})

    def _scores(self, value: NDArray) -> NDArray:
        return softmax(value) if self._logits else value

    def _ranked(self, scores: NDArray) -> list[tuple[str, Any]]:
        order = np.argsort(-scores, kind="stable")[: self._top]
        return [(self._name(number), scores[number]) for number in order.tolist()]

    def _nested(self, scores: NDArray) -> dict[str, Any]:
        best = scores.argmax(axis=-1)
        return {"classes": mapped(best.tolist(), self._name), self._words: plain(scores.max(axis=-1))}

    def _name(self, number: int) -> str:
        return self._names[number] if number < len(self._names) else str(number)


class Chances(Answer):
    """Logits of a yes each, whose sigmoid is its probability. ``names`` are those of the elements of the last axis, if
    they have some.
    """

    def __init__(self, output: str, type: TensorType, names: Sequence[str], *, last: bool):
        super().__init__(output, type, last=last)
        count = self.sizes[-1] if self.sizes else 1
        self._single = prod(size if isinstance(size, int) else 2 for size in self.sizes) == 1
        self._names = tuple(names)
        if len(self.sizes) == 1 and isinstance(count, int) and not self._single and not names:
            self._names = tuple(map(str, range(count)))

    @property
    def _listed(self) -> bool:
        return len(self.sizes) == 1 and bool(self._names) and not self._single

    @property
    def headings(self) -> tuple[str, ...]:
        return self._titled("classes" if self._listed else "probability")

    def cells(self, value: NDArray) -> tuple[str, ...]:
        chances = sigmoid(value)
        if not self._listed:
            return (short(chances.reshape(-1)[0]) if self._single else summary(chances),)
        order = [i for i in np.argsort(-chances, kind="stable").tolist() if chances[i] >= 0.5]
        return (", ".join(f"{self._names[i]} {short(chances[i])}" for i in order) or "none",)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._titled(*self._names) if self._listed else self._titled("probability")

    def fields(self, value: NDArray) -> tuple[str, ...]:
        chances = sigmoid(value)
        if self._listed or self._single:
            return tuple(map(field, chances.reshape(-1)))
        check_cell(self.output, chances)
        return (dumped(plain(chances)),)

    def to_json(self, value: NDArray) -> Any:
        chances = sigmoid(value)
        if self._single:
            return {"probability": plain_number(chances.reshape(-1)[0])}
        if self._listed:
            return {"probabilities": dict(zip(self._names, map(plain_number, chances), strict=True))}
        return {"probabilities": plain(chances)}

    def arrays(self, values: NDArray) -> dict[str, NDArray]:
        return {f"{self.output}.probability": sigmoid(values)}
