"""Networks that quantize what they compute, stage by stage. One number that is rounded the other way in an early layer
changes all that follows: ONNX Runtime's own answer moves by as much when the input changes in its last bit. So each
stage is given what the runtime has there, and has to answer as it does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from netwright.onnx import import_model
from netwright.onnx.files import check as checked

from .arrays import answers, distance, session

_QUANTIZING = ("DynamicQuantizeLinear", "DynamicQuantizeLSTM")
#: What multiplies the inputs for their last bits to change.
_NUDGES = [np.float32(1 + k * 2**-23) for k in (1, 3, 5, 7)]


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether a network quantizes what it computes with scales that depend on it."""
    return any(node.op_type in _QUANTIZING for node in model.graph.node)


def moves(path: Path, given: Mapping[str, NDArray], wanted: Mapping[str, NDArray]) -> dict[str, float]:
    """How far the runtime's own answers move when the last bits of its inputs change."""
    runtime = session(path.read_bytes())
    found = dict.fromkeys(wanted, 0.0)
    for nudge in _NUDGES:
        moved = {name: array * nudge if array.dtype == np.float32 else array for name, array in given.items()}
        for name, value in answers(runtime, moved).items():
            found[name] = max(found[name], distance(value, wanted[name]))
    return found


def in_stages(model: onnx.ModelProto, given: Mapping[str, NDArray]) -> dict[str, float]:
    """How far each stage is from the runtime's answer, by what it gives."""
    cuts = _cuts(model)
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in cuts if name not in _outputs(model))
    known = answers(session(whole.SerializeToString()), given)
    parts = _cut(whole, {name: known[name] for name in cuts})
    own = {**given, **{_fed(name): known[name] for name in cuts}}
    imported = import_model(parts, name="stages", dims={})
    program = checked(imported.spec).compile(dict(imported.weights), entries=["predict"], threads=1)
    found = program.predict(**{here: own[name] for name, here in imported.inputs.items()})
    return {name: distance(np.asarray(found[imported.outputs[name]]), known[name]) for name in known}


def _outputs(model: onnx.ModelProto) -> set[str]:
    return {value.name for value in model.graph.output}


def _cuts(model: onnx.ModelProto) -> list[str]:
    """What is computed and then quantized."""
    made = {name for node in model.graph.node for name in node.output}
    read = [node.input[0] for node in model.graph.node if node.op_type in _QUANTIZING]
    return [name for name in dict.fromkeys(read) if name in made]


def _fed(name: str) -> str:
    return f"{name} as the runtime has it"


def _cut(model: onnx.ModelProto, known: Mapping[str, NDArray]) -> onnx.ModelProto:
    """The network whose every reader of ``known`` reads an input instead."""
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name in known:
                node.input[position] = _fed(name)
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(_fed(name), onnx.TensorProto.FLOAT, array.shape)
        for name, array in known.items()
    )
    return model
