"""Examples of operators that changed between opsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .example import IMAGE, SEQUENCE, WORDS, Example, X, floats, ints


def recurrent(op: str, gates: int, biases: int = 2) -> Callable[[int], Example]:
    def example(opset: int) -> Example:
        units, count = 4, 1
        states = 2 if op == "LSTM" else 1
        operands: list[NDArray | None] = [
            SEQUENCE,
            floats(count, gates * units, 3) / 2,
            floats(count, gates * units, units) / 2,
            floats(count, biases * gates * units),
            np.array([5, 3], np.int32),
            *[floats(count, 2, units)] * states,
        ]
        if op == "LSTM":
            operands.append(floats(count, 3 * units))
        draws = {
            "direction": ["reverse", "bidirectional"],
            "clip": [0.3, 5.0],
            "hidden_size": [4, 3],
            "layout": [1],
            "linear_before_reset": [1],
            "input_forget": [1],
            "activations": {
                "LSTM": [["Relu", "Tanh", "Softsign"], ["HardSigmoid", "Elu", "Affine"], ["Sigmoid"]],
                "GRU": [["HardSigmoid", "Softplus"], ["Sigmoid", "LeakyRelu"]],
                "RNN": [["Relu"], ["ScaledTanh"], ["ThresholdedRelu"]],
            }[op],
            "activation_alpha": [[0.3, 0.2, 0.4], [0.5]],
            "activation_beta": [[0.3], [0.1, 0.7]],
        }
        return Example(operands, (0, 4, 5), {"hidden_size": units}, draws, 1 + states)

    return example


def axes(opset: int, since: int, axes: Sequence[int], x: NDArray = X, **draws: Any) -> Example:
    """Axes as an attribute, and from an opset on as an operand."""
    if opset < since:
        return Example([x], attributes={"axes": list(axes)}, draws={"axes": [list(axes)], **draws})
    return Example([x, np.array(axes)], draws=draws)


def reduce_axes(since: int) -> Callable[[int], Example]:
    def example(opset: int) -> Example:
        return axes(opset, since, [1, -1], np.abs(X) + 0.1, keepdims=[0], noop_with_empty_axes=[1])

    return example


def slice_(opset: int) -> Example:
    if opset < 10:
        cut = {"starts": [0, 1], "ends": [2, -1], "axes": [1, 3]}
        return Example([X], attributes=cut, draws={"axes": [[0, 2]], "starts": [[1, -3]], "ends": [[3, 5]]})
    return Example([X, np.array([1, -1]), np.array([3, -100]), np.array([2, 3]), np.array([1, -2])])


def equal(opset: int) -> Example:
    if opset < 11:
        return Example([ints(0, 3, 3, 4), ints(0, 3, 4)], (0, 1))
    return Example([np.round(X), np.round(floats(4, 6))], (0, 1))


def split(opset: int) -> Example:
    draws = {"axis": [-1], "num_outputs": [2], "split": [[2, 4]]}
    if opset < 13:
        return Example([X], attributes={"axis": 3, "split": [1, 5]}, draws=draws, outputs=2)
    if opset < 18:
        return Example([X, np.array([2, 4])], attributes={"axis": 3}, draws=draws, outputs=2)
    return Example([X], attributes={"axis": 3, "num_outputs": 2}, draws=draws, outputs=2)


def pad(opset: int) -> Example:
    draws = {"mode": ["reflect", "edge", "wrap"], "value": [1.5], "pads": [[0, 0, 1, 2, 0, 0, 0, 1]]}
    if opset < 11:
        return Example([X], attributes={"pads": [0, 0, 1, 2, 0, 0, 0, 1]}, draws=draws)
    operands: list[NDArray | None] = [X, np.array([0, 0, 1, 2, 0, 0, 0, 1]), np.float32(1.5)]
    if opset >= 18:
        operands = [X, np.array([1, 2, 0, 1]), np.float32(1.5), np.array([2, 3])]
    return Example(operands, draws=draws)


def clip(opset: int) -> Example:
    draws = {"min": [-0.5], "max": [0.25]}
    return (
        Example([X], draws=draws)
        if opset < 11
        else Example([X, np.float32(-0.5), np.float32(0.25)], draws=draws)
    )


def resize(opset: int) -> Example:
    draws: dict[str, Sequence[Any]] = {
        **WORDS,
        "antialias": [1],
        "axes": [[2, 3]],
        "cubic_coeff_a": [-0.5],
        "exclude_outside": [1],
        "extrapolation_value": [2.0],
        "keep_aspect_ratio_policy": ["not_larger", "not_smaller"],
    }
    if opset < 11:
        return Example([X, np.array([1, 1, 0.5, 1.5], np.float32)], draws={"mode": ["linear"]})
    scales = np.array([1, 1, 0.75, 1.5], np.float32)
    return Example([X, None, scales], attributes={"mode": "linear"}, draws=draws)


def upsample(opset: int) -> Example:
    if opset < 9:
        return Example([X], attributes={"scales": [1.0, 1.0, 2.0, 1.5]}, draws={"mode": ["linear"]})
    return Example([X, np.array([1, 1, 2, 1.5], np.float32)], draws={"mode": ["linear"]})


def dropout(opset: int) -> Example:
    if opset < 12:
        return Example([X], attributes={"is_test": 1} if opset < 7 else {}, draws={"ratio": [0.3]})
    return Example([X, np.float32(0.3)], draws={"seed": [3]})


def batch_norm(opset: int) -> Example:
    operands = [X, floats(3), floats(3), floats(3), np.abs(floats(3)) + 0.5]
    attributes = {"is_test": 1} if opset < 7 else {}
    draws = {"epsilon": [0.1], "momentum": [0.5], "training_mode": [1], "is_test": [0], "spatial": [0]}
    return Example(operands, attributes=attributes, draws=draws)


def group_norm(opset: int) -> Example:
    count = 2 if opset < 21 else 4
    draws = {"epsilon": [0.1], "num_groups": [2, 1, 4], "stash_type": [1]}
    return Example([IMAGE, floats(count), floats(count)], attributes={"num_groups": 2}, draws=draws)


def top_k(opset: int) -> Example:
    draws = {"axis": [1, 0], "k": [2], "largest": [0], "sorted": [1]}
    if opset < 10:
        return Example([X], attributes={"k": 3}, draws=draws, outputs=2)
    return Example([X, np.array([3])], draws=draws, outputs=2)


def unsqueeze(opset: int) -> Example:
    if opset < 13:
        return Example([X], attributes={"axes": [0, 3]}, draws={"axes": [[1], [0, 5]]})
    return Example([X, np.array([0, -3])])


def squeeze(opset: int) -> Example:
    x = X[:, :1, :, :1]
    if opset < 13:
        return Example([x], attributes={"axes": [1]}, draws={"axes": [[1, 3], [3]]})
    return Example([x, np.array([1])])


def reshape(opset: int) -> Example:
    return Example([X, np.array([0, -1, 2])], draws={"allowzero": [1]})


def _scales(opset: int, dtype: type) -> list[NDArray | None]:
    """One before opset 13, then one for each cell of an axis."""
    if opset < 13:
        return [np.array(0.1, np.float32), np.array(3, dtype)]
    return [np.array([0.1, 0.2, 0.05], np.float32), np.array([0, 3, 4], dtype)]


def quantize(opset: int) -> Example:
    draws = {"axis": [-3, 2], "block_size": [2], "output_dtype": [3, 2, 5], "precision": [1], "saturate": [0]}
    return Example([X * 3, *_scales(opset, np.int8)], draws=draws)


def dequantize(opset: int) -> Example:
    codes = ints(-128, 128, 2, 3, 4).astype(np.int8)
    draws = {"axis": [-2, 2], "block_size": [2], "output_dtype": [1, 10]}
    return Example([codes, *_scales(opset, np.int8)], draws=draws)
