"""Our ONNX export as those peers like it that hold images with channels first: without transposes at its borders.

The exported model takes and gives features last, so it begins and ends with a Transpose, and has one before a Flatten.
A user of such a peer has arrays with channels first and weights for them, and would not pay for these. Networks with
layers that our export writes in parts are exported by PyTorch instead.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections import Counter
from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from netwright.onnx import export_model

from ..problem import Arrays, Problem
from . import Runner, Unsupported

#: Layers that our export writes as many operators, of which ONNX has one: a peer would not be at its best.
_IN_PARTS = {"conv_transpose2d", "up_sampling2d"}
#: The order of axes that a model's own array has, by the name of the input or output; none for those left alone.
Turns = dict[str, tuple[int, ...]]


def bare_model(problem: Problem) -> tuple[onnx.ModelProto, Turns, Turns]:
    """The model with all sizes fixed, and how its inputs and outputs are turned in comparison with ours. Raises
    Unsupported where PyTorch is needed to write it and is not installed."""
    if any(keys["type"] in _IN_PARTS for keys in problem.spec["layers"]):
        return _by_torch(problem)
    proto = export_model(problem.fixed, dict(problem.weights)).proto
    return without_turns(proto)


def bare_runner(problem: Problem, run: Callable[[onnx.ModelProto, Arrays], Runner]) -> Runner:
    """A peer's call of a problem's bare model, given how it ``run``s a model on inputs."""
    proto, given, answered = bare_model(problem)
    made = run(proto, turned(problem.inputs, given))
    answers = made.answers
    assert answers is not None
    return Runner(made.run, lambda: turned_back(answers(), answered))


def _by_torch(problem: Problem) -> tuple[onnx.ModelProto, Turns, Turns]:
    """PyTorch's export of the module that it gets itself."""
    if importlib.util.find_spec("torch") is None:
        raise Unsupported(
            "our export has this layer in parts, and PyTorch, which has it whole, is not installed"
        )
    import torch

    from .torch_module import SpecModule

    module = SpecModule(problem).eval()
    inputs = {name: problem.inputs[name] for name in module.inputs}
    given = {
        name: (0, array.ndim - 1, *range(1, array.ndim - 1))
        for name, array in inputs.items()
        if name in module.first
    }
    arguments = tuple(torch.from_numpy(array) for array in turned(inputs, given).values())
    written, outputs = io.BytesIO(), list(problem.spec["outputs"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            arguments,
            written,
            dynamo=False,
            opset_version=17,
            input_names=list(inputs),
            output_names=outputs,
        )
    with torch.inference_mode():
        axes = module(*arguments).ndim
    order = (0, axes - 1, *range(1, axes - 1))
    return (
        onnx.load_from_string(written.getvalue()),
        given,
        dict.fromkeys(outputs, order) if module.answers_first else {},
    )


def without_turns(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, Turns, Turns]:
    """The model without a Transpose that only stands between an input or output and the rest, or before a Flatten whose
    result is multiplied by constant weights: their rows are put in the other order."""
    graph = proto.graph
    _flattened(graph)
    readers = Counter(name for node in graph.node for name in node.input)
    makers = {name: node for node in graph.node for name in node.output}
    given, answered = {}, {}
    for value in graph.input:
        nodes = [node for node in graph.node if value.name in node.input]
        if len(nodes) == 1 and nodes[0].op_type == "Transpose":
            order = _order(nodes[0])
            _rename(graph, nodes[0].output[0], value.name)
            graph.node.remove(nodes[0])
            given[value.name] = _turn(value, order)
    for value in graph.output:
        node = makers.get(value.name)
        if node is None or node.op_type != "Transpose" or readers[value.name] or node not in graph.node:
            continue
        source = node.input[0]
        if readers[source] == 1 and source in makers and source not in given:
            graph.node.remove(node)
            _rename(graph, source, value.name)
            answered[value.name] = _turn(value, _inverse(_order(node)))
    onnx.checker.check_model(proto)
    return proto, given, answered


def turned(arrays: Arrays, turns: Turns) -> Arrays:
    """Arrays in the order that a bare model takes."""
    return {
        name: np.ascontiguousarray(array.transpose(turns[name])) if name in turns else array
        for name, array in arrays.items()
    }


def turned_back(arrays: Arrays, turns: Turns) -> Arrays:
    """Answers of a bare model in our order."""
    return {
        name: array.transpose(_inverse(turns[name])) if name in turns else array
        for name, array in arrays.items()
    }


def _flattened(graph: onnx.GraphProto) -> None:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    shapes = {
        value.name: _shape(value)
        for value in onnx.shape_inference.infer_shapes(_model(graph)).graph.value_info
    }
    for turn in [node for node in graph.node if node.op_type == "Transpose"]:
        readers = [node for node in graph.node if turn.output[0] in node.input]
        if [node.op_type for node in readers] != ["Flatten"] or turn.output[0] not in shapes:
            continue
        (flat,) = readers
        products = [node for node in graph.node if flat.output[0] in node.input]
        if any(node.op_type != "Gemm" or node.input[1] not in constants for node in products):
            continue
        shape = shapes[turn.output[0]][1:]
        # Position in the order of the Transpose's operand → position in ours.
        rows = np.arange(np.prod(shape)).reshape(shape)
        back = tuple(axis - 1 for axis in _inverse(_order(turn)) if axis)
        rows = rows.transpose(back).ravel()
        for node in products:
            tensor = constants[node.input[1]]
            axis = 1 if any(each.name == "transB" and each.i for each in node.attribute) else 0
            weights = np.ascontiguousarray(np.take(numpy_helper.to_array(tensor), rows, axis))
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
        flat.input[0] = turn.input[0]
        graph.node.remove(turn)


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)


def _order(node: onnx.NodeProto) -> tuple[int, ...]:
    return tuple(helper.get_attribute_value(node.attribute[0]))


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.argsort(order))


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new


def _turn(value: onnx.ValueInfoProto, order: tuple[int, ...]) -> tuple[int, ...]:
    """Declares the turned shape."""
    sizes = _shape(value)
    del value.type.tensor_type.shape.dim[:]
    for axis in order:
        value.type.tensor_type.shape.dim.add().dim_value = sizes[axis]
    return order
