"""Compiled cells: recurrences of expression trees, in their only form: states, steps, output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..dims import DimLike
from ..models.initializers import InitializerSpec
from ..source.tree import Span
from .expressions import Expression

OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class State:
    """A value kept from one step to the next; `shape` is that of one sample, `init` its value before the
    first step.
    """

    shape: tuple[DimLike, ...]
    init: InitializerSpec
    learned: bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A learned array. Several initializers apply to as many equal slices of the last axis."""

    shape: tuple[DimLike, ...]
    init: tuple[InitializerSpec, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """`targets = value`. There are several targets only if the value is a `split`."""

    targets: tuple[str, ...]
    value: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Cell:
    """A recurrence.

    Shapes are over the names of `args` and over letters that the shapes of `inputs` bind. In a step or in `output`, a
    bare state name means the state's new value; it occurs only after the step that defines it. The content of nested
    cells is included: states as `low_h`, everything else as `low.x`.
    """

    name: str
    args: Mapping[str, Literal["int", "float"]]
    inputs: Mapping[str, tuple[DimLike, ...]]
    states: Mapping[str, State]
    params: Mapping[str, Parameter]
    steps: tuple[Step, ...]
    output: Expression
    span: Span = field(compare=False)
    bound: Mapping[str, tuple[DimLike, ...]] = field(default_factory=dict)
    """Steps whose values bind letters: the inputs of nested cells, with their shapes."""
