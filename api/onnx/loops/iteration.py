"""A loop over time, independent of the operator it is written with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netwright.specs.dims import DimLike

from ..operands import Held, Known, Value
from ..reading import Body


@dataclass(frozen=True)
class State:
    """A carry: the operand it starts with, and the output that gets its last value."""

    operand: int
    output: int


@dataclass(frozen=True)
class Read:
    """A scan input: the part of a value that a step reads along its axis of time."""

    value: Held
    time: int


@dataclass(frozen=True)
class Given:
    """A scan output: the output that collects a value of each step, and its axis of time."""

    output: int
    time: int = 0


@dataclass(frozen=True)
class Iteration:
    """A loop. The inputs of ``body`` are the states and the parts that are read; its outputs are the states' new values
    and the scan outputs.
    """

    body: Body
    states: tuple[State, ...]
    reads: tuple[Read, ...]
    given: tuple[Given, ...]
    captured: Mapping[str, Value]
    """What the body reads from the outer graph."""
    count: DimLike
    """The number of steps."""
    known: Callable[[int], Mapping[str, Known]] = lambda _: {}
    """What the body reads that is known in each step."""
    reverse: bool = False
    """Whether time runs backwards, in all scan inputs and outputs."""
    batched: bool = False
    """Whether the first axis of all operands are the samples (opset 8), which the body does not see; time is the
    second.
    """
