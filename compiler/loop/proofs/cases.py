"""Proofs by cases: what cannot be proved for all values of a dim at once is proved for parts of its range.

Slices of slices of an axis give nested minima, maxima and floors of one dim, which simplify differently for its few
small values and for all large ones. If the dim is limited to a range, most of them simplify, and a `Prover` finds a
proof. A range is halved until it does, or until a single value shows that there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm

from netwright.specs.dims import Dim, DimLike, Range, bounds, dim, dim_symbols, settled, substitute

from .prover import Prover, Variable

#: How many parts to try in one proof, and up to which number to distinguish a dim's values.
MOST_PARTS = 200
LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class _Part:
    """The values of a dim from ``low`` up to ``high``, both as multiples of ``unit``."""

    unit: int
    low: int
    high: int | None
    splits: int = 0

    def value(self, name: str) -> DimLike:
        """The dim, in terms of one that begins at 0."""
        return self.unit * self.low if self.low == self.high else self.unit * (dim(name) + self.low)

    @property
    def range(self) -> Range:
        """The values of the dim that begins at 0."""
        return 0, None if self.high is None else self.high - self.low

    def halves(self) -> tuple[_Part, _Part] | None:
        """Both halves, the larger values first: if they fail, the smaller ones need no proof. None for a single
        value, and for values that are too large."""
        if self.low == self.high or self.low > LARGEST:
            return None
        middle = 2 * max(self.low, 1) if self.high is None else (self.low + self.high) // 2
        splits = self.splits + 1
        return replace(self, low=middle + 1, splits=splits), replace(self, high=middle, splits=splits)


def proves_by_cases(prover: Prover, dims: Iterable[str], goal: DimLike) -> bool:
    """Whether goal ≥ 0 can be proved for all values of ``dims``, part by part; ``dims`` are variables of the prover,
    each with its least number."""
    said = _about(goal, list(prover.said()))
    units = _units([goal, *(size for premise in said for size in _sizes(premise))])
    parts: dict[str, _Part] = {}
    for premise in said:
        if isinstance(premise, Variable) and premise.name in dims:
            assert isinstance(premise.low, int)
            unit = units.get(premise.name, 1)
            parts[premise.name] = _Part(unit, -(-premise.low // unit), None)
    waiting = [parts]
    for _ in range(MOST_PARTS):
        if not waiting:
            return True
        part = waiting.pop()
        if _proves(said, part, goal):
            continue
        halves = sorted(
            ((own.splits, name, both) for name, own in part.items() if (both := own.halves()) is not None),
            key=lambda item: item[:2],
        )
        if not halves:
            return False
        _, name, (above, below) = halves[0]
        waiting += [{**part, name: below}, {**part, name: above}]
    return False


def _proves(said: Iterable[Variable | DimLike], parts: Mapping[str, _Part], goal: DimLike) -> bool:
    """Whether the goal follows if the dims are in these parts."""
    binding = {name: part.value(name) for name, part in parts.items()}
    ranges = {name: part.range for name, part in parts.items()}
    prover = Prover(())

    def seen(value: DimLike) -> DimLike:
        return settled(substitute(value, binding), ranges)

    for premise in said:
        if not isinstance(premise, Variable):
            fact = seen(premise)
            if isinstance(fact, int) and fact < 0:
                return True  # there is no such case
            prover.assume(fact)
        elif premise.name in parts:
            if isinstance(binding[premise.name], Dim):
                prover.variable(premise.name, *ranges[premise.name])  # pyright: ignore[reportArgumentType]
        else:
            low, high = seen(premise.low), None if premise.high is None else seen(premise.high)
            if high is not None and isinstance(room := high - low, int) and room < 0:
                return True
            ranges[premise.name] = bounds(low, ranges)[0], None if high is None else bounds(high, ranges)[1]
            prover.variable(premise.name, low, high)
    return prover.proves(seen(goal))


def _about(goal: DimLike, said: Sequence[Variable | DimLike]) -> list[Variable | DimLike]:
    """What is known of the names in the goal, and of further names in these facts."""
    names, count = dim_symbols(goal), -1
    while count < len(names):
        count = len(names)
        names = names.union(*(own for own in map(_names, said) if own & names))
    return [premise for premise in said if _names(premise) & names]


def _names(said: Variable | DimLike) -> frozenset[str]:
    own = {said.name} if isinstance(said, Variable) else ()
    return frozenset(own).union(*map(dim_symbols, _sizes(said)))


def _sizes(said: Variable | DimLike) -> Iterable[DimLike]:
    if not isinstance(said, Variable):
        return (said,)
    return (said.low,) if said.high is None else (said.low, said.high)


def _units(sizes: Iterable[DimLike]) -> dict[str, int]:
    """The unit in which the dim is counted."""
    units: dict[str, int] = {}
    for size in sizes:
        for unit in size.units if isinstance(size, Dim) else ():
            units[unit.name] = lcm(units.get(unit.name, 1), unit.size)
    return units
