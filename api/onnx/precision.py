"""Finds the float type that a model computes in. Inputs, outputs or weights of another type are cast."""

from __future__ import annotations

import onnx

from .reading import OnnxGraph
from .schemas import result_type

_FLOATS = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64"}
#: Operators whose second operand is a weight, which has the type of the first.
_WEIGHING = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "BatchNormalization"))
#: Operators that become layers, which compute in the network's type; arithmetic may be that of sizes and positions.
_LAYERS = frozenset(
    (
        *("MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"),
        *("InstanceNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "LRN"),
        *("LpNormalization", "MeanVarianceNormalization", "Softmax", "LogSoftmax", "PRelu"),
    )
)


def float_type(graph: OnnxGraph) -> str:
    """The float type of the operands that weights are applied to; without any, that of most layers, of most operators,
    or of the inputs.
    """
    types = {port.name: port.dtype for port in graph.inputs}
    types |= graph.constants.dtypes()
    weighing, layers, others = (dict.fromkeys(_FLOATS.values(), 0) for _ in range(3))
    for node in graph.nodes:
        if node.op == "Cast":
            dtype = _FLOATS.get(node.attributes.get("to", 0))
        elif node.op == "Constant" and "value" in node.attributes:
            dtype = str(getattr(node.attributes["value"], "dtype", ""))
        else:
            dtype = result_type(node.op, graph.opset, [types.get(name) for name in node.inputs])
            if dtype in others:
                others[dtype] += 1
                weighing[dtype] += node.op in _WEIGHING
                layers[dtype] += node.op in _LAYERS
        if dtype is not None:
            types.update(dict.fromkeys(node.outputs, dtype))
    for counts in (weighing, layers, others):
        if any(counts.values()):
            return max(counts, key=lambda dtype: counts[dtype])
    given = [port.dtype for port in graph.inputs] + [*graph.constants.dtypes().values()]
    return next((dtype for dtype in given if dtype in others), "float32")
