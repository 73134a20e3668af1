"""ONNX's own evaluator, the second judge: for what ONNX Runtime lacks, and for kernels of it with their own rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


class LRN(OpRun):
    """As the standard has it. The evaluator's own goes over as many channels as there are samples."""

    def _run(
        self, x: NDArray, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size: int = 1
    ) -> tuple[NDArray]:
        before, after = (size - 1) // 2, size // 2
        wide = np.pad(x**2, [(0, 0), (before, after), *[(0, 0)] * (x.ndim - 2)])
        sums = sum(wide[:, first : first + x.shape[1]] for first in range(size))
        return ((x / (bias + alpha / size * sums) ** beta).astype(x.dtype),)


class DequantizeLinear(OpRun):
    """As the standard has it for whole numbers. The evaluator has none before opset 19."""

    def _run(
        self, x: NDArray, scale: NDArray, zero: NDArray | None = None, axis: int = 1, **_: object
    ) -> tuple[NDArray]:
        rank = max(x.ndim, 1)
        along = [-1 if n == axis % rank else 1 for n in range(rank)] if scale.ndim else []
        offset = np.zeros_like(scale) if zero is None else zero.astype(scale.dtype)
        return ((x.astype(scale.dtype) - offset.reshape(along)) * scale.reshape(along),)


class GlobalMaxPool(OpRun):
    """As the standard has it. The evaluator's own knows images only."""

    def _run(self, x: NDArray) -> tuple[NDArray]:
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class Declined(Exception):
    """The evaluator can't judge this model."""


def evaluated(proto: Any, names: Sequence[str] | None, given: dict[str, NDArray]) -> list[NDArray]:
    """Values of a model by name; None for its outputs. Raises Declined."""
    ignored = {"GRU": ("activations", "clip"), "LSTM": ("activations", "clip"), "RNN": ("clip",)}
    for node in proto.graph.node:
        if any(attribute.name in ignored.get(node.op_type, ()) for attribute in node.attribute):
            raise Declined("it always takes the standard's default activations, and clips nothing")
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(proto, new_ops=[LRN, DequantizeLinear, GlobalMaxPool]).run(
                names, given
            )
    except ValueError as error:
        raise Declined("it finds no position among no cells") from error
    except RuntimeError as error:
        # A Scan that runs backwards, say, or an RNN of rarer activations.
        if not re.search("is not implemented|Unknown activation", str(error)):
            raise
        raise Declined(str(error)) from error
    return [np.asarray(one) for one in found]  # type: ignore[arg-type]


def pools_of_no_number(proto: Any, given: dict[str, NDArray]) -> bool:
    """Whether the largest cell of a pool is −∞ or NaN: ONNX Runtime starts from the lowest finite number, in single
    precision, and passes over NaN."""
    names = [node.output[0] for node in proto.graph.node if node.op_type in ("MaxPool", "GlobalMaxPool")]
    try:
        return bool(names) and not all(np.isfinite(one).all() for one in evaluated(proto, names, given))
    except Declined:
        return False


def softplus_overflows(proto: Any, answers: Mapping[str, NDArray]) -> bool:
    """Whether an answer is no number, and may be so since ONNX Runtime's recurrences compute log(1 + exp(x)) as it is
    written."""
    functions = {
        name.lower()
        for node in proto.graph.node
        for attribute in node.attribute
        if attribute.name == "activations"
        for name in (text.decode() for text in attribute.strings)
    }
    return "softplus" in functions and not all(
        np.isfinite(array).all() for array in answers.values() if array.dtype.kind == "f"
    )
