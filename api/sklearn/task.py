"""What a network is fitted for: its one input, and the one loss, which compares an output with the target."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from netwright.compiler.frontend.network import Network
from netwright.specs.models.losses import AnyComparison

from ..errors import RequestError
from ..model import Model


@dataclass(frozen=True)
class Task:
    """The input that X becomes, the target that y becomes, and the output that answers."""

    network: Network
    input: str
    loss: AnyComparison

    @property
    def target(self) -> str:
        return self.loss.target

    @property
    def output(self) -> str:
        return self.loss.output

    def input_array(self, X: NDArray) -> NDArray:
        """X as the input takes it: in its float type, and rows as images or sequences of as many numbers."""
        type = self.network.inputs[self.input]
        X = _typed(X, type.dtype, "X")
        sizes = type.shape[1:]
        if X.ndim == 2 and len(sizes) > 1 and all(isinstance(size, int) for size in sizes):
            shape = [int(size) for size in sizes if isinstance(size, int)]
            if prod(shape) != X.shape[1]:
                raise RequestError(
                    f"X has {X.shape[1]} features, {self.network.model} takes {' × '.join(map(str, shape))} = "
                    f"{prod(shape)} numbers per sample"
                )
            X = X.reshape(len(X), *shape)
        return X

    def target_array(self, y: NDArray) -> NDArray:
        """y as the target takes it: in its float type, one column as a column or as plain numbers."""
        type = self.network.targets[self.target]
        y = _typed(y, type.dtype, "y")
        single = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
        return y.reshape(-1, *[1] * (type.rank - 1)) if single and type.rank <= 2 else y


def find_task(model: Model, losses: tuple[type[Any], ...], names: str) -> Task:
    """What a model is trained for, if its loss is one of these. Raises SpecError, or RequestError for another model."""
    network, spec = model.network, model.spec
    if len(network.inputs) != 1:
        raise RequestError(f"{model.name} has the inputs {', '.join(network.inputs)}: X is a single one")
    if spec.train is None:
        raise RequestError(f"{model.name} can't be trained: the spec has no train section")
    fitting = [loss for loss in spec.train.comparisons if isinstance(loss, losses)]
    if len(fitting) != 1 or len(spec.train.losses) != 1:
        written = ", ".join(str(loss.type) for loss in spec.train.losses)
        raise RequestError(
            f"{model.name} is trained by {written}: this estimator needs a single loss, {names}"
        )
    (loss,) = fitting
    if network.outputs[loss.output].type.rank > 2:
        raise RequestError(f"{loss.output} of {model.name} has more than an answer per sample")
    return Task(network, next(iter(network.inputs)), loss)


def _typed(array: NDArray, dtype: str, name: str) -> NDArray:
    """The array in a float type. Others are compared with what the network takes when it runs."""
    wanted: Any = np.dtype(dtype)
    if wanted.kind != "f" or array.dtype == wanted:
        return array
    # Numbers that become infinite are an error that names X or y.
    with np.errstate(over="ignore", invalid="ignore"):
        return check_array(array, dtype=wanted, allow_nd=True, ensure_2d=False, input_name=name)
