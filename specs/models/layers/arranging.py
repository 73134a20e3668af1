"""Layers that pick, move, repeat and pad cells, and constants: what stands where, never what it is.

They work on whole tensors: axes count from the batch on, or with −1 from the last.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ..base import Axis, Difference, DimExpression, DType, Flag, Integer, Number, Size, at
from ..initializers import Initializer, Zeros
from .base import LayerSpec
from .values import Axes, Integers, Nested, listed

Bound = Integer | DimExpression
Bounds = Annotated[
    tuple[Bound | None, ...],
    Field(min_length=1, max_length=8),
    BeforeValidator(
        lambda value: (None,) if value is None else listed(value),
        json_schema_input_type=Bound | None | list[Bound | None],
    ),
]


class Transpose(LayerSpec):
    """The axes in another order: axis i of the output is axis `permutation[i]` of the input."""

    type: Literal["transpose"] = "transpose"
    permutation: Annotated[tuple[Axis, ...], Field(min_length=1, max_length=8)]
    """The order, batch included: `[0, 2, 1]`."""


class Slice(LayerSpec):
    """Cells from `starts` to before `stops`, every `steps`, as Python slices: negative ones count from the end,
    what lies outside is cut off. That no cells of a known axis remain is an error; what remains of an open one may be
    empty for some sizes.
    """

    type: Literal["slice"] = "slice"
    axes: Axes
    """The axis or axes that are cut."""
    starts: Bounds = (None,)
    """Where to start on each axis; null is the first cell (the last where the step is negative)."""
    stops: Bounds = (None,)
    """Where to stop on each axis; null is past the last cell."""
    steps: Integers = (1,)
    """The step on each axis; negative ones run backwards."""

    @model_validator(mode="before")
    @classmethod
    def _one_for_all(cls, data: Any) -> Any:
        """A bound that is left out is left out on every axis."""
        if not isinstance(data, dict) or not isinstance(data.get("axes"), list | tuple):
            return data
        count = len(data["axes"])
        rest = {"starts": None, "stops": None, "steps": 1}
        return {**{key: [value] * count for key, value in rest.items()}, **data}

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        for key in ("starts", "stops", "steps"):
            if len(getattr(self, key)) != len(self.axes):
                count = len(self.axes)
                raise at(key, "together", "expected one value for each of the {count} axes", count=count)
        if 0 in self.steps:
            raise at("steps", "together", "a step can't be 0")
        return self


class Split(LayerSpec):
    """Cuts an axis into parts, one after the other: ports `0`, `1`, …; the output itself is the first part."""

    type: Literal["split"] = "split"
    axis: Axis = -1
    """The axis that is cut."""
    parts: Annotated[Size, Field(le=1000)] | None = None
    """How many equal parts; the last is smaller where they do not divide the axis."""
    sizes: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=1000)] | None = None
    """The size of each part."""

    def ports(self) -> tuple[str, ...]:
        count = len(self.sizes) if self.sizes is not None else self.parts or 0
        return tuple(map(str, range(count)))

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.parts is None) == (self.sizes is None):
            raise at("type", "together", "split takes parts or sizes")
        return self


class PadLayer(LayerSpec):
    """Cells around the input. Negative numbers cut cells off; a number may follow from open sizes, `[0, T - 8*(T//8)]`,
    and be one or the other."""

    type: Literal["pad"] = "pad"
    padding: Annotated[tuple[tuple[Difference, Difference], ...], Field(min_length=1, max_length=8)]
    """[[low, high], …] for each axis, or for each of `axes`."""
    axes: Axes | None = None
    """The axes that are padded; all when left out."""
    mode: Literal["constant", "reflect", "symmetric", "edge", "wrap"] = "constant"
    """constant: `value`; reflect: the cells mirrored about the border cell; symmetric: about the border;
    edge: the border cell; wrap: from the other side."""
    value: Number | Flag = 0.0
    """What is in the new cells."""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.axes is not None and len(self.axes) != len(self.padding):
            raise at("padding", "together", "expected one pair for each of the axes")
        return self


class Tile(LayerSpec):
    """The input repeated as a whole along each axis."""

    type: Literal["tile"] = "tile"
    repeats: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=8)]
    """How often on each axis, batch included."""


class BroadcastTo(LayerSpec):
    """The input stretched to a shape by NumPy's rule; axes of size 1 in `shape` keep the input's size."""

    type: Literal["broadcast_to"] = "broadcast_to"
    shape: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=8)]
    """The shape, batch included."""


class Gather(LayerSpec):
    """Slices of the first input by position along an axis: the indices' shape takes the axis' place.

    The positions are the second input, or constants under `indices`; negative ones count from the end. One
    outside the axis is an error, for inputs at run time.
    """

    arity: ClassVar[tuple[int, int | None]] = (1, 2)

    type: Literal["gather"] = "gather"
    axis: Axis = 0
    """The axis that is looked up."""
    indices: Nested | None = None
    """Constant positions: a number, or lists of numbers."""


class ConstantLayer(LayerSpec):
    """Numbers that come from no input: written under `value`, or with `shape` kept with the weights.

    Statistic (or, with `trainable`, parameter): `value [shape]`.
    """

    arity: ClassVar[tuple[int, int | None]] = (0, 0)
    has_parameters: ClassVar[bool] = True

    type: Literal["constant"] = "constant"
    value: Nested | None = None
    """A number, or nested lists of numbers."""
    shape: Annotated[tuple[DimExpression, ...], Field(max_length=8)] | None = None
    """With `value`: the shape it is broadcast to. Alone: the shape of an array kept with the weights."""
    dtype: DType | None = None
    """The dtype; the model's float type when left out."""
    trainable: Flag = False
    """Whether the array is learned."""
    init: Initializer = Zeros()
    """How an array kept with the weights starts."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.value is None and self.shape is None:
            raise at("type", "together", "a constant needs a value, or the shape of its array")
        if self.value is not None and self.trainable:
            raise at("trainable", "together", "a written value is not learned; leave it out, give shape")
        return self


class DepthToSpace(LayerSpec):
    """Channels become space: `[N, H, W, b*b*C]` gives `[N, b*H, b*W, C]`, for any number of spatial axes."""

    type: Literal["depth_to_space"] = "depth_to_space"
    block_size: Size
    """How many cells along each spatial axis a channel block becomes."""
    mode: Literal["dcr", "crd"] = "dcr"
    """The order within the channels: dcr (block row, block column, channel) or crd (channel first, as
    PyTorch's pixel_shuffle)."""


class SpaceToDepth(LayerSpec):
    """Space becomes channels: `[N, b*H, b*W, C]` gives `[N, H, W, b*b*C]`, block row and column first."""

    type: Literal["space_to_depth"] = "space_to_depth"
    block_size: Size
    """How many cells along each spatial axis become channels."""
