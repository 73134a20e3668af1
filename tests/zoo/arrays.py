"""What a model of the zoo is fed with, and what ONNX Runtime answers to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from .entries import Entry

#: The sizes of an open axis that the entry does not know, at the two bindings.
_DEFAULT = (2, 3)


def inputs(model: onnx.ModelProto, entry: Entry, turn: int) -> dict[str, NDArray]:
    """Arrays for all inputs of a model, of the first or the second sizes of what is open."""
    random = np.random.default_rng(turn)
    constants = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, NDArray] = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        shape = [_size(entry, value.name, axis, dim, turn) for axis, dim in enumerate(tensor.shape.dim)]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if value.name in entry.inputs:
            found[value.name] = np.full(shape, entry.inputs[value.name], dtype)
        elif entry.word:
            found[value.name] = (_written(shape) + 0.02 * random.standard_normal(shape)).astype(dtype)
        elif dtype.kind == "f":
            found[value.name] = (entry.scale * random.standard_normal(shape)).astype(dtype)
        else:
            found[value.name] = random.integers(0, entry.highest, shape).astype(dtype)
    return found


#: Letters of 5 × 7 points, a number a row.
_LETTERS = {"H": (17, 17, 17, 31, 17, 17, 17), "E": (31, 16, 16, 30, 16, 16, 31), "L": (16,) * 6 + (31,)}
_LETTERS["O"] = (14, 17, 17, 17, 17, 17, 14)
_POINT = 3


def _written(shape: list[int]) -> NDArray:
    """As much of a word as fits, black on white, from 1 to −1."""
    height, width = shape[-2:]
    points = [
        [_LETTERS[one][line] >> bit & 1 for one in "HELLO" for bit in (4, 3, 2, 1, 0, 5)] for line in range(7)
    ]
    black = np.kron(np.array(points), np.ones((_POINT, _POINT)))[:, : width - 4]
    page, top = np.ones((height, width)), (height - 7 * _POINT) // 2
    page[top : top + black.shape[0], 4 : 4 + black.shape[1]] -= 2 * black
    return np.broadcast_to(page, shape)


def _size(entry: Entry, name: str, axis: int, dim: Any, turn: int) -> int:
    if dim.dim_value > 0:
        return dim.dim_value
    sizes = entry.sizes.get(f"{name}:{axis}") or entry.sizes.get(dim.dim_param) or _DEFAULT
    return sizes[turn]


def session(model: bytes, *, optimized: bool = False) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread; as the reference without its own rewrites."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options)


def answers(session: onnxruntime.InferenceSession, given: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """ONNX Runtime's outputs by name."""
    names = [output.name for output in session.get_outputs()]
    return {
        name: np.asarray(value) for name, value in zip(names, session.run(names, dict(given)), strict=True)
    }


def distance(found: NDArray, wanted: NDArray) -> float:
    """The largest difference beside the root mean square of what is wanted; infinite where either is no number."""
    if not wanted.size:
        return 0.0
    wide, apart = wanted.astype(np.float64), found.astype(np.float64) - wanted.astype(np.float64)
    error = float(np.abs(apart).max() / max(1e-30, np.sqrt(np.mean(np.square(wide)))))
    return error if np.isfinite(error) else float("inf")
