"""Layers applied to each step of a sequence. Loading expands `time_distributed` to `steps`, the layers inside, and
`join_steps`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Name, at
from .base import LayerSpec


class Steps(LayerSpec):
    """Turns every step into a sample: `[N, T, *R]` gives `[N·T, *R]`."""

    type: Literal["steps"] = "steps"


class JoinSteps(LayerSpec):
    """Puts the answers for `steps`, `[N·T, *R]`, back in their places, `[N, T, *R]`. The second input is the one whose
    steps they are.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    type: Literal["join_steps"] = "join_steps"


class TimeDistributed(LayerSpec):
    """Applies a layer or sub-network to each step of a sequence `[N, T, …]`, with shared parameters.

    It is given in `layer`, in `layers`, or as a block in `use`. A `layer` is called `name.layer`, `layers` have their
    own names after `name.`, and those of a block are `name.net.…`. They read the step by the name `input`.
    """

    has_parameters: ClassVar[bool] = True
    type: Literal["time_distributed"] = "time_distributed"
    layer: dict[str, Any] | None = None
    """The layer. It needs no name."""
    layers: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = None
    """The sub-network's layers."""
    use: Name | None = None
    """The block that is the sub-network."""
    with_: Annotated[dict[Name, Any] | None, Field(alias="with")] = None
    """The values of the block's arguments."""

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        given = [key for key in ("layer", "layers", "use") if getattr(self, key) is not None]
        if len(given) != 1:
            message = "write a layer, layers, or use a block" + (", one of them" if given else "")
            raise at(given[1] if given else "type", "together", message)
        if self.with_ is not None and self.use is None:
            raise at("with", "together", "with gives the arguments of a block, and this uses none")
        return self


LAYERS = (
    Steps,
    JoinSteps,
    TimeDistributed,
)
