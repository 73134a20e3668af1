"""A small example of every operator that is imported, a function of the opset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .example import IMAGE, LOGITS, MATRIX, POOL, SEQUENCE, Example, X, floats, ints, weight_codes
from .opset_examples import (
    batch_norm,
    clip,
    dequantize,
    dropout,
    equal,
    group_norm,
    pad,
    quantize,
    recurrent,
    reduce_axes,
    reshape,
    resize,
    slice_,
    split,
    squeeze,
    top_k,
    unsqueeze,
    upsample,
)


def _one(
    *operands: NDArray, inputs: Sequence[int] = (0,), outputs: int = 1, **draws: Any
) -> Callable[[int], Example]:
    """The same in every opset."""
    return lambda opset: Example(list(operands), inputs, {}, draws, outputs)


def _with(
    attributes: Mapping[str, Any], *operands: NDArray, inputs: Sequence[int] = (0,), **draws: Any
) -> Any:
    return lambda opset: Example(list(operands), inputs, attributes, draws)


def _legacy(*operands: NDArray) -> Callable[[int], Example]:
    """Before opset 7 operands of other shapes need `broadcast`."""

    def example(opset: int) -> Example:
        if opset >= 7:
            return Example(operands, (0, 1))
        return Example(operands, (0, 1), {"broadcast": 1}, {"axis": [1, 0, -1], "broadcast": [1]})

    return example


def _window(*more: NDArray, **draws: Any) -> Callable[[int], Example]:
    return lambda opset: Example([IMAGE, *more], (0,), {"kernel_shape": [2, 3]}, {**POOL, **draws})


_UNARY = """Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor HardSwish Log Mish Neg Reciprocal Relu
Round Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh Identity IsNaN Shape Size"""
_BINARY = "Add Sub Mul Div Pow Less LessOrEqual Greater GreaterOrEqual"
_DOMAIN = {"Acosh": np.abs(X) + 1.1, "Acos": np.tanh(X), "Asin": np.tanh(X), "Atanh": np.tanh(X) * 0.9}
_DOMAIN |= {"Log": np.abs(X) + 0.1, "Sqrt": np.abs(X)}

EXAMPLES: dict[str, Callable[[int], Example]] = {
    **{op: _one(_DOMAIN.get(op, X)) for op in _UNARY.split()},
    **{op: _legacy(np.abs(X) if op == "Pow" else X, floats(4, 6)) for op in _BINARY.split()},
    "Equal": equal,
    **{op: _legacy(X > 0, floats(4, 6) > 0) for op in ("And", "Or", "Xor")},
    "Not": _one(X > 0),
    **{op: _one(X, floats(2, 3, 4, 6), inputs=(0, 1)) for op in ("Max", "Min", "Mean", "Sum")},
    **{
        op: reduce_axes(13 if op == "ReduceSum" else 18)
        for op in [
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceProd",
            "ReduceSum",
            "ReduceSumSquare",
        ]
    },
    "AffineGrid": _one(floats(2, 2, 3), np.array([2, 3, 4, 5]), align_corners=[1]),
    "ArgMax": _one(np.round(X), axis=[1, -1], keepdims=[0], select_last_index=[1]),
    "ArgMin": _one(np.round(X), axis=[1, -1], keepdims=[0], select_last_index=[1]),
    "AveragePool": _window(count_include_pad=[1]),
    "BatchNormalization": batch_norm,
    "Cast": _with({"to": 7}, X * 3, to=[1, 6, 7, 9, 11], saturate=[0], round_mode=["down"]),
    "CastLike": _one(X * 3, ints(0, 4, 2), saturate=[0], round_mode=["down"]),
    "Celu": _one(X, alpha=[0.3, 2.0]),
    "Clip": clip,
    "Compress": _with({"axis": 1}, X, np.array([True, False, True]), axis=[1, -2]),
    "Concat": _with({"axis": 1}, X, floats(2, 5, 4, 6), inputs=(0, 1), axis=[1, -3]),
    "Constant": lambda opset: Example(
        [], (), {"value": floats(2, 3)}, {name: value for name, value in _CONSTANTS.items() if opset >= 12}
    ),
    "ConstantOfShape": _one(np.array([2, 3]), inputs=(), value=[np.array([2.5], np.float32), np.array([3])]),
    "Conv": lambda opset: Example(
        [IMAGE, floats(6, 2, 2, 3), floats(6)], (0,), {"group": 2}, {**POOL, "group": [2, 1]}
    ),
    "ConvTranspose": lambda opset: Example(
        [IMAGE, floats(4, 3, 2, 3), floats(6)],
        (0,),
        {"group": 2, "strides": [2, 3]},
        {
            **POOL,
            "strides": [[2, 2], [3, 1]],
            "group": [2],
            "output_padding": [[1, 0], [0, 2]],
            "output_shape": [[13, 17], [15, 20]],
        },
    ),
    "CumSum": _one(X, np.array(2), exclusive=[1], reverse=[1]),
    "DepthToSpace": _with({"blocksize": 2}, IMAGE, blocksize=[2, 1], mode=["CRD", "DCR"]),
    "SpaceToDepth": _with({"blocksize": 2}, IMAGE[:, :, :6], blocksize=[2, 1], mode=["CRD", "DCR"]),
    "Dropout": dropout,
    "Einsum": _with({"equation": "nchw,cd->ndhw"}, X, floats(3, 5), equation=["nchw,cd->nd", "nchw,cd"]),
    "Elu": _one(X, alpha=[0.3, 2.0]),
    "Expand": _one(floats(3, 1, 6), np.array([2, 1, 4, 6])),
    "EyeLike": _one(MATRIX, dtype=[7, 9, 11], k=[1, -2, 9]),
    "Flatten": _one(X, axis=[0, 2, 4, -1]),
    "GRU": recurrent("GRU", 3),
    "LSTM": recurrent("LSTM", 4),
    "RNN": recurrent("RNN", 1),
    "Gather": _one(X, np.array([[0, 1], [1, -1]]), axis=[1, -1]),
    "GatherElements": _one(MATRIX, ints(0, 3, 3, 4), axis=[1, -1]),
    "GatherND": _one(X, ints(0, 2, 2, 2), inputs=(0, 1), batch_dims=[1]),
    "Gelu": _one(X, approximate=["tanh", "none"]),
    "Gemm": _with(
        {},
        floats(3, 3),
        floats(3, 3),
        floats(3),
        alpha=[0.5],
        beta=[2.0, 0.0],
        transA=[1],
        transB=[1],
        broadcast=[1],
    ),
    "GlobalAveragePool": _one(IMAGE),
    "GlobalMaxPool": _one(IMAGE),
    "GlobalLpPool": _one(IMAGE, p=[1, 3]),
    "GridSample": lambda opset: Example(
        [IMAGE, floats(2, 3, 5, 2)],
        (0, 1),
        {},
        {
            "align_corners": [1],
            "padding_mode": ["border", "reflection"],
            "mode": ["bicubic", "nearest"] if opset < 20 else ["cubic", "nearest"],
        },
    ),
    "GroupNormalization": group_norm,
    "HardSigmoid": _one(X, alpha=[0.3], beta=[0.1]),
    "Hardmax": _one(X, axis=[1, 2, 0]),
    "Softmax": _one(X, axis=[1, 2, 0]),
    "LogSoftmax": _one(X, axis=[1, 2, 0]),
    "InstanceNormalization": _one(IMAGE, floats(4), floats(4), epsilon=[0.1]),
    "IsInf": _one(
        np.array([np.inf, -np.inf, 1, np.nan], np.float32), detect_negative=[0], detect_positive=[0]
    ),
    "LRN": _with({"size": 3}, IMAGE, size=[3, 2], alpha=[0.1], beta=[0.5], bias=[2.0]),
    "LayerNormalization": _one(
        X, floats(6), floats(6), axis=[3], epsilon=[0.1], stash_type=[1, 0], outputs=3
    ),
    "RMSNormalization": _one(X, floats(6), axis=[3], epsilon=[0.1], stash_type=[1, 0]),
    "LeakyRelu": _one(X, alpha=[0.3]),
    "LpNormalization": _one(X, axis=[1, 2], p=[1]),
    "LpPool": _window(p=[1, 3]),
    "MatMul": _one(X, floats(6, 5)),
    "MaxPool": _window(storage_order=[1]),
    "MaxUnpool": _with(
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        np.array([[[[1, 2], [3, 4]]]], np.float32),
        np.array([[[[5, 7], [13, 15]]]]),
        inputs=(0, 1),
        strides=[[3, 3]],
        kernel_shape=[[3, 3]],
        pads=[[0, 0, 0, 0]],
    ),
    "MeanVarianceNormalization": _one(IMAGE, axes=[[1], [0, 1, 2, 3], [2, 3]]),
    "Mod": _with({"fmod": 1}, X * 3, np.abs(floats(4, 6)) + 1, inputs=(0, 1), fmod=[1]),
    "NegativeLogLikelihoodLoss": _one(
        LOGITS,
        ints(0, 5, 4, 3),
        np.abs(floats(5)),
        inputs=(0, 1),
        reduction=["sum", "none"],
        ignore_index=[2],
    ),
    "SoftmaxCrossEntropyLoss": _one(
        LOGITS,
        ints(0, 5, 4, 3),
        np.abs(floats(5)),
        inputs=(0, 1),
        reduction=["sum", "none"],
        ignore_index=[2],
    ),
    "NonZero": _one(np.ones(3, np.float32), inputs=()),
    "OneHot": _one(ints(-4, 4, 2, 3), np.array(4), np.array([0, 1], np.float32), axis=[0, 1]),
    "PRelu": _one(X, floats(6)),
    "Pad": pad,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": _one(X * 3, outputs=3),
    "MatMulInteger": _one(
        ints(0, 256, 3, 4).astype(np.uint8),
        ints(-128, 128, 4, 5).astype(np.int8),
        np.array(7, np.uint8),
        np.array([1, 2, 3, 4, 5], np.int8),
    ),
    "ConvInteger": lambda opset: Example(
        [
            ints(0, 256, 2, 4, 7, 6).astype(np.uint8),
            ints(0, 256, 6, 2, 2, 3).astype(np.uint8),
            np.array(7, np.uint8),
            np.array(9, np.uint8),
        ],
        (0,),
        {"group": 2},
        {**{key: one for key, one in POOL.items() if key != "ceil_mode"}, "group": [2]},
    ),
    "QLinearConv": lambda opset: Example(
        [
            ints(0, 256, 2, 4, 7, 6).astype(np.uint8),
            np.float32(0.02),
            np.uint8(9),
            weight_codes(np.int8, 6, 2, 2, 3),
            np.array([0.01, 0.02, 0.03, 0.01, 0.02, 0.03], np.float32),
            np.zeros(6, np.int8),
            np.float32(0.3),
            np.uint8(100),
            ints(-500, 500, 6).astype(np.int32),
        ],
        (0,),
        {"group": 2},
        {**{key: one for key, one in POOL.items() if key != "ceil_mode"}, "group": [2]},
    ),
    "QLinearMatMul": _one(
        ints(0, 256, 3, 4).astype(np.uint8),
        np.array(0.02, np.float32),
        np.array(9, np.uint8),
        ints(0, 256, 4, 5).astype(np.uint8),
        np.array(0.01, np.float32),
        np.array(100, np.uint8),
        np.array(0.3, np.float32),
        np.array(100, np.uint8),
    ),
    "Range": _one(np.array(1), np.array(9), np.array(2), inputs=(), stash_type=[1]),
    "Reshape": reshape,
    "Resize": resize,
    "ReverseSequence": _one(SEQUENCE, np.array([3, 5]), inputs=(0, 1), batch_axis=[1], time_axis=[0]),
    "Scatter": _one(MATRIX, ints(0, 3, 1, 4), floats(1, 4), axis=[0]),
    "ScatterElements": _one(
        MATRIX, ints(0, 3, 1, 4), floats(1, 4), axis=[0], reduction=["add", "mul", "max", "min"]
    ),
    "ScatterND": _one(MATRIX, np.array([[0], [2]]), floats(2, 4), reduction=["add", "mul", "max", "min"]),
    "Selu": _one(X, alpha=[0.3], gamma=[2.0]),
    "Shape": _one(X, start=[1, -2], end=[3, -1]),
    "Shrink": _one(X, bias=[0.2], lambd=[0.3]),
    "Slice": slice_,
    "Split": split,
    "Squeeze": squeeze,
    "Swish": _one(X, alpha=[0.3]),
    "ThresholdedRelu": _one(X, alpha=[0.3]),
    "Tile": _one(X, np.array([1, 2, 1, 2])),
    "TopK": top_k,
    "Transpose": _one(X, perm=[[0, 2, 3, 1], [3, 1, 0, 2]]),
    "Trilu": _one(X, np.array(1), upper=[0]),
    "Unsqueeze": unsqueeze,
    "Upsample": upsample,
    "Where": _one(X > 0, X, floats(4, 6), inputs=(0, 1, 2)),
}
_CONSTANTS = {"value_float": [1.5], "value_int": [3], "value_floats": [[1.5, 2.0]], "value_ints": [[3, 4]]}
