"""A network as a regressor of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from netwright.specs.models.losses import Huber, LogCosh, MeanAbsoluteError, MeanSquaredError, Poisson

from .estimator import NetworkEstimator
from .task import find_task


class Regressor(RegressorMixin, NetworkEstimator):
    """A network that predicts numbers, by the loss `mse`, `mae`, `huber`, `log_cosh` or `poisson`.

    `fit` sets the spec's variables `features` and `targets`, if it has them, to the numbers of columns of X and y. X
    has a row of numbers per sample, or the shape of the spec's input; rows become images or sequences if the input's
    shape is known. y is not scaled: `sklearn.compose.TransformedTargetRegressor` does that. Other parameters:
    `NetworkEstimator`.
    """

    _default_spec = Path(__file__).with_name("regressor.yaml")
    _losses = (MeanSquaredError, MeanAbsoluteError, Huber, LogCosh, Poisson)
    _loss_names = "mse, mae, huber, log_cosh or poisson"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Compiles and trains the network on samples X `[n, features]` and numbers y, `[n]` or `[n, targets]`.

        Raises ValueError for X and y that don't fit each other or the spec, SpecError for a spec with errors, and what
        `Program.train` raises.
        """
        samples, numbers = self._validated(X, y, multi_output=True, y_numeric=True)
        targets = 1 if numbers.ndim == 1 else numbers.shape[1]
        model, task = self._task({"features": samples.shape[-1], "targets": targets})
        self._train(model, task, samples, numbers)
        self.n_outputs_, self._is_column = targets, numbers.ndim == 1
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.floating]:
        """The number or numbers of each sample, in the shape that y had."""
        values = self._outputs(X)
        if isinstance(find_task(self.model_, self._losses, self._loss_names).loss, Poisson):
            values = np.exp(values)
        return values.reshape(len(values)) if self._is_column else values.reshape(len(values), -1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
