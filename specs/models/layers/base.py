"""The keys that every layer has: a name, its inputs, a checked output shape, and shared parameters."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from ..base import Flag, FrozenDict, Name, Reference, Size, SpecModel, WrittenShape, at

WEIGHTS = "weights."
"""The prefix under which a layer's wiring holds the parameters that other layers compute."""


class LayerSpec(SpecModel):
    """Base of the layers. A layer family adds its keys and `type`."""

    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """The minimum and maximum number of inputs (None: no maximum)."""
    has_parameters: ClassVar[bool] = False
    """Whether the layer can have parameters, so that `share` is meaningful."""

    name: Name
    """The layer's name, unique among layers and inputs."""
    type: Any
    """The layer's type."""
    inputs: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    """What the layer reads: layers, their ports (`enc.state`), or inputs. By default the layer above."""
    expect: WrittenShape | None = None
    """The output shape that this layer has to have. Any other is an error."""
    share: Reference | None = None
    """Another layer of the same type whose parameters this one uses."""
    weights: Annotated[dict[Reference, Reference], AfterValidator(FrozenDict)] = Field(
        default_factory=FrozenDict
    )
    """Parameters that other layers or inputs compute, by their names in this layer: `{kernel: made}`. They are neither
    stored nor learned here; their gradients go to the layers that compute them.
    """
    trainable: Flag = True
    """Whether training changes the layer's parameters. With `false` they are frozen, as under `train.freeze`."""
    repeat: Size = 1
    """How many copies of this layer follow each other: `name.0`, `name.1`, …; `$index` counts them. They are expanded
    when the spec is loaded.
    """

    @model_validator(mode="after")
    def _can_be_frozen(self) -> Self:
        if "trainable" in self.model_fields_set and not self.trainable and not self.has_parameters:
            raise at("trainable", "together", "{type} has no parameters to freeze", type=self.type)
        return self

    def ports(self) -> tuple[str, ...]:
        """The layer's ports besides its output, if they follow from its keys alone."""
        return ()

    def references(self) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
        """Further layers or inputs this layer reads, each with the path of the key that names it."""
        return tuple((ref, ("weights", name)) for name, ref in self.weights.items())
