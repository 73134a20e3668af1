"""What classifiers and regressors have in common: a spec, and a network that is compiled and trained by `fit`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from netwright.runtime.training.plan import EpochRecord

from ..model import Model, load, setting_lines
from ..program import EngineName, Program
from .task import Task, find_task

#: How many samples are predicted at once: memory for intermediate values grows with them.
_ROWS = 4096


class NetworkEstimator(BaseEstimator):
    """A network as an estimator.

    ``spec`` is a path, a dict, a `Model`, or None for a small network of dense layers. ``settings`` change it, as in
    `load`. ``epochs`` and ``seed`` come before the spec's own. ``threads`` and ``engine`` are those of `Model.compile`.

    Constructor arguments are only stored; the spec is read by `fit`. Pickled, an estimator holds the spec's text and
    the weights.
    """

    _default_spec: ClassVar[Path]
    _losses: ClassVar[tuple[type[Any], ...]]
    _loss_names: ClassVar[str]

    #: The fitted model, its weights by name, and the numbers of each epoch.
    model_: Model
    weights_: dict[str, NDArray]
    history_: tuple[EpochRecord, ...]

    def __init__(
        self,
        spec: str | os.PathLike[str] | Mapping[str, Any] | Model | None = None,
        *,
        settings: Mapping[str, object] | Sequence[str] | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        threads: int | None = None,
        engine: EngineName = "native",
    ):
        self.spec = spec
        self.settings = settings
        self.epochs = epochs
        self.seed = seed
        self.threads = threads
        self.engine: EngineName = engine

    @property
    def program_(self) -> Program:
        """The compiled network with the fitted weights. Raises NotFittedError before `fit`."""
        check_is_fitted(self, "weights_")
        if "_program" not in vars(self):
            self._program = self._compiled(self.model_, self.weights_)
        return self._program

    def _validated(self, X: Any, y: Any, **checks: Any) -> tuple[NDArray, NDArray]:
        """Samples and what is known of them, as arrays. Raises ValueError for what an estimator can't be fitted to."""
        checked: Any = validate_data(self, X, y, dtype="numeric", allow_nd=True, **checks)
        return checked

    def _task(self, sizes: Mapping[str, int]) -> tuple[Model, Task]:
        """The model in which each variable that it has of those called as ``sizes`` is set, and its task."""
        spec = self._default_spec if self.spec is None else self.spec
        model = spec if isinstance(spec, Model) else load(spec)
        settings = [*model.settings, *setting_lines(self.settings or ())]
        if self.seed is not None:
            settings.append(f"train.seed={self.seed}")
        settings += [f"vars.{name}={size}" for name, size in sizes.items() if model.load.node(("vars", name))]
        model = model.changed(settings)
        return model, find_task(model, self._losses, self._loss_names)

    def _train(self, model: Model, task: Task, X: NDArray, y: NDArray) -> None:
        arrays = {task.input: task.input_array(X), task.target: task.target_array(y)}
        program = self._compiled(model)
        result = program.train(arrays, epochs=self.epochs)
        self.model_, self.weights_, self.history_ = model, result.weights, result.history
        self._program = program

    def _compiled(self, model: Model, weights: dict[str, NDArray] | None = None) -> Program:
        return model.compile(weights, engine=self.engine, threads=self.threads)

    def _outputs(self, X: Any) -> NDArray:
        """The values of the output that the loss compares, for validated samples."""
        check_is_fitted(self, "weights_")
        checked: Any = validate_data(self, X, dtype="numeric", allow_nd=True, reset=False)
        task = find_task(self.model_, self._losses, self._loss_names)
        samples, program = task.input_array(checked), self.program_
        parts = [
            program.predict(**{task.input: samples[start : start + _ROWS]})[task.output]
            for start in range(0, len(samples), _ROWS)
        ]
        return np.concatenate(parts)

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_program"}
