"""Folds all other operators with ONNX's reference evaluator, node by node.

Only operators are evaluated whose result depends on nothing but their operands, and whose evaluation time is
proportional to the size of operands and results. All others stay in the graph, as layers that read constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.checker import ValidationError
from onnx.reference import ReferenceEvaluator

from .table import Folding

#: A node with more elements in its operands and results is computed at run time.
MAX_EVALUATED = 2**26
#: The most multiplications for a product at import time.
MAX_MULTIPLIED = 2**34
#: Operands with at most so many elements may be a shape that determines the size of a result.
_SHAPE = 64

_EVALUATED = """Acos Acosh ArgMax ArgMin Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot
BitwiseOr BitwiseXor BlackmanWindow Celu Clip Compress Cosh CumProd CumSum DFT DepthToSpace Det DynamicQuantizeLinear
Einsum Elu Erf EyeLike GatherElements GatherND Gelu Gemm HammingWindow HannWindow HardSigmoid HardSwish Hardmax
InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu LogSoftmax MatMul Mean MelWeightMatrix
Mish NonZero OneHot PRelu Pad Pow ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMean ReduceSumSquare Relu
RMSNormalization ScatterElements ScatterND Selu Shrink Sigmoid Sinh Softmax Softplus Softsign
SpaceToDepth Split Sum Swish Tan ThresholdedRelu TopK Trilu Unique"""
#: Operators that are evaluated. Others are not, because the evaluator ignores some of their attributes or is wrong
#: about some: recurrences, LpNormalization (p = 1), ReverseSequence (axes from the end).
EVALUATED = frozenset(_EVALUATED.split())
#: Operators that are evaluated only since an opset, because they had another meaning before.
_SINCE = {"Hardmax": 13, "LogSoftmax": 13, "Softmax": 13}
#: Those whose results have at most as many elements as their operands, times the number of axes.
_NO_LARGER = frozenset(("Compress", "GatherND", "NonZero", "Split", "TopK", "Unique"))
_PRODUCTS = frozenset(("Einsum", "Gemm", "MatMul"))


def evaluated(
    op: str, attributes: Mapping[str, Any], arrays: Sequence[NDArray | None], at: Folding
) -> list[NDArray] | None:
    """The results of a node of constants; None if they are left to run time."""
    if (
        op not in EVALUATED
        or at.opset < _SINCE.get(op, 1)
        or any(array is not None and array.dtype == object for array in arrays)
    ):
        return None
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(arrays)]
    results = [f"y{i}" for i in range(at.outputs)]
    given = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    try:
        node = helper.make_node(
            op, names, results, **{key: _attribute(value) for key, value in attributes.items()}
        )
    except (ValueError, TypeError):
        return None
    total = sum(array.size for array in given.values())
    if total + _elements(node, given, at.opset) > MAX_EVALUATED:
        return None
    if op in _PRODUCTS and prod(array.size for array in given.values()) > MAX_MULTIPLIED:
        return None
    graph = helper.make_graph(
        [node],
        "constant",
        [onnx.ValueInfoProto(name=name) for name in given],
        [onnx.ValueInfoProto(name=name) for name in results],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", at.opset)])
    try:
        with np.errstate(all="ignore"):
            outputs = ReferenceEvaluator(model).run(None, given)
    except Exception:  # For any error, the operator's converter says what is wrong with the node.
        return None
    if len(outputs) != at.outputs or not all(isinstance(array, np.ndarray | np.generic) for array in outputs):
        return None
    return [np.asarray(array) for array in outputs]


def _attribute(value: Any) -> Any:
    return numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value


def _elements(node: onnx.NodeProto, given: Mapping[str, NDArray], opset: int) -> int:
    """An upper limit for the number of elements in the results; more than is evaluated if it is unknown."""
    types = {
        name: helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in given.items()
    }
    data = {
        name: numpy_helper.from_array(array, name) for name, array in given.items() if array.size <= _SHAPE
    }
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    try:
        inferred = shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=[helper.make_opsetid("", opset)]
        )
    except (RuntimeError, ValueError, TypeError, ValidationError, onnx.shape_inference.InferenceError):
        return MAX_EVALUATED
    if node.op_type in _NO_LARGER:
        return sum(array.size * max(array.ndim, 1) for array in given.values())
    shapes = [info.tensor_type.shape for info in inferred.values() if info.tensor_type.HasField("shape")]
    if len(shapes) < len(node.output) or any(
        size.HasField("dim_param") for shape in shapes for size in shape.dim
    ):
        return MAX_EVALUATED
    if any(not size.HasField("dim_value") for shape in shapes for size in shape.dim):
        return MAX_EVALUATED
    return sum(prod(size.dim_value for size in shape.dim) for shape in shapes)
