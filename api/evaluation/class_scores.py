"""How often each class is answered and meant: confusion matrices and scores per class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.build import bounded_network, class_graph
from netwright.compiler.frontend.training.answered import ANSWERED, COUNTS, MEANT
from netwright.runtime.batches import read_ahead
from netwright.runtime.data.class_names import ClassNames
from netwright.runtime.data.samples import Samples
from netwright.runtime.engines.engine import Engine
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.feeding import plain_batches
from netwright.specs.models.losses import BY_CLASS, MultiClassHinge, SoftmaxCrossEntropy

from ..build import build, reference
from ..data.needs import wanted
from ..errors import RequestError
from ..model import Model
from ..program import EngineName

#: A matrix of more classes would need more memory than the network.
MOST_CONFUSED = 1000
_ENTRY = "classes"


@dataclass(frozen=True)
class ClassScores:
    """The counts ``[classes]`` of an output's answers: how often each class was right, was answered, and was meant (its
    support). ``confusion[i, j]`` counts how often j was answered where i was meant; None for more than 1000 classes.
    """

    output: str
    target: str
    names: tuple[str, ...]
    right: NDArray[np.int64]
    answered: NDArray[np.int64]
    meant: NDArray[np.int64]
    confusion: NDArray[np.int64] | None

    @cached_property
    def precision(self) -> NDArray[np.float64]:
        """right / answered, 0 for a class that is never answered."""
        return self.right / np.maximum(self.answered, 1)

    @cached_property
    def recall(self) -> NDArray[np.float64]:
        """right / meant, 0 for a class that is never meant."""
        return self.right / np.maximum(self.meant, 1)

    @cached_property
    def f1(self) -> NDArray[np.float64]:
        """2·right / (answered + meant), 0 for a class that does not occur."""
        return 2 * self.right / np.maximum(self.answered + self.meant, 1)

    @property
    def means(self) -> dict[str, float]:
        """The mean of each score over the classes that occur in targets or answers, as the metrics with `average:
        macro`; NaN if nothing was counted.
        """
        occurs = self.answered + self.meant > 0
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {
            name: float(score[occurs].mean()) if occurs.any() else np.nan for name, score in scores.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The scores of each class, their means, and the matrix."""
        rows = zip(
            self.names,
            self.precision.tolist(),
            self.recall.tolist(),
            self.f1.tolist(),
            self.meant.tolist(),
            strict=True,
        )
        keys = ("class", "precision", "recall", "f1", "support")
        means = {name: None if np.isnan(mean) else mean for name, mean in self.means.items()}
        return {
            "output": self.output,
            "target": self.target,
            "classes": [dict(zip(keys, row, strict=True)) for row in rows],
            "mean": means,
            "confusion": None if self.confusion is None else self.confusion.tolist(),
        }


class ClassCounter:
    """Counts the answers of the outputs of ``model`` that answer with classes. ``weights`` are arrays by name, ``kept``
    the names of classes that belong to them.

    Raises RequestError if no output answers with classes.
    """

    def __init__(
        self,
        model: Model,
        weights: Mapping[str, NDArray],
        kept: ClassNames,
        *,
        engine: EngineName = "native",
        threads: int | None = None,
        pin: bool = False,
    ):
        train = model.spec.train
        losses = train.losses if train is not None else ()
        self._losses = {number: loss for number, loss in enumerate(losses) if isinstance(loss, BY_CLASS)}
        if not self._losses:
            raise RequestError(
                f"no output of {model.name} answers with classes: its loss would be softmax_cross_entropy or "
                "multi_class_hinge"
            )
        self._network, self._kept = model.network, kept
        self._names = wanted(model.load, model.network).knowing(kept).classes
        running = bounded_network(model.load, model.network)
        graphs = {_ENTRY: class_graph(model.load, running)}
        made: Engine
        if engine == "reference":
            made = reference(running, graphs)
        else:
            made = build(running, graphs, named_target("native")).engine(threads, pin)
        known = {buffer.name for buffer in made.manifest.buffers}
        idle = {name: array for name, array in weights.items() if name not in known}
        self._session = Session(made, {n: array for n, array in weights.items() if n in known}, idle)

    def count(self, data: Samples, batch_size: int, *, group_by_length: bool = False) -> list[ClassScores]:
        """The counts over a data set that fits the model, one per loss by classes. Raises DataError."""
        counts = {number: _Counts(self._size(loss.output)) for number, loss in self._losses.items()}
        made = plain_batches(self._session, data, batch_size, group_by_length, entry=_ENTRY)
        with read_ahead(made.epoch(0), made.ahead) as batches:
            for batch in batches:
                outputs = self._session.run(_ENTRY, batch.arrays)
                for number, count in counts.items():
                    count.add(
                        outputs[f"{ANSWERED}.{number}"],
                        outputs[f"{MEANT}.{number}"],
                        outputs.get(f"{COUNTS}.{number}"),
                    )
        return [
            count.scores(loss, self._named(loss))
            for loss, count in zip(self._losses.values(), counts.values(), strict=True)
        ]

    def _size(self, output: str) -> int:
        size = self._network.outputs[output].type.shape[-1]
        if not isinstance(size, int):
            raise RequestError(
                f"{output} has an open number of classes, {size}: settle it with --set dims.{size}=…"
            )
        return size

    def _named(self, loss: SoftmaxCrossEntropy | MultiClassHinge) -> tuple[str, ...]:
        labels = self._network.outputs[loss.output].labels
        names = labels or self._names.get(loss.target) or self._kept.get(loss.target) or ()
        return (*names, *map(str, range(len(names), self._size(loss.output))))


class _Counts:
    def __init__(self, classes: int):
        self._classes = classes
        self._right, self._answered, self._meant = (np.zeros(classes, np.int64) for _ in range(3))
        small = classes <= MOST_CONFUSED
        self._confusion = np.zeros((classes, classes), np.int64) if small else None

    def add(self, answered: NDArray, meant: NDArray, counts: NDArray | None) -> None:
        if counts is not None:
            counting = counts.reshape(counts.shape + (1,) * (answered.ndim - counts.ndim))
            where = np.broadcast_to(counting, answered.shape)
            answered, meant = answered[where], meant[where]
        answered, meant, size = answered.reshape(-1), meant.reshape(-1), self._classes
        self._right += np.bincount(meant[answered == meant], minlength=size)
        self._answered += np.bincount(answered, minlength=size)
        self._meant += np.bincount(meant, minlength=size)
        if self._confusion is not None:
            pairs = np.bincount(meant * size + answered, minlength=size * size)
            self._confusion += pairs.reshape(size, size)

    def scores(self, loss: SoftmaxCrossEntropy | MultiClassHinge, names: tuple[str, ...]) -> ClassScores:
        return ClassScores(
            loss.output, loss.target, names, self._right, self._answered, self._meant, self._confusion
        )
