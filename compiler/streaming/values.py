"""How the values of a graph of whole sequences appear in the graph of a chunk of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from netwright.specs.dims import (
    Dim,
    DimLike,
    Shape,
    coefficient,
    dim,
    dim_symbols,
    exact_div,
    multiple,
    substitute,
)

from ..graph.node import Value

#: A symbol that no spec can use: the number of chunks so far.
_COUNT = "#"


class CannotStream(Exception):
    """A node that can't be computed step by step; the text completes "it …" in plain words."""


class StreamError(Exception):
    """Layers that can't be computed step by step: ``reasons`` by layer, in order, each of which completes "it …"."""

    def __init__(self, reasons: Mapping[str, str]):
        super().__init__("\n  ".join(f"{layer}: it {reason}" for layer, reason in reasons.items()))
        self.reasons = dict(reasons)


@dataclass(frozen=True, slots=True)
class Still:
    """A value that depends neither on steps nor on their number: the same in both graphs."""

    value: Value


@dataclass(frozen=True, slots=True)
class Latest:
    """A value without a time axis that depends on all steps so far, such as the last state of a recurrence."""

    value: Value


@dataclass(frozen=True, slots=True)
class Uniform:
    """A value with a time axis that does not depend on the input: ``make`` gives it in any shape of the same axes.
    ``fill`` is the number in all of its cells, if there is one.
    """

    make: Callable[[Shape], Value]
    fill: float | int | bool | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A value with a time axis, ``value``[…, outer · frames · inner, …] at ``axis``.

    A chunk brings ``rate`` frames per group of steps. After n groups there are frames up to n · rate − ``delay``: with
    a positive delay those below 0 are no part of the sequence; with a negative one as many at the start never come,
    since they are padding and hold ``fill``.
    """

    value: Value
    axis: int
    rate: int
    delay: int
    outer: DimLike = 1
    inner: DimLike = 1
    fill: float | int | bool | None = None

    @property
    def alone(self) -> bool:
        """Whether the axis holds nothing but frames."""
        return self.outer == 1 and self.inner == 1

    def single(self) -> Flow:
        """The same value, where several cells per frame count as so many frames, if that is possible."""
        if self.alone or self.outer != 1 or not isinstance(self.inner, int):
            return self
        return replace(self, rate=self.rate * self.inner, delay=self.delay * self.inner, inner=1)


Item = Still | Latest | Uniform | Flow


@dataclass(frozen=True)
class Clock:
    """Sizes over time: ``time`` is the dim of whole sequences, ``chunk`` that of the steps of one call, a multiple of
    ``group`` steps, the fewest after which every value has a whole number of new frames.
    """

    time: str
    chunk: str
    group: int

    @property
    def steps(self) -> Dim:
        """The size of the input's time axis in a call."""
        return multiple(self.chunk, self.group)

    def mentions(self, sizes: object) -> bool:
        """Whether a size, or any of several, depends on the number of steps."""
        if isinstance(sizes, tuple | list):
            return any(map(self.mentions, sizes))
        return isinstance(sizes, Dim) and self.time in dim_symbols(sizes)

    def course(self, size: DimLike, outer: DimLike = 1, inner: DimLike = 1) -> tuple[int, int] | None:
        """(rate, delay) of an axis of ``size`` = outer · frames · inner; None if there are not so many frames per
        group."""
        part = exact_div(size, outer)
        frames = None if part is None else exact_div(part, inner)
        if frames is None:
            return None
        counted = substitute(frames, {self.time: self.group * dim(_COUNT)})
        rate = coefficient(counted, _COUNT)
        if rate is None or rate <= 0:
            return None
        rest = counted - rate * dim(_COUNT)
        return (rate, -rest) if isinstance(rest, int) else None

    def at(self, size: DimLike) -> DimLike:
        """A size after whole groups of steps, with # for the number of groups."""
        return substitute(size, {self.time: self.group * dim(_COUNT)})

    def frames(self, rate: int) -> DimLike:
        """How many frames a call brings of a value with this rate."""
        size = exact_div(rate * self.steps, self.group)
        assert size is not None  # the steps are a multiple of the group
        return size
