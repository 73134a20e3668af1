"""Blocks as they are written: a sub-network with arguments, and its use among the layers.

`expansion.py` turns uses into plain layers, so nothing after it knows of blocks.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .base import Name, Reference, Size, SpecModel, WrittenShape
from .layers import Layer

IMPLICIT_INPUT = "input"

ArgumentType = Literal["int", "float", "str", "bool", "list"]


class ArgumentSpec(SpecModel):
    """An argument of a block in its long form."""

    type: ArgumentType
    """What it has to be."""
    default: Any = None
    """Its value where a use gives none; without it every use has to give one."""


def _typed(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Argument = Annotated[
    ArgumentSpec, BeforeValidator(_typed, json_schema_input_type=ArgumentType | ArgumentSpec)
]


class BlockUse(SpecModel):
    """A block among the layers. A reference to its name is one to its output."""

    name: Name
    """Its name; layers inside are `name.layer`, so parameters are `name.layer.kernel`."""
    use: Name
    """The block."""
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with")
    """The values of its arguments."""
    inputs: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    """What the block reads, in the order of its `inputs`. The layer above when left out."""
    expect: WrittenShape | None = None
    """The shape its output has to have."""
    share: Reference | None = None
    """Another use of the same block, whose parameters this one's layers use."""
    repeat: Size = 1
    """How many of these follow each other: `name.0`, `name.1`, …; `$index` counts them."""


def unchanged(value: Any) -> Any:
    """A validator that changes nothing, to say what an editor should expect."""
    return value


Item = dict[str, Any]
WrittenLayers = Annotated[
    tuple[Item, ...],
    Field(min_length=1),
    BeforeValidator(unchanged, json_schema_input_type=list[Layer | BlockUse]),
]


class BlockSpec(SpecModel):
    """A sub-network. Inside it only its own layers, inputs, arguments and variables are known."""

    args: dict[Name, Argument] = Field(default_factory=dict)
    """The arguments a use gives with `with`, by type; `$name` stands for their values."""
    inputs: Annotated[tuple[Name, ...], Field(min_length=1)] = (IMPLICIT_INPUT,)
    """What it reads, by the names they have inside. The first layer reads the first one."""
    vars: dict[Name, Any] = Field(default_factory=dict)
    """Values by name, computed for each use."""
    defaults: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Keys by layer type that hold inside, where a layer does not give its own."""
    layers: WrittenLayers
    """Its layers and the uses of other blocks."""
    outputs: Reference | Annotated[dict[Name, Reference], Field(min_length=1)] | None = None
    """What it gives: a layer, or several by name, the first of which is what the use's name stands for. The last
    layer when left out."""
