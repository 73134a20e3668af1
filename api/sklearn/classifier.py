"""A network as a classifier of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from netwright.specs.models.losses import BinaryCrossEntropy, SoftmaxCrossEntropy

from ..errors import RequestError
from .estimator import NetworkEstimator
from .task import Task


class Classifier(ClassifierMixin, NetworkEstimator):
    """A network that tells classes apart, by the loss `softmax_cross_entropy`, or two of them by
    `binary_cross_entropy`.

    `fit` numbers the classes of y, of any type, in sorted order (``classes_``), and sets the spec's variables
    `features` and `classes`, if it has them, to the sizes of X and y. X has a row of numbers per sample, or the shape
    of the spec's input; rows become images or sequences if the input's shape is known. Other parameters:
    `NetworkEstimator`.
    """

    _default_spec = Path(__file__).with_name("classifier.yaml")
    _losses = (SoftmaxCrossEntropy, BinaryCrossEntropy)
    _loss_names = "softmax_cross_entropy or binary_cross_entropy"

    classes_: NDArray

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Compiles and trains the network on samples X `[n, features]` and their classes y `[n]`.

        Raises ValueError for X and y that don't fit each other or the spec, SpecError for a spec with errors, and what
        `Program.train` raises.
        """
        samples, labels = self._validated(X, y)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise RequestError(f"y has one class, {self.classes_[0]}: a classifier tells at least two apart")
        model, task = self._task({"features": samples.shape[-1], "classes": len(self.classes_)})
        self._check_classes(task)
        self._train(model, task, samples, numbers)
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """The most probable class of each sample `[n]`, as y had them."""
        numbers = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[numbers]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """The probability of each class `[n, classes]`, in the order of ``classes_``."""
        scores = self._outputs(X).astype(np.float64)
        if scores.ndim == 1 or scores.shape[1] == 1:
            # The softmax of two scores 0 and z is 1 − sigmoid(z) and sigmoid(z).
            scores = np.column_stack([np.zeros(len(scores)), scores])
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def _check_classes(self, task: Task) -> None:
        """Raises RequestError if the network tells another number of classes apart than y has."""
        count, shape = len(self.classes_), task.network.outputs[task.output].type.shape
        model, output = task.network.model, task.output
        if isinstance(task.loss, BinaryCrossEntropy):
            if len(shape) > 1 and shape[1] != 1:
                raise RequestError(
                    f"{output} of {model} has {shape[1]} columns: binary_cross_entropy takes one here"
                )
            if count != 2:
                raise RequestError(
                    f"{model} tells 2 classes apart by binary_cross_entropy, y has {count} classes"
                )
        elif shape[-1] != count:
            raise RequestError(
                f"{output} of {model} has {shape[-1]} columns, y has {count} classes; a spec with `vars: {{classes: "
                f"{count}}}` and `units: $classes` gets as many as there are"
            )
