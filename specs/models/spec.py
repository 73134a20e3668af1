"""A whole spec: dims, inputs, cells, layers, outputs and training."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from .base import DType, Name, Reference, Size, SpecModel, WrittenShape, at
from .blocks import BlockSpec, BlockUse, unchanged
from .budget import BudgetSpec
from .cells import CellSpec
from .layers import Layer
from .train import TrainSpec

Role = Literal["batch", "time", "size"]


class DimSpec(SpecModel):
    """A size that is open until run time."""

    role: Role = "size"
    """What the size counts: samples, steps, or anything else."""
    min: Size = 1
    """The least value it may have."""
    max: Size | None = None
    """The greatest value it may have; any when left out."""
    multiple_of: Size = 1
    """A number that it is always a multiple of: with 32, `2*(H // 2)` is `H`, so that what five strides of 2 made
    smaller and five upsamplings larger again can be joined with what it was. `min` is the next multiple then."""

    @property
    def least(self) -> int:
        """The least value that is a multiple."""
        return -(-self.min // self.multiple_of) * self.multiple_of

    @property
    def most(self) -> int | None:
        """The greatest value that is a multiple."""
        return None if self.max is None else self.max // self.multiple_of * self.multiple_of

    @model_validator(mode="after")
    def _ordered(self) -> DimSpec:
        if self.max is not None and self.max < self.min:
            raise at("max", "together", "max is {max}, less than min, {min}", max=self.max, min=self.min)
        if self.most is not None and self.most < self.least:
            message = "no multiple of {of} is from {min} to {max}"
            raise at("multiple_of", "together", message, of=self.multiple_of, min=self.min, max=self.max)
        return self


def _role(value: Any) -> Any:
    if isinstance(value, str):
        return {"role": value}
    if isinstance(value, int) and not isinstance(value, bool):
        message = "a dim is open until run time: write the number {size} in the shapes instead"
        raise PydanticCustomError("dim", message, {"size": value})
    return value


class InputSpec(SpecModel):
    """An array the network reads."""

    shape: WrittenShape
    """Its shape, batch first, features last; `[]` is a single number."""
    dtype: DType = "float32"
    """Its element type."""
    lengths: Name | None = None
    """An input, int64 `[N]`, that holds the valid length of each sequence."""


class OutputSpec(SpecModel):
    """What the network answers with, by names that no input and no target has."""

    source: Annotated[Reference, Field(alias="from")]
    """The layer, port or input whose value it is."""
    labels: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The classes' names, in order, for showing a class instead of its number."""


def _source(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


Dim = Annotated[DimSpec, BeforeValidator(_role, json_schema_input_type=Role | DimSpec)]
Output = Annotated[OutputSpec, BeforeValidator(_source, json_schema_input_type=Reference | OutputSpec)]


class ModelSpec(SpecModel):
    """A network, as written."""

    schema_: Annotated[str | None, Field(alias="$schema")] = None
    """The JSON Schema an editor checks this file with."""
    netwright: Literal[1]
    """The version of the language."""
    model: Name
    """The model's name; symbols in compiled code start with it."""
    dims: dict[Name, Dim] = Field(default_factory=dict)
    """The sizes that are open until run time."""
    inputs: Annotated[dict[Name, InputSpec], Field(min_length=1)]
    """What the network reads."""
    dtype: Literal["float32", "float64"] | None = None
    """The float type that the network computes in; that of its first float input when left out. Inputs of the other
    float type then have to be cast."""
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Keys by layer type that hold where a layer does not give its own."""
    cells: dict[Name, CellSpec] = Field(default_factory=dict)
    """Recurrences written as equations."""
    include: str | tuple[str, ...] = ()
    """Files of the spec's folder whose variables, blocks and cells this one uses."""
    vars: dict[Name, Any] = Field(default_factory=dict)
    """Values by name; `$name` stands for one wherever a value can be written."""
    blocks: dict[Name, BlockSpec] = Field(default_factory=dict)
    """Sub-networks with arguments, for use among the layers."""
    layers: Annotated[
        tuple[Layer, ...],
        Field(min_length=1),
        BeforeValidator(unchanged, json_schema_input_type=list[Layer | BlockUse]),
    ]
    """The layers and uses of blocks; each reads the one above when it does not say otherwise."""
    outputs: Annotated[dict[Name, Output], Field(min_length=1)]
    """What the network answers with, by names that no input and no target has."""
    train: TrainSpec | None = None
    """How it is trained."""
    budget: BudgetSpec | None = None
    """What it may take at most: parameters, arithmetic, memory, time."""
