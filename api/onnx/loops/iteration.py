"""A loop over time, whatever operator it is written by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netwright.specs.dims import DimLike

from ..operands import Held, Known, Value
from ..reading import Body


@dataclass(frozen=True)
class State:
    """What is carried from step to step: the operand that it starts as, and the output that gives its last value."""

    operand: int
    output: int


@dataclass(frozen=True)
class Read:
    """What a step reads: a part of a value along its axis of time."""

    value: Held
    time: int


@dataclass(frozen=True)
class Given:
    """What each step gives: the output that has all of it, and the axis of time there."""

    output: int
    time: int = 0


@dataclass(frozen=True)
class Iteration:
    """The inputs of ``body`` are the states and what is read, its outputs the states' new values and what is given."""

    body: Body
    states: tuple[State, ...]
    reads: tuple[Read, ...]
    given: tuple[Given, ...]
    captured: Mapping[str, Value]
    """What the body reads of the graph around."""
    count: DimLike
    """The number of steps."""
    known: Callable[[int], Mapping[str, Known]] = lambda _: {}
    """What the body reads that is known at each step."""
    reverse: bool = False
    """Whether time runs backwards, for all that is read and given."""
    batched: bool = False
    """Whether the first axis of all operands are the samples (opset 8), not seen by the body; time is the second."""
