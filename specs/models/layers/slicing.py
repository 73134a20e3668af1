"""Layers that pick a part of a tensor or permute its axes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ..base import Axis, Difference, DimExpression, Size, at
from .base import LayerSpec
from .key_types import Axes, Integers, listed

Bound = Difference


Bounds = Annotated[
    tuple[Bound | None, ...],
    Field(min_length=1, max_length=8),
    BeforeValidator(
        lambda value: (None,) if value is None else listed(value),
        json_schema_input_type=Bound | None | list[Bound | None],
    ),
]


class Transpose(LayerSpec):
    """Permutes the axes: axis i of the output is axis `permutation[i]` of the input."""

    type: Literal["transpose"] = "transpose"
    permutation: Annotated[tuple[Axis, ...], Field(min_length=1, max_length=8)]
    """The order, batch included: `[0, 2, 1]`."""


class Slice(LayerSpec):
    """Cells from `starts` to before `stops`, every `steps`, as Python slices: negative positions count from the end,
    and what lies outside is cut off. A position that grows with open sizes, such as `T - 10`, is the first cell where
    it is negative.

    If no cell of an axis of known size remains, that is an error. An open axis may become empty for some sizes.
    """

    type: Literal["slice"] = "slice"
    axes: Axes
    """The axis or axes to slice."""
    starts: Bounds = (None,)
    """Where to start on each axis; null means the first cell (the last if the step is negative)."""
    stops: Bounds = (None,)
    """Where to stop on each axis; null means past the last cell."""
    steps: Integers = (1,)
    """The step on each axis; negative steps run backwards."""

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
    """Splits an axis into consecutive parts: ports `0`, `1`, …. The output itself is the first part."""

    type: Literal["split"] = "split"
    axis: Axis = -1
    """The axis to split."""
    parts: Annotated[Size, Field(le=1000)] | None = None
    """The number of equal parts. If they do not divide the axis, the last one is smaller."""
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


LAYERS = (
    Transpose,
    Slice,
    Split,
)
