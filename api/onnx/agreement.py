"""Sizes of operands that must be equal by the rules of their operators.

If two of them are not equal, the model may still be right: one size may have several names, or always be a multiple of
some number. A misfit recorded here says what would make them agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from netwright.specs.dims import (
    Call,
    Dim,
    DimLike,
    Range,
    Shape,
    counted,
    dim,
    dim_symbols,
    exact_div,
    multiples_where,
    substitute,
)

from .errors import Mismatch
from .operand_sizes import BROADCASTING, alike


@dataclass(frozen=True, slots=True)
class Sizes(Mismatch):
    """Two sizes that are not equal or, with ``divides``, one that the other does not divide."""

    a: DimLike
    b: DimLike
    divides: bool = False

    def agree(self, a: DimLike, b: DimLike) -> bool:
        """Whether the two sizes agree."""
        return exact_div(a, b) is not None if self.divides else a == b

    def names(self) -> Mapping[str, str]:
        """The names that must mean the same size as others, each with the other; {} if that can't help."""
        pairs = [
            pair
            for pair in product(sorted(dim_symbols(self.a)), sorted(dim_symbols(self.b)))
            if pair[0] != pair[1]
        ]
        for count in (1, 2):
            for chosen in combinations(pairs, count):
                same = {name: other for other, name in chosen}
                if len(same) < count or same.keys() & set(same.values()):
                    continue
                binding = {name: dim(other) for name, other in same.items()}
                if self.agree(substitute(self.a, binding), substitute(self.b, binding)):
                    return same
        return {}

    def limits(self) -> Mapping[str, Range]:
        """The limits for dims under which the sizes agree, if limits suffice: `min(20, T)` is T if T is at most 20."""
        ranges: dict[str, Range] = {}
        for size in (self.a, self.b):
            for monomial, _ in size.terms if isinstance(size, Dim) else ():
                for atom in monomial:
                    if not isinstance(atom, Call) or atom.function == "floordiv" or len(atom.arguments) != 2:
                        continue
                    numbers = [argument for argument in atom.arguments if isinstance(argument, int)]
                    names = [
                        str(arg) for arg in atom.arguments if isinstance(arg, Dim) and arg == dim(arg.text)
                    ]
                    if numbers and names:
                        least, most = (1, numbers[0]) if atom.function == "min" else (numbers[0], None)
                        ranges[names[0]] = (least, most)
        return ranges

    def multiples(self) -> Mapping[str, int]:
        """What the dims must be multiples of; {} if that can't help."""

        def fits(multiples: dict[str, int]) -> bool:
            return self.agree(counted(self.a, multiples), counted(self.b, multiples))

        return multiples_where(fits, self.a - self.b if not self.divides else _periodic(self.a, self.b))


def _periodic(a: DimLike, b: DimLike) -> DimLike:
    """An expression that rounds as the two sizes do, and by the number that divides them."""
    factors = [b] if isinstance(b, int) else [factor for _, factor in b.terms]
    rounded: DimLike = a - b
    for factor in factors:
        if abs(factor) > 1:
            rounded = rounded + sum((dim(name) // abs(factor) for name in sorted(dim_symbols(a))), start=0)
    return rounded


def differing(
    op: str, shapes: Sequence[Shape | None], attributes: Mapping[str, Any], opset: int
) -> list[Sizes]:
    """Compares the sizes of operands that must be equal. Returns the misfits that depend on open sizes."""
    if opset < 7 and "axis" in attributes and op in BROADCASTING:
        return []
    mismatches = [Sizes(a, b) for a, b in alike(op, shapes, attributes) if a != b]
    return [mismatch for mismatch in mismatches if dim_symbols(mismatch.a) or dim_symbols(mismatch.b)]


def same_names(mismatches: Iterable[Mismatch]) -> dict[str, str]:
    """The names that must mean the same size as others, from all misfits; each name is replaced by one other."""
    names: dict[str, str] = {}
    for mismatch in mismatches:
        for name, other in mismatch.names().items() if isinstance(mismatch, Sizes) else ():
            while other in names:
                other = names[other]
            if name not in names and name != other:
                names = {key: other if value == name else value for key, value in names.items()}
                names[name] = other
    return names
