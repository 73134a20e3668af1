"""Values of element types that the language does not have, such as int8 in quantized networks.

A computed value of such a type is held in a wider integer type with the same numbers (`HELD_AS`), and remembers its own
type. Operators that only move numbers, and those of quantized networks, accept such values. Operators that would
compute in the narrow type, where numbers wrap around, are refused. Constants may have any type until something is
computed with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .errors import Refusal
from .operands import Held, Known, Listed, Merged, Value
from .reading import Node
from .schemas import schema_of
from .tensors import DTYPES, HELD_AS

_MOVING = """Compress Concat DepthToSpace Expand Flatten Gather GatherElements GatherND Identity Max MaxPool Min Pad
Reshape ReverseSequence ScatterElements ScatterND Slice SpaceToDepth Split Squeeze Tile TopK Transpose Trilu Unsqueeze
Where"""
#: Operators that return the numbers they read.
_MOVE = frozenset(_MOVING.split())
_READING = """Cast CastLike ConvInteger DequantizeLinear DynamicQuantizeLinear Equal Greater GreaterOrEqual Less
LessOrEqual MatMulInteger QLinearAdd QLinearConv QLinearMatMul QuantizeLinear Shape Size"""
#: Operators that convert them to other numbers.
_READ = frozenset(_READING.split())


def admitted(node: Node, operands: Sequence[Value | None]) -> list[Value | None]:
    """The operands as converters take them. Raises Refusal for a type in which the operator can't compute here."""
    return [None if value is None else _admitted(node, value) for value in operands]


def _admitted(node: Node, value: Value) -> Value:
    if isinstance(value, Listed) or value.dtype in DTYPES.values():
        return value
    if node.op not in _MOVE | _READ:
        help = f": convert the model to {'float32' if 'float' in value.dtype else 'another type'}"
        raise Refusal(f"computing in {value.dtype} is not supported{help}")
    if isinstance(value, Known) and value.dtype in HELD_AS and value.array.dtype == value.dtype:
        return Known(value.array.astype(HELD_AS[value.dtype]), value.dtype, value.name)
    return value


def named(
    node: Node, operands: Sequence[Value | None], results: Sequence[Value | None], opset: int
) -> list[Value | None]:
    """The results with the type from the operator's schema: that of the operand that was moved."""
    schema = schema_of(node.op, opset)
    if schema is None or node.op not in _MOVE:
        return list(results)
    types = {
        schema.inputs[min(i, len(schema.inputs) - 1)].type_str: value.dtype
        for i, value in reversed(list(enumerate(operands)))
        if value is not None
    }
    values = []
    for position, value in enumerate(results):
        formal = schema.outputs[min(position, len(schema.outputs) - 1)]
        wanted = types.get(formal.type_str)
        if isinstance(value, Held) and wanted in HELD_AS and value.dtype == HELD_AS[wanted]:
            value = replace(value, dtype=wanted)
        elif isinstance(value, Merged) and wanted in HELD_AS:
            value = replace(value, source=replace(value.source, dtype=wanted))
        values.append(value)
    return values


def stored(value: Known) -> np.ndarray:
    """The array of a constant that becomes a layer. Raises Refusal for a type that no layer has."""
    if str(value.array.dtype) in DTYPES.values():
        return value.array
    if value.dtype in HELD_AS:
        return value.array.astype(HELD_AS[value.dtype])
    raise Refusal(f"computing in {value.dtype} is not supported")
