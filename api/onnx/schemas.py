"""ONNX's own schemas: for each operator and opset the attributes and operands, with their types.

They are checked before anything else looks at a node, so that converters can rely on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import onnx.defs
from numpy import ndarray
from onnx import TensorProto, helper
from onnx.defs import OpSchema

from .errors import Refusal
from .reading import Node, Subgraph, UnreadableTensor

_KINDS = OpSchema.AttrType
#: The values for each type of attribute. No operator with attributes of other types is supported.
_VALUES: dict[Any, type | tuple[type, ...]] = {
    _KINDS.FLOAT: float,
    _KINDS.INT: int,
    _KINDS.STRING: str,
    _KINDS.TENSOR: (ndarray, UnreadableTensor),
    _KINDS.GRAPH: Subgraph,
    _KINDS.FLOATS: tuple,
    _KINDS.INTS: tuple,
    _KINDS.STRINGS: tuple,
}
_ELEMENTS: dict[Any, type] = {_KINDS.FLOATS: float, _KINDS.INTS: int, _KINDS.STRINGS: str}
#: ONNX's names for element types, if NumPy's differ.
_TYPES = {
    str(helper.tensor_dtype_to_np_dtype(code)): f"tensor({name.lower()})"
    for name, code in TensorProto.DataType.items()
    if name.startswith(("FLOAT", "DOUBLE"))
}
_DTYPES = {kind: name for name, kind in _TYPES.items()} | {
    f"tensor({name})": name for name in ("bool", "int32", "int64")
}


@lru_cache(maxsize=4096)
def schema_of(op: str, opset: int) -> OpSchema | None:
    """The operator in an opset."""
    try:
        return onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return None


def means_the_same(op: str, opset: int, since: int) -> bool:
    """Whether an operator is at least as new as the one in opset ``since``."""
    here, there = schema_of(op, opset), schema_of(op, since)
    return here is not None and (there is None or here.since_version >= there.since_version)


def check_node(node: Node, dtypes: Sequence[str | None], opset: int) -> None:
    """Raises Refusal for anything that the operator does not have in this opset. ``dtypes`` are the operands' types,
    None for operands that are left out.
    """
    schema = schema_of(node.op, opset)
    if schema is None:
        return
    if schema.deprecated:
        raise Refusal(f"opset {opset} no longer has this operator")
    _check_attributes(node.attributes, schema, opset)
    given = len(dtypes)
    while given and dtypes[given - 1] is None:
        given -= 1
    if not schema.min_input <= given <= schema.max_input:
        least, most = schema.min_input, schema.max_input
        needed = (
            str(least) if least == most else f"{least} to {most}" if most < 2**31 - 1 else f"at least {least}"
        )
        raise Refusal(f"{counted(given, 'operand')}, {needed} {'is' if needed == '1' else 'are'} needed")
    if len(node.outputs) > schema.max_output:
        raise Refusal(f"{counted(len(node.outputs), 'output')}, there can be {schema.max_output}")
    _check_types(dtypes, schema)


def result_type(op: str, opset: int, dtypes: Sequence[str | None]) -> str | None:
    """The element type of an operator's first result, if it follows from the operands' types (None for unknown
    ones).
    """
    schema = schema_of(op, opset)
    if schema is None or not schema.outputs or not schema.inputs:
        return None
    wanted = schema.outputs[0].type_str
    formals = [schema.inputs[min(place, len(schema.inputs) - 1)] for place in range(len(dtypes))]
    same = (own for formal, own in zip(formals, dtypes, strict=True) if formal.type_str == wanted and own)
    return next(same, _DTYPES.get(wanted))


def counted(number: int, noun: str) -> str:
    """`there is 1 operand`, `there are 3 operands`."""
    return f"there is 1 {noun}" if number == 1 else f"there are {number} {noun}s"


#: The whole numbers that are truth values; ONNX does not define the meaning of others.
_FLAGS = """align_corners allowzero antialias broadcast ceil_mode count_include_pad detect_negative detect_positive
exclude_outside exclusive fmod input_forget is_test keepdims largest layout linear_before_reset noop_with_empty_axes
reverse saturate select_last_index sorted spatial storage_order training_mode transA transB upper"""
FLAGS = frozenset(_FLAGS.split())


def _check_attributes(attributes: Mapping[str, Any], schema: OpSchema, opset: int) -> None:
    for name, value in attributes.items():
        known = schema.attributes.get(name)
        if known is None:
            raise Refusal(f"is not one of {schema.name} in opset {opset}", name)
        expected = _VALUES.get(known.type)
        element = _ELEMENTS.get(known.type)
        right = expected is not None and isinstance(value, expected)
        if not right or (element is not None and not all(isinstance(item, element) for item in value)):
            if isinstance(value, UnreadableTensor):
                raise Refusal(value.reason, name)
            raise Refusal(f"is of another type than {_name(known.type)}", name)
        if name in FLAGS and value not in (0, 1):
            raise Refusal(f"is 0 or 1, not {value}", name)
    for name, known in schema.attributes.items():
        if known.required and name not in attributes:
            raise Refusal("is missing", name)


def _name(kind: Any) -> str:
    """ONNX's name for a type of attributes."""
    return kind.name


def _type(dtype: str) -> str:
    """ONNX's name for the type of a tensor, or of a sequence of tensors."""
    if dtype.startswith("seq("):
        return f"seq({_type(dtype[4:-1])})"
    return _TYPES.get(dtype, f"tensor({dtype})")


def _check_types(dtypes: Sequence[str | None], schema: OpSchema) -> None:
    allowed = {entry.type_param_str: set(entry.allowed_type_strs) for entry in schema.type_constraints}
    bound: dict[str, str] = {}
    for position, dtype in enumerate(dtypes):
        formal = schema.inputs[min(position, len(schema.inputs) - 1)]
        if dtype is None:
            continue
        written = _type(dtype)
        if written not in allowed.get(formal.type_str, {formal.type_str}):
            raise Refusal(f"operand {position} can't be {dtype}")
        shared = formal.type_str in allowed and formal.is_homogeneous
        if shared and bound.setdefault(formal.type_str, dtype) != dtype:
            raise Refusal(f"the operands are {bound[formal.type_str]} and {dtype}")
