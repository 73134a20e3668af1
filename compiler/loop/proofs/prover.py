"""Proves that sizes are never negative, from what is known of the names in them.

What is known are *facts*: polynomials that are ≥ 0 (bounds of loop variables and dims, conditions). To prove a goal ≥
0, the prover eliminates one atom after the other, innermost first, by subtracting a suitable multiple of a fact that
contains it, until no term can be negative. This resembles Fourier–Motzkin elimination, but follows the goal, with
backtracking. All atoms are integers, so rounding a constant down keeps a goal equivalent. Proofs by few facts are
searched first: nearly all proofs are short, and a search without a limit would follow long wrong ways before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from math import gcd

from netwright.specs.dims import Atom, Call, Dim, DimLike, Monomial, Unit, dim, dim_symbols, product

from .limits import Limits, Polynomial, add_term, polynomial

#: Limits of the search: combinations tried in one search, and facts used one after the other, in the successive
#: searches for one proof.
MOST_STEPS = 600
MOST_FACTS = (2, 4, 5, 6, 8, 14)


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared name: low ≤ name ≤ high."""

    name: str
    low: DimLike
    high: DimLike | None


@dataclass
class _Scope:
    said: list[Variable | DimLike] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    facts: list[tuple[Atom, int]] = field(default_factory=list)  # (atom, how many facts it had before)
    proved: list[DimLike] = field(default_factory=list)
    failed: set[DimLike] = field(default_factory=set)  # what could not be proved since the last fact


class Prover:
    """Facts in nested scopes, and proofs from them. ``steps`` counts the combinations tried for the last proof."""

    def __init__(self, dims: Iterable[tuple[str, int]]):
        self._levels: dict[str, int] = {}
        self._limits = Limits()
        self._facts: dict[Atom, list[tuple[Polynomial, int]]] = {}
        self._meanings: dict[Atom, list[tuple[Polynomial, int]]] = {}
        self._proved: set[DimLike] = set()  # in all open scopes
        self._scopes = [_Scope()]
        self.steps, self._last_step, self._most_facts, self._cut = 0, 0, 0, False
        for name, least in dims:
            self.variable(name, least, None)

    # -- what is known ------------------------------------------------------------------------------------------

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Names and facts added inside are forgotten at the end of the scope."""
        self._scopes.append(_Scope())
        yield
        scope = self._scopes.pop()
        self._proved.difference_update(scope.proved)
        for atom, count in reversed(scope.facts):
            del self._facts[atom][count:]
        for name in scope.names:
            del self._levels[name]
        if scope.names:  # also forgets what was derived from these names
            self._limits.forget(scope.names)
            for atom in [a for a in self._meanings if isinstance(a, Call) and not self.known(a)]:
                del self._meanings[atom]

    def known(self, value: DimLike | Call) -> bool:
        """Whether every name in ``value`` is in scope."""
        return dim_symbols(value) <= self._levels.keys()

    def declared(self, name: str) -> bool:
        return name in self._levels

    def variable(self, name: str, low: DimLike, high: DimLike | None) -> None:
        """Declares a name with low ≤ name ≤ high."""
        self._scopes[-1].said.append(Variable(name, low, high))
        self._limits.declare(name, low, high)
        self._levels[name] = len(self._levels)
        self._scopes[-1].names.append(name)
        self._add_fact(dim(name) - low)
        if high is not None:
            self._add_fact(high - dim(name))
            self._add_fact(high - low)  # such a value exists

    def assume(self, value: DimLike) -> None:
        """Adds the fact value ≥ 0."""
        self._scopes[-1].said.append(value)
        self._add_fact(value)

    def said(self) -> Iterator[Variable | DimLike]:
        """All that is known, in the form in which it was added: variables, and sizes that are ≥ 0."""
        for scope in self._scopes:
            yield from scope.said

    def _add_fact(self, value: DimLike) -> None:
        fact = _normalized(polynomial(value))
        for monomial, factor in fact.items():
            if len(monomial) == 1:
                (atom,) = monomial
                if not any(atom in other for other in fact if other != monomial):
                    known = self._facts.setdefault(atom, [])
                    if (fact, factor) not in known:
                        self._scopes[-1].facts.append((atom, len(known)))
                        known.append((fact, factor))
        self._scopes[-1].failed.clear()

    # -- proofs -------------------------------------------------------------------------------------------------

    def proves(self, value: DimLike) -> bool:
        """Whether value ≥ 0 can be proved for all admitted values of its names. False if the search exceeds its
        limits."""
        if isinstance(value, int):
            return value >= 0
        if value in self._proved:
            return True
        scope, self.steps = self._scopes[-1], 0
        if value in scope.failed:
            return False
        least = self._limits.least(value)
        if (least is not None and least >= 0) or self._found(_normalized(polynomial(value))):
            self._proved.add(value)
            scope.proved.append(value)
            return True
        scope.failed.add(value)
        return False

    def _found(self, goal: Polynomial) -> bool:
        for most_facts in MOST_FACTS:
            self._last_step, self._most_facts, self._cut = self.steps + MOST_STEPS, most_facts, False
            if self._search(goal, 0, set()):
                return True
            if not self._cut:  # the search was complete: more facts add nothing
                return False
        return False

    def _search(self, goal: Polynomial, depth: int, failed: set[frozenset[tuple[Monomial, int]]]) -> bool:
        goal = self._divided(goal)
        least = self._limits.least_of(goal)
        if least is not None and least >= 0:
            return True
        key = frozenset(goal.items())
        self.steps += 1
        if depth == self._most_facts or self.steps > self._last_step:
            self._cut = True
            return False
        if key in failed:
            return False
        for atom in self._innermost_first(goal):
            sign, multiplier = self._factor(goal, atom)
            if sign:
                for fact, factor in reversed(self._facts_of(atom)):
                    if factor * sign > 0 and self._search(
                        _combined(goal, multiplier, fact, factor), depth + 1, failed
                    ):
                        return True
            if (
                isinstance(atom, Call)
                and atom.function != "floordiv"
                and all(
                    self._search(_replaced(goal, atom, case), depth + 1, failed) for case in atom.arguments
                )
            ):
                return True
        failed.add(key)
        return False

    def _divided(self, goal: Polynomial) -> Polynomial:
        """The equivalent goal without positive factors that all its terms share: rounding constants down helps where
        they stand beside no name, as in A - 2*B and not N*A - 2*N*B for A ≥ x/2 and B ≤ (x + 1)/4.
        """
        if () in goal or not goal:
            return goal
        first, *others = goal
        for atom in first:
            if all(atom in monomial for monomial in others) and (self._limits.least_atom(atom) or 0) > 0:
                divided = {_less(monomial, atom): factor for monomial, factor in goal.items()}
                return self._divided(_normalized(divided))
        return goal

    def _innermost_first(self, goal: Polynomial) -> list[Atom]:
        atoms = {atom for monomial in goal for atom in monomial}
        return sorted(atoms, key=self._level, reverse=True)

    def _level(self, atom: Atom) -> tuple[int, int, str]:
        if isinstance(atom, str):
            return self._levels[atom], 0, atom
        return max((self._levels[name] for name in dim_symbols(atom)), default=0), _depth(atom), str(atom)

    def _factor(self, goal: Polynomial, atom: Atom) -> tuple[int, Polynomial]:
        """Sign and magnitude of the factor of ``atom``; sign 0 if it is unknown or the goal is not linear in
        ``atom``."""
        factor: Polynomial = {}
        for monomial, coefficient in goal.items():
            if atom in monomial:
                rest = _less(monomial, atom)
                if atom in rest:
                    return 0, {}
                factor[rest] = coefficient
        for sign in (1, -1):
            magnitude = {monomial: sign * coefficient for monomial, coefficient in factor.items()}
            least = self._limits.least_of(magnitude)
            if least is not None and least >= 0:
                return sign, magnitude
        return 0, {}

    def _facts_of(self, atom: Atom) -> list[tuple[Polynomial, int]]:
        """Facts that contain ``atom``, with its factor in each; the most recent last."""
        if isinstance(atom, str):
            return self._facts.get(atom, [])
        if atom not in self._meanings:
            self._meanings[atom] = self._meaning(atom)
        return self._meanings[atom] + self._facts.get(atom, [])

    def _meaning(self, atom: Call) -> list[tuple[Polynomial, int]]:
        """Facts about a call that hold by the definition of its function: floor division, minimum or maximum."""
        value = Dim((((atom,), 1),))
        known: list[DimLike] = []
        if atom.function == "floordiv":
            numerator, divisor = atom.arguments
            assert isinstance(divisor, int)
            most_left = 0 if isinstance(atom, Unit) else divisor - 1
            known = [numerator - divisor * value, divisor * value + most_left - numerator]
        else:
            sign = 1 if atom.function == "min" else -1
            known = [sign * (argument - value) for argument in atom.arguments]
        least = self._limits.least_atom(atom)
        if least is not None:
            known.append(value - least)
        facts = [polynomial(fact) for fact in known]
        return [(fact, fact[(atom,)]) for fact in facts if (atom,) in fact]


@lru_cache(maxsize=1 << 14)
def _depth(atom: Atom) -> int:
    """How deeply calls are nested."""
    if not isinstance(atom, Call):
        return 0
    sizes = [argument for argument in atom.arguments if isinstance(argument, Dim)]
    return 1 + max(
        (_depth(own) for size in sizes for monomial, _ in size.terms for own in monomial), default=0
    )


def _normalized(goal: Polynomial) -> Polynomial:
    """The equivalent goal, divided by the common divisor of its factors."""
    common = gcd(*(coefficient for monomial, coefficient in goal.items() if monomial))
    if common <= 1:
        return goal
    divided = {monomial: coefficient // common for monomial, coefficient in goal.items()}
    if not divided.get((), 1):
        del divided[()]
    return divided


def _combined(goal: Polynomial, multiplier: Polynomial, fact: Polynomial, factor: int) -> Polynomial:
    """|factor|·goal - multiplier·fact, which does not contain the atom; if it is ≥ 0, so is the goal."""
    scale = abs(factor)
    result = {monomial: scale * coefficient for monomial, coefficient in goal.items()}
    if scale > 1:
        add_term(result, (), scale - 1)
    for left, a in multiplier.items():
        for right, b in fact.items():
            add_term(result, _times(left, right), -a * b)
    return _normalized(result)


def _less(monomial: Monomial, atom: Atom) -> Monomial:
    """A monomial without one of its factors."""
    at = monomial.index(atom)
    return (*monomial[:at], *monomial[at + 1 :])


def _times(left: Monomial, right: Monomial) -> Monomial:
    if not left:
        return right
    if not right:
        return left
    ((monomial, _),) = (Dim(((left, 1),)) * Dim(((right, 1),))).terms  # type: ignore[union-attr]
    return monomial


def _replaced(goal: Polynomial, atom: Atom, value: DimLike) -> Polynomial:
    total: DimLike = 0
    for monomial, coefficient in goal.items():
        factors: list[DimLike] = [value if own == atom else Dim((((own,), 1),)) for own in monomial]
        total = total + coefficient * product(factors)
    return _normalized(polynomial(total))
