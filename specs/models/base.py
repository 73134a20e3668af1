"""The base class of the spec models, and the types of names, numbers, sizes and shapes.

Numbers are strict (`"3"`, `3.0` and `true` are no integers), lists are accepted for tuples.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from ..dims import Dim, DimLike, bounds, dim_symbols, parse_dim

MAX_SIZE = 2**31 - 1
_LONGEST_DIM = 4000  # Exporters write long expressions for nested strides, but none longer than this.


class SpecModel(BaseModel):
    """Base of all spec models: unknown keys are errors, values are frozen, numbers are finite."""

    # A model is built on first use: most specs use few of them.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True, defer_build=True
    )


class FrozenDict(dict[str, str]):
    """A frozen, hashable mapping of names to names, so that a layer that holds it can be hashed like others."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


Integer = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Size = Annotated[int, Strict(), Field(ge=1, le=MAX_SIZE)]
NonNegative = Annotated[int, Strict(), Field(ge=0, le=MAX_SIZE)]
Axis = Annotated[int, Strict(), Field(ge=-8, le=7)]
Seed = Annotated[int, Strict(), Field(ge=0, le=2**63 - 1)]
Probability = Annotated[float, Strict(), Field(ge=0, lt=1)]
Positive = Annotated[float, Strict(), Field(gt=0)]
NonNegativeNumber = Annotated[float, Strict(), Field(ge=0)]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Reference = Annotated[str, StringConstraints(max_length=400)]
"""The name of a layer, an input, or one of a layer's ports: `enc`, `enc.state`."""

DType = Literal["float32", "float64", "int32", "int64", "bool", "uint8"]


def read_dim(size: int | str) -> DimLike:
    """Parses a written size, `28`, `"N"` or `"2*T"`. Raises `ValueError`."""
    if isinstance(size, int):
        return size
    if len(size) > _LONGEST_DIM:
        raise ValueError("the size is too long an expression")
    return parse_dim(size)


def read_shape(shape: tuple[int | str, ...]) -> tuple[DimLike, ...]:
    """Parses a written shape. Raises `ValueError`."""
    return tuple(read_dim(size) for size in shape)


def _check_size(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError(
            "size", "expected a size: a whole number, a dim's name, or an expression of dims"
        )
    try:
        parsed = read_dim(value)
    except ValueError as error:
        raise PydanticCustomError("size", "{reason}", {"reason": str(error)}) from None
    declared = info.context.get("dims") if info.context else None
    for symbol in sorted(dim_symbols(parsed)) if declared is not None else ():
        if declared is not None and symbol not in declared:
            raise PydanticCustomError(
                "unknown_dim", "unknown dimension {symbol}", {"symbol": symbol, "known": sorted(declared)}
            )
    high = bounds(parsed, {})[1]
    if isinstance(parsed, int) and not 1 <= parsed <= MAX_SIZE:
        raise PydanticCustomError(
            "size_range", "a size has to be at least 1, this is {size}", {"size": parsed}
        )
    if isinstance(parsed, Dim) and high is not None and high < 1:
        raise PydanticCustomError("size_range", "the size {size} is never at least 1", {"size": str(parsed)})
    return value


DimExpression = Annotated[int | str, BeforeValidator(_check_size, json_schema_input_type=int | str)]
"""A size: a whole number, a declared dim's name, or an expression such as `2*T` or `T // 2`."""


def _check_difference(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return _check_size(value, info)
    except PydanticCustomError as error:
        if error.type == "size_range":
            return value
        raise


Difference = Annotated[int | str, BeforeValidator(_check_difference, json_schema_input_type=int | str)]
"""A number of cells that may be 0 or negative: a whole number, or an expression of dims such as `H - 2*(H // 2)`."""

MOST_AXES = 8
"""How many axes a shape may have that is written."""

WrittenShape = Annotated[tuple[DimExpression, ...], Field(max_length=MOST_AXES)]


def _check_symbols(value: str) -> str:
    try:
        read_dim(value)
    except ValueError as error:
        raise PydanticCustomError("size", "{reason}", {"reason": str(error)}) from None
    return value


FreeSize = Size | Annotated[str, AfterValidator(_check_symbols)]
"""A size inside a cell, over the cell's arguments and the letters of its inputs' shapes."""


def by_name(union: Any) -> BeforeValidator:
    """Lets `tanh` stand for `{type: tanh}` in a union of models that `type` distinguishes."""
    bare = [
        model for model in get_args(union) if not any(i.is_required() for i in model.model_fields.values())
    ]
    names = tuple(model.model_fields["type"].default for model in bare)
    return BeforeValidator(_named, json_schema_input_type=Literal[names] | union)


def _named(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def is_name(written: Any) -> bool:
    """Whether a text is a valid name of a layer, dim, block, …."""
    return isinstance(written, str) and written.isascii() and written.isidentifier()


def at(field: str, kind: str, message: str, **context: Any) -> PydanticCustomError:
    """An error of a whole model that belongs to one of its keys."""
    return PydanticCustomError(kind, message, {**context, "field": field})  # type: ignore[arg-type]
