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
    """What the size counts: samples, steps, or something else."""
    min: Size = 1
    """The smallest value it may have."""
    max: Size | None = None
    """The largest value it may have; no limit by default."""
    multiple_of: Size = 1
    """A number that it is always a multiple of. With 32, `2*(H // 2)` is `H`, so that the output of five strides of 2
    and five upsamplings can be joined with the input. `min` is rounded up to a multiple.
    """

    @property
    def least(self) -> int:
        """The smallest value that is a multiple."""
        return -(-self.min // self.multiple_of) * self.multiple_of

    @property
    def most(self) -> int | None:
        """The largest value that is a multiple."""
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
    """An output of the network. Its name must differ from the inputs and targets."""

    source: Annotated[Reference, Field(alias="from")]
    """The layer, port or input whose value it is."""
    labels: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The names of the classes, in order, to show them in place of class numbers."""


def _source(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


Dim = Annotated[DimSpec, BeforeValidator(_role, json_schema_input_type=Role | DimSpec)]
Output = Annotated[OutputSpec, BeforeValidator(_source, json_schema_input_type=Reference | OutputSpec)]


class ModelSpec(SpecModel):
    """A network, as written."""

    schema_: Annotated[str | None, Field(alias="$schema")] = None
    """The JSON Schema with which an editor checks this file."""
    netwright: Literal[1]
    """The version of the language."""
    model: Name
    """The model's name; symbols in compiled code start with it."""
    dims: dict[Name, Dim] = Field(default_factory=dict)
    """The sizes that are open until run time."""
    inputs: Annotated[dict[Name, InputSpec], Field(min_length=1)]
    """What the network reads."""
    dtype: Literal["float32", "float64"] | None = None
    """The float type that the network computes in; by default the type of its first float input. Inputs of the other
    float type then have to be cast.
    """
    math: Literal["strict", "fast"] = "fast"
    """How exact `predict` is in float32. `fast` computes 3×3 convolutions with fewer multiplications where that saves
    time (Winograd's algorithm): results are within 1e-4 of exact ones, relative to the root mean square of the results
    of that layer. `strict` adds up every product as written: within 1e-5. Training stays within 1e-5 with both.
    """
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Default keys by layer type, for layers that do not set them."""
    cells: dict[Name, CellSpec] = Field(default_factory=dict)
    """Recurrences written as equations."""
    include: str | tuple[str, ...] = ()
    """Files in the spec's folder whose variables, blocks and cells this spec uses."""
    vars: dict[Name, Any] = Field(default_factory=dict)
    """Variables by name; `$name` can be written in place of any value."""
    blocks: dict[Name, BlockSpec] = Field(default_factory=dict)
    """Sub-networks with arguments, for use among the layers."""
    layers: Annotated[
        tuple[Layer, ...],
        Field(min_length=1),
        BeforeValidator(unchanged, json_schema_input_type=list[Layer | BlockUse]),
    ]
    """The layers and uses of blocks. Without `inputs`, each reads the one above."""
    outputs: Annotated[dict[Name, Output], Field(min_length=1)]
    """The network's outputs, by names that no input and no target has."""
    train: TrainSpec | None = None
    """How it is trained."""
    budget: BudgetSpec | None = None
    """Limits for the network: parameters, arithmetic, memory, time."""
