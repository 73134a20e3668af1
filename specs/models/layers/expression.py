"""A layer written as an equation over its inputs, in the language of cells."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Name, Reference, Size, SpecModel, at
from ..cells import Initializers
from ..initializers import GlorotUniform
from .base import LayerSpec


class ExpressionParameter(SpecModel):
    """A learned array of an expression layer."""

    shape: Annotated[tuple[Size, ...], Field(max_length=8)]
    """Its shape."""
    init: Initializers = (GlorotUniform(),)
    """How it is initialized. A list has one initializer for each equal slice of the last axis."""


class ExpressionLayer(LayerSpec):
    """Computes an equation of its inputs, element by element or on whole tensors, batch included: `value: where(a > b,
    a, b * 2)`. Shapes broadcast as in NumPy. Floats, integers and truth values can't be mixed without `cast`.
    """

    arity: ClassVar[tuple[int, int | None]] = (1, None)
    has_parameters: ClassVar[bool] = True

    type: Literal["expression"] = "expression"
    inputs: (  # type: ignore[assignment]
        Annotated[dict[Name, Reference], Field(min_length=1)]
        | Annotated[tuple[Reference, ...], Field(min_length=1)]
        | None
    ) = None
    """The inputs of the equation. `{a: conv1, b: enc.state}` gives them names; in a list, each layer has its own name;
    by default, the layer above is `x`.
    """
    value: str
    """The equation."""
    params: dict[Name, ExpressionParameter] = Field(default_factory=dict)
    """The learned arrays, by their names in the equation."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs in the equation, in order."""
        return ("x",) if self.inputs is None else tuple(self.inputs)

    @model_validator(mode="after")
    def _names_are_names(self) -> Self:
        for name in self.names:
            if not name.isidentifier():
                message = "{name} can't stand in an equation: write inputs: {x: {name}}"
                raise at("inputs", "together", message, name=name)
        if len(set(self.names)) < len(self.names):
            raise at("inputs", "together", "an input is listed twice")
        both = [name for name in self.names if name in self.params]
        if both:
            raise at("params", "together", "{name} is an input and a parameter", name=both[0])
        return self


LAYERS = (ExpressionLayer,)
