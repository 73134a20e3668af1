"""Constants, and rows looked up in tables."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Axis, DimExpression, DType, Flag, at
from ..initializers import Initializer, Zeros
from .base import LayerSpec
from .key_types import Nested


class Gather(LayerSpec):
    """Slices of the first input by position along an axis. In the output, the axis is replaced by the axes of the
    positions.

    The positions are the second input, or constants under `indices`; negative positions count from the end. A position
    outside the axis is an error, for inputs at run time.
    """

    arity: ClassVar[tuple[int, int | None]] = (1, 2)

    type: Literal["gather"] = "gather"
    axis: Axis = 0
    """The axis to look up."""
    indices: Nested | None = None
    """Constant positions: a number, or lists of numbers."""


class ConstantLayer(LayerSpec):
    """Numbers that do not depend on any input: written under `value` or, with `shape`, stored with the weights.

    Statistic (or, with `trainable`, parameter): `value [shape]`.
    """

    arity: ClassVar[tuple[int, int | None]] = (0, 0)
    has_parameters: ClassVar[bool] = True

    type: Literal["constant"] = "constant"
    value: Nested | None = None
    """A number, or nested lists of numbers."""
    shape: Annotated[tuple[DimExpression, ...], Field(max_length=8)] | None = None
    """With `value`: the shape it is broadcast to. Alone: the shape of an array stored with the weights."""
    dtype: DType | None = None
    """The dtype; the model's float type by default."""
    trainable: Flag = False
    """Whether the array is learned."""
    init: Initializer = Zeros()
    """How an array stored with the weights starts."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.value is None and self.shape is None:
            raise at("type", "together", "a constant needs a value, or the shape of its array")
        if self.value is not None and self.trainable:
            raise at("trainable", "together", "a written value is not learned; leave it out, give shape")
        return self


LAYERS = (
    Gather,
    ConstantLayer,
)
