"""Cells as they are written: h(t) = f(x(t), h(t−1)), y(t) = g(h(t)), as equations over tensors of one sample.

`equations/cells.py` compiles a written cell to expression trees.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .base import Flag, FreeSize, Name, Number, SpecModel
from .initializers import GlorotUniform, Initializer, Zeros

CellShape = Annotated[tuple[FreeSize, ...], Field(max_length=6)]


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Initializers = Annotated[
    tuple[Initializer, ...],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=Initializer | list[Initializer]),
]


class StateSpec(SpecModel):
    """A value kept from one step to the next."""

    shape: CellShape
    """Its shape, for one sample."""
    init: Initializer = Zeros()
    """Its value before the first step, h(−1)."""
    learn_init: Flag = False
    """Whether that value is a parameter, `<state>_init`."""


class ParameterSpec(SpecModel):
    """A learned array of the cell, shared by all steps."""

    shape: CellShape
    """Its shape."""
    init: Initializers = (GlorotUniform(),)
    """How it is initialized. A list has one initializer for each equal slice of the last axis."""


class CellOutputSpec(SpecModel):
    """The output in its long form, for cells that read `prev(output)`."""

    value: str
    """The output's expression."""
    shape: CellShape
    """Its shape, for one sample."""
    init: Initializer = Zeros()
    """Its value before the first step."""


class InnerCellSpec(SpecModel):
    """A cell inside a cell."""

    use: Name
    """The cell: one of the spec's, or rnn, lstm or gru."""
    with_: dict[Name, FreeSize | Number] = Field(default_factory=dict, alias="with")
    """Its arguments, which may use those of the outer cell: `{H: 2*H}`."""


StepSpec = str | dict[str, str]


class CellSpec(SpecModel):
    """A recurrence written as equations."""

    args: dict[Name, Literal["int", "float"]] = Field(default_factory=dict)
    """The cell's arguments and their types. A layer that uses the cell gives their values in `with`; sizes are int."""
    input: Annotated[dict[Name, CellShape], Field(min_length=1)]
    """The shapes of what the cell reads in each step. Letters in them are bound to the sizes of the layer's inputs."""
    states: dict[Name, StateSpec] = Field(default_factory=dict)
    """The values that are kept from one step to the next."""
    params: dict[Name, ParameterSpec] = Field(default_factory=dict)
    """The learned arrays."""
    cells: dict[Name, InnerCellSpec] = Field(default_factory=dict)
    """Cells inside this one. Each is called once in a step, like a function: `low(x)` is its output. Its states are
    states here, called `low_h`.
    """
    update: dict[str, str] | tuple[StepSpec, ...] = ()
    """The steps, in order: `h: tanh(…)`, or a list of `a, b = split(…, 2)`. Each state is updated once."""
    output: str | CellOutputSpec
    """The output's expression."""
