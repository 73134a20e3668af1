"""Types of keys that several layer families share: lists that can be written as a single value, and nested numbers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ..base import Axis, Flag, Integer, Number

LARGEST_LITERAL = 100_000


def listed(value: Any) -> Any:
    """A single value as a list of one. Lists and None stay as they are."""
    return value if isinstance(value, list | tuple) or value is None else (value,)


AXIS_LIST = (
    Field(min_length=1, max_length=8),
    BeforeValidator(listed, json_schema_input_type=int | list[int]),
)


Axes = Annotated[tuple[Axis, ...], *AXIS_LIST]
"""One axis or several."""


Integers = Annotated[tuple[Integer, ...], *AXIS_LIST]
"""One whole number or several."""


def _check_nested(value: Any) -> Any:
    """Checks that a value is a number, or nested lists of numbers with equal lengths."""
    sizes = _sizes(value, 0)
    total = 1
    for size in sizes:
        total *= size
    if total > LARGEST_LITERAL:
        raise PydanticCustomError("nested", "more numbers than belong in a spec; leave value out, give shape")
    return _frozen(value)


def _sizes(value: Any, depth: int) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        if isinstance(value, bool | int | float):
            return ()
        raise PydanticCustomError("nested", "expected numbers, in lists of equal length")
    if depth >= 8 or not value:
        raise PydanticCustomError("nested", "expected numbers, in lists of equal length")
    sizes = {_sizes(item, depth + 1) for item in value}
    if len(sizes) > 1:
        raise PydanticCustomError("nested", "the lists have different lengths")
    return (len(value), *sizes.pop())


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


Nested = Annotated[Any, BeforeValidator(_check_nested, json_schema_input_type=Flag | Number | list)]
"""A number, or nested lists of numbers."""
