"""ONNX models for tests: small ones written here, and the networks that the `onnx` package comes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from netwright.onnx import ImportedModel, import_model
from netwright.onnx.files import check

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


#: The networks that the package comes with.
NETWORKS = tuple(sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("light_*.onnx")))


def ports(found: onnx.ModelProto) -> list[tuple[str, list[int]]]:
    """The inputs of a model that have no value yet, with their shapes."""
    constant = {tensor.name for tensor in found.graph.initializer}
    return [
        (value.name, [size.dim_value for size in value.type.tensor_type.shape.dim])
        for value in found.graph.input
        if value.name not in constant
    ]


def light(name: str, seed: int = 0, *, scores: bool = False) -> onnx.ModelProto:
    """A network of the `onnx` package with random weights in place of its constant ones.

    ``scores`` takes the softmax off its end, behind which the differences of large scores can't be seen.
    """
    found = onnx.load(LIGHT / f"light_{name}.onnx")
    if scores and found.graph.node[-1].op_type == "Softmax":
        found.graph.output[0].name = found.graph.node[-1].input[0]
        found.graph.output[0].type.tensor_type.ClearField("shape")
        del found.graph.node[-1]
    generator = np.random.default_rng(seed)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.graph.initializer}
    nodes = []
    for node in found.graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape, target = tuple(shapes[node.input[0]]), node.output[0]
        if len(shape) > 1:
            array = generator.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))  # He et al., 2015
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


def onnxruntime_outputs(
    found: onnx.ModelProto, inputs: Mapping[str, NDArray], *, as_written: bool = False
) -> list[NDArray]:
    """What ONNX Runtime answers, with or (``as_written``) without the rewrites that it makes by default."""
    options = onnxruntime.SessionOptions()
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(found.SerializeToString(), options)
    return [np.asarray(one) for one in session.run(None, dict(inputs))]


def agrees(
    found: onnx.ModelProto,
    *bindings: Mapping[str, Sequence[int]],
    shift: float = 0.0,
    tolerance: float = 1e-4,
) -> ImportedModel:
    """Imports a model, compiles it, and compares it with ONNX Runtime for inputs of the given shapes."""
    imported = import_model(found, name="network")
    program = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    names = [one.name for one in found.graph.output]
    for turn, shapes in enumerate(bindings):
        generator = np.random.default_rng(turn)
        given = {
            name: np.asarray(generator.normal(size=shape) + shift).astype(np.float32)
            for name, shape in shapes.items()
        }
        results = program.predict(**{imported.inputs[name]: array for name, array in given.items()})
        for name, wanted in zip(names, onnxruntime_outputs(found, given), strict=True):
            own = np.asarray(results[imported.outputs[name]])
            assert own.shape == wanted.shape, name
            scale = max(1e-30, float(np.sqrt(np.mean(np.square(wanted.astype(np.float64))))))
            assert np.abs(own - wanted).max(initial=0) <= tolerance * scale, name
    return imported
