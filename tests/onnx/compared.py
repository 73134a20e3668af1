"""Small models imported, compiled, run, and compared with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from netwright.onnx import ImportedModel, import_model
from netwright.onnx.files import check

from .models import onnxruntime_outputs

Port = tuple[type, Sequence[int | str]]


def built(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Port],
    outputs: Sequence[str],
    constants: Mapping[str, NDArray] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A model whose inputs have element types of their own."""

    def code(dtype: type) -> int:
        return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, code(dtype), shape) for name, (dtype, shape) in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    domains = {node.domain for node in nodes} - {""}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in sorted(domains))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(imported: ImportedModel, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """What the imported model answers, by the names of the ONNX model."""
    program = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    given = {imported.inputs[name]: value for name, value in inputs.items() if name in imported.inputs}
    found = program.predict(**given)
    return {name: np.asarray(found[here]) for name, here in imported.outputs.items()}


def compare(
    model: onnx.ModelProto,
    *bindings: Mapping[str, NDArray],
    expected: Sequence[Sequence[NDArray]] | None = None,
    tolerance: float = 1e-5,
) -> ImportedModel:
    """Imports once, and runs for each of the inputs. Gives what was imported."""
    imported = import_model(model)
    program = check(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    for turn, inputs in enumerate(bindings):
        wanted = expected[turn] if expected is not None else onnxruntime_outputs(model, inputs)
        given = {imported.inputs[name]: value for name, value in inputs.items() if name in imported.inputs}
        found = program.predict(**given)
        for port, value in zip(model.graph.output, wanted, strict=True):
            ours = np.asarray(found[imported.outputs[port.name]])
            assert ours.shape == value.shape, f"{port.name}: {ours.shape}, not {value.shape}"
            exact = value.dtype.kind not in "f"
            bound = 0 if exact else tolerance
            np.testing.assert_allclose(ours, value, rtol=bound, atol=bound, err_msg=port.name)
    return imported
