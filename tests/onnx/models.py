"""ONNX models for tests: small ones written here, and the networks that the `onnx` package comes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    constants: Mapping[str, NDArray] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A model of float inputs."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def light(name: str, seed: int = 0) -> onnx.ModelProto:
    """A network of the `onnx` package with random weights in place of its constant ones."""
    found = onnx.load(LIGHT / f"light_{name}.onnx")
    generator = np.random.default_rng(seed)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.graph.initializer}
    nodes = []
    for node in found.graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape, target = tuple(shapes[node.input[0]]), node.output[0]
        if len(shape) > 1:
            array = generator.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        elif "riv" in target or "var" in target:
            array = generator.uniform(0.5, 1.5, shape)
        elif target.endswith(("_s_0", "scale_0")):
            array = generator.uniform(0.8, 1.2, shape)
        else:
            array = generator.normal(size=shape) * 0.1
        found.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), target))
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    return found


def onnxruntime_outputs(found: onnx.ModelProto, inputs: Mapping[str, NDArray]) -> list[NDArray]:
    """What ONNX Runtime answers."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(found.SerializeToString(), options)
    return [np.asarray(one) for one in session.run(None, dict(inputs))]
