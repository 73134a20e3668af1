"""A model in float64, whose answers are what rounding in float32 is measured against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


def exact_answers(model: onnx.ModelProto, given: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """What ONNX's reference evaluation in NumPy answers where every float32 is a float64."""
    wide = {
        name: array.astype(np.float64) if array.dtype == np.float32 else array
        for name, array in given.items()
    }
    evaluator = ReferenceEvaluator(widened(model), new_ops=[BatchNormalization])
    values: Any = evaluator.run(None, wide)
    names = [str(name) for name in evaluator.output_names]
    return dict(zip(names, map(np.asarray, values), strict=True))


class BatchNormalization(OpRun):
    """By the statistics that are given, in every opset: the evaluator's own one moves them before opset 14."""

    op_domain = ""

    def _run(
        self, x: NDArray, scale: NDArray, bias: NDArray, mean: NDArray, variance: NDArray, **attributes: Any
    ) -> tuple[NDArray]:
        if attributes.get("training_mode"):
            raise ValueError("networks of the zoo are made for prediction")
        scale, bias, mean, variance = (
            one.reshape(-1, *(1,) * (x.ndim - 2)) for one in (scale, bias, mean, variance)
        )
        return ((x - mean) / np.sqrt(variance + attributes["epsilon"]) * scale + bias,)


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with float64 in place of float32: inputs, outputs, constants, and what is cast to it."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    waiting = [found.graph]
    while waiting:
        graph = waiting.pop()
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                value.type.tensor_type.elem_type = TensorProto.DOUBLE
        _widen(graph.initializer)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.DOUBLE
                if attribute.HasField("t"):
                    _widen([attribute.t])
                if attribute.HasField("g"):
                    waiting.append(attribute.g)
            if node.op_type == "Constant" and (one := node.attribute[0]).name in (
                "value_float",
                "value_floats",
            ):
                numbers = one.f if one.name == "value_float" else list(one.floats)
                one.CopyFrom(
                    onnx.helper.make_attribute(
                        "value", numpy_helper.from_array(np.asarray(numbers, np.float64))
                    )
                )
    return found


def _widen(tensors: Iterable[onnx.TensorProto]) -> None:
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
