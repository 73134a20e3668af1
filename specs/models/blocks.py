"""Blocks as they are written: a sub-network with arguments, and its use among the layers. `expansion` turns uses into
plain layers, so everything after it sees no blocks.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .base import Flag, Name, Reference, Size, SpecModel, WrittenShape
from .layers import Layer

IMPLICIT_INPUT = "input"

ArgumentType = Literal["int", "float", "str", "bool", "list"]


class ArgumentSpec(SpecModel):
    """An argument of a block in its long form."""

    type: ArgumentType
    """The type of its values."""
    default: Any = None
    """Its default. Without one, every use has to give a value."""


def _typed(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Argument = Annotated[
    ArgumentSpec, BeforeValidator(_typed, json_schema_input_type=ArgumentType | ArgumentSpec)
]


class BlockUse(SpecModel):
    """A block among the layers. A reference to its name means its output."""

    name: Name
    """Its name; layers inside are called `name.layer`, so parameters are called `name.layer.kernel`."""
    use: Name
    """The block's name under `blocks`."""
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with")
    """The values of its arguments."""
    inputs: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    """What the block reads, in the order of its `inputs`. By default the layer above."""
    expect: WrittenShape | None = None
    """The shape that its output has to have."""
    share: Reference | None = None
    """Another use of the same block, with which this one shares its parameters."""
    trainable: Flag = True
    """Whether training changes the parameters of the layers inside."""
    repeat: Size = 1
    """How many copies follow each other: `name.0`, `name.1`, …; `$index` counts them."""


def unchanged(value: Any) -> Any:
    """A validator that changes nothing, to tell editors what to expect."""
    return value


Item = dict[str, Any]
WrittenLayers = Annotated[
    tuple[Item, ...],
    Field(min_length=1),
    BeforeValidator(unchanged, json_schema_input_type=list[Layer | BlockUse]),
]


class BlockSpec(SpecModel):
    """A sub-network. Inside it only its own layers, inputs, arguments and variables can be used."""

    args: dict[Name, Argument] = Field(default_factory=dict)
    """The types of the arguments that a use gives in `with`; `$name` stands for their values."""
    inputs: Annotated[tuple[Name, ...], Field(min_length=1)] = (IMPLICIT_INPUT,)
    """Its inputs, by the names they have inside. The first layer reads the first of them."""
    vars: dict[Name, Any] = Field(default_factory=dict)
    """Variables by name, computed for each use."""
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Default keys by layer type, for layers inside that do not set them."""
    layers: WrittenLayers
    """Its layers and the uses of other blocks."""
    outputs: Reference | Annotated[dict[Name, Reference], Field(min_length=1)] | None = None
    """Its outputs: a layer, or several by name, of which the use's name means the first. By default the last layer."""
