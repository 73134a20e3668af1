"""Folds batch normalization of constants, which standardized kernels are made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Refusal
from .table import Arrays, Folding, fold


@fold("BatchNormalization")
def _batch_normalization(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    given = [array for array in arrays if array is not None]
    if len(given) != 5 or not attributes.get("spatial", 1) or given[0].ndim < 2:
        return None
    x, vectors = given[0], [array.reshape(-1, *(1,) * (given[0].ndim - 2)) for array in given[1:]]
    scale, bias, mean, variance = vectors
    if any(v.shape[0] != x.shape[1] or v.dtype != x.dtype for v in vectors) or x.dtype.kind != "f":
        raise Refusal(f"statistics of {mean.shape[0]} channels for {list(x.shape)}")
    training = attributes.get("training_mode", 0) if at.opset >= 7 else not attributes.get("is_test", 0)
    if at.outputs > (3 if training and at.opset >= 14 else 1):
        return None
    momentum = x.dtype.type(attributes.get("momentum", 0.9))
    running = [mean, variance]
    if training:
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        own = x.mean(axes, keepdims=True)[0], x.var(axes, keepdims=True)[0]
        running = [old * momentum + new * (1 - momentum) for old, new in zip(running, own, strict=True)]
        mean, variance = own
    y = x - mean
    y *= scale / np.sqrt(variance + x.dtype.type(attributes.get("epsilon", 1e-5)))
    y += bias
    return [y, *(statistic.reshape(-1) for statistic in running)][: at.outputs]
