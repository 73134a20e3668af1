"""What every layer has: a name, its inputs, a checked output shape, and shared parameters."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from ..base import FrozenDict, Name, Reference, Size, SpecModel, WrittenShape

WEIGHTS = "weights."
"""How computed parameters are called among what a layer is given besides its inputs."""


class LayerSpec(SpecModel):
    """Base of the layers. A layer family adds its keys and `type`."""

    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """The fewest and the most inputs (None: any number)."""
    has_parameters: ClassVar[bool] = False
    """Whether the layer can have parameters, so that `share` means something."""

    name: Name
    """The layer's name, unique among layers and inputs."""
    type: Any
    """The layer's type."""
    inputs: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    """What the layer reads: layers, their ports (`enc.state`), or inputs. The layer above when left out."""
    expect: WrittenShape | None = None
    """The output shape this layer has to give; checked, and an error where it differs."""
    share: Reference | None = None
    """Another layer of the same type whose parameters this one uses."""
    weights: Annotated[dict[Reference, Reference], AfterValidator(FrozenDict)] = Field(
        default_factory=FrozenDict
    )
    """Parameters that other layers or inputs compute, by their names in this layer: `{kernel: made}`. They are neither
    stored nor learned here; gradients go to what computes them."""
    repeat: Size = 1
    """How many of these follow each other: `name.0`, `name.1`, …; `$index` counts them. Loading writes them out."""

    def ports(self) -> tuple[str, ...]:
        """The layer's ports besides its output, where its keys alone say which."""
        return ()

    def references(self) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
        """Further layers or inputs this layer reads, each with the path of the key that names it."""
        return tuple((ref, ("weights", name)) for name, ref in self.weights.items())
