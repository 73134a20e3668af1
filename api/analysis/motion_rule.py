"""The rule for how movement passes through an operation, given which elements it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from netwright.specs.dims import Call, Dim, DimLike, Shape, evaluate

from .motion import Broken, Motion, Move, Part

RESULT, SUMMED = "result ", "summed "  # with a blank, which no dim's name contains


@dataclass(frozen=True, slots=True)
class Access:
    """A read of an operand: the index of the element, in terms of variables for the result's index and for the axes
    summed over.
    """

    motion: Motion
    shape: Shape
    index: Sequence[DimLike]
    conditions: Sequence[DimLike] = ()
    alternatives: bool = False
    """Whether elements other than constants are read when the conditions do not hold."""


@dataclass(frozen=True, slots=True)
class _Affine:
    """Σ factors·variables + offset. ``others`` are variables that occur in any other form."""

    factors: Mapping[str, int]
    others: frozenset[str]
    offset: DimLike

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.factors) | self.others

    @property
    def variable(self) -> str | None:
        """The variable, if it is nothing but one variable."""
        if self.others or self.offset != 0 or list(self.factors.values()) != [1]:
            return None
        return next(iter(self.factors))


def _affine(size: DimLike) -> _Affine:
    if isinstance(size, int):
        return _Affine({}, frozenset(), size)
    factors: dict[str, int] = {}
    others: set[str] = set()
    offset: DimLike = 0
    for monomial, factor in size.terms:
        names = {name for atom in monomial for name in _names(atom)}
        if not names:
            offset = offset + Dim(((monomial, factor),)) if monomial else offset + factor
        elif len(monomial) == 1 and isinstance(monomial[0], str):
            factors[monomial[0]] = factor
        else:
            others |= names
    return _Affine(factors, frozenset(others), offset)


def _names(atom: str | Call) -> set[str]:
    """The variables in an atom; dims do not count."""
    if isinstance(atom, str):
        return {atom} if atom.startswith((RESULT, SUMMED)) else set()
    return {
        name
        for argument in atom.arguments
        if isinstance(argument, Dim)
        for monomial, _ in argument.terms
        for inner in monomial
        for name in _names(inner)
    }


def combine(
    accesses: Sequence[Access], shape: Shape, summed: Sequence[DimLike], dims: Mapping[str, int]
) -> Motion:
    """The motion of a result of ``shape`` whose elements are sums over ``summed``.

    If windows begin at an open size, its value under ``dims`` counts. Raises Broken.
    """
    return _Rule(accesses, shape, summed, dims).result()


class _Rule:
    def __init__(
        self,
        accesses: Sequence[Access],
        shape: Shape,
        summed: Sequence[DimLike],
        dims: Mapping[str, int],
    ):
        self.accesses, self.shape, self.dims = accesses, shape, dims
        self.sizes = {f"{RESULT}{axis}": size for axis, size in enumerate(shape)}
        self.sizes |= {f"{SUMMED}{position}": size for position, size in enumerate(summed)}
        self.affine = [[_affine(place) for place in access.index] for access in accesses]
        self.parts: list[Shape] = [(size,) for size in shape]
        self.moves: dict[Part, Move] = {}
        self.consumed: dict[str, Fraction] = {}

    def result(self) -> Motion:
        for access, places in zip(self.accesses, self.affine, strict=True):
            for axis, place in enumerate(places):
                if access.motion.moving(axis):
                    self._follow(access, axis, place)
        self._check()
        period = lcm(*(access.motion.period for access in self.accesses), 1)
        period = lcm(period, *(move.ratio.numerator for move in self.moves.values()), 1)
        return Motion(
            tuple(self.parts),
            self.moves,
            frozenset(self._uniform()),
            any(access.motion.depends for access in self.accesses),
            any(access.motion.whole for access in self.accesses) or bool(self.consumed),
            period,
        )

    def _follow(self, access: Access, axis: int, place: _Affine) -> None:
        """Passes on the movement along one axis of an operand."""
        motion, size = access.motion, access.shape[axis]
        name = place.variable
        if name is not None and self.sizes[name] == size:
            if name.startswith(SUMMED):
                for part in motion.moving(axis):
                    self._consume(name, motion.moves[axis, part].ratio)
                return
            target = self._axis(name)
            if len(motion.parts[axis]) > 1:
                self.parts[target] = motion.parts[axis]
            for part in motion.moving(axis):
                self._move((target, part), motion.moves[axis, part])
            return
        move = motion.collapsed(axis)
        if move is None or place.others:
            raise Broken("positions are taken apart and mixed")
        results = [name for name in place.factors if name.startswith(RESULT)]
        if not results:
            raise Broken("it reads fixed positions")
        if place.factors[results[0]] < 0:
            raise Broken("it runs backwards")
        first, last = self._range(place, results[0])
        target = self._axis(results[0])
        if self.shape[target] == 1 and size != 1:
            alone = sum(bool(place.names & other.names) for row in self.affine for other in row) == 1
            if first == 0 and last == size - 1 and alone:
                self.consumed |= {name: move.ratio for name in place.factors if name.startswith(SUMMED)}
                return
            raise Broken("its one cell looks at fixed positions")
        self._move(
            (target, 0),
            move.scaled(place.factors[results[0]], evaluate(first, self.dims), evaluate(last, self.dims)),
        )

    def _range(self, place: _Affine, name: str) -> tuple[DimLike, DimLike]:
        """The least and greatest offset from the multiples of ``name``."""
        first, last = place.offset, place.offset
        for other, factor in place.factors.items():
            if other != name:
                reach = (self.sizes[other] - 1) * factor
                first, last = (first, last + reach) if factor > 0 else (first + reach, last)
        return first, last

    def _axis(self, name: str) -> int:
        return int(name.removeprefix(RESULT))

    def _move(self, part: Part, move: Move) -> None:
        known = self.moves.get(part)
        if known is not None and known.ratio != move.ratio:
            raise Broken(f"a stride of {_ratio(known.ratio)} meets one of {_ratio(move.ratio)}")
        self.moves[part] = move if known is None else known.joined(move)

    def _consume(self, name: str, ratio: Fraction) -> None:
        if self.consumed.setdefault(name, ratio) != ratio:
            raise Broken(f"a stride of {_ratio(self.consumed[name])} meets one of {_ratio(ratio)}")

    def _check(self) -> None:
        """Checks that everything read along a moving axis moves alike or is uniform."""
        for access, places in zip(self.accesses, self.affine, strict=True):
            for axis, place in enumerate(places):
                for name in place.names:
                    if name in self.consumed and not self._is_alike(access, axis, self.consumed[name], place):
                        raise Broken("every position has weights of its own")
                    if name.startswith(RESULT):
                        self._check_axis(access, axis, place, name)
            if access.alternatives:
                for condition in access.conditions:
                    names = _affine(condition).names
                    if any(f"{RESULT}{axis}" in names for axis, _ in self.moves):
                        raise Broken("it joins pieces along the axis")

    def _check_axis(self, access: Access, axis: int, place: _Affine, name: str) -> None:
        target = self._axis(name)
        motion = access.motion
        for part in range(len(self.parts[target])):
            move = self.moves.get((target, part))
            if move is None:
                continue
            if place.variable == name and motion.parts[axis] == self.parts[target]:
                own = motion.moves.get((axis, part))
                alike = (axis, part) in motion.uniform or (own is not None and own.ratio == move.ratio)
            else:
                alike = self._is_alike(access, axis, move.ratio, place, name)
            if not alike:
                raise Broken(
                    "movement meets what stands still"
                    if motion.depends
                    else "every position has values of its own"
                )

    def _is_alike(self, access: Access, axis: int, ratio: Fraction, place: _Affine, name: str = "") -> bool:
        motion = access.motion
        if motion.is_uniform(axis):
            return True
        moving = motion.moving(axis)
        if len(moving) == 1 and place.variable is not None and motion.moves[axis, moving[0]].ratio == ratio:
            return True
        move = motion.collapsed(axis)
        return move is not None and move.ratio * place.factors.get(name, 1) == ratio

    def _uniform(self) -> set[Part]:
        uniform = {(axis, part) for axis, sizes in enumerate(self.parts) for part in range(len(sizes))}
        for access, places in zip(self.accesses, self.affine, strict=True):
            motion = access.motion
            for condition in access.conditions if access.alternatives else ():
                uniform -= {part for part in uniform if f"{RESULT}{part[0]}" in _affine(condition).names}
            for axis, place in enumerate(places):
                if motion.is_uniform(axis):
                    continue
                for name in place.names:
                    if not name.startswith(RESULT):
                        continue
                    target = self._axis(name)
                    same = place.variable == name and motion.parts[axis] == self.parts[target]
                    uniform -= {
                        (target, part)
                        for part in range(len(self.parts[target]))
                        if not (same and (axis, part) in motion.uniform)
                    }
        return uniform | {(a, p) for a, sizes in enumerate(self.parts) for p, s in enumerate(sizes) if s == 1}


def _ratio(ratio: Fraction) -> str:
    return str(ratio)
