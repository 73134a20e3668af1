"""Finds what dims must be multiples of for two sizes to be equal: 2·⌊H/2⌋ is H if H is even."""

from __future__ import annotations

from collections.abc import Callable
from math import lcm

from .algebra import Call, DimLike, terms_of
from .queries import counted, dim_symbols

#: The largest multiple that is tried.
MOST = 4096


def fitting_multiples(a: DimLike, b: DimLike) -> dict[str, int]:
    """The least numbers for the dims of two sizes such that the sizes are equal whenever each dim is a multiple of its
    number. {} if there are none.
    """
    return multiples_where(lambda multiples: counted(a, multiples) == counted(b, multiples), a - b)


def multiples_where(fits: Callable[[dict[str, int]], bool], size: DimLike) -> dict[str, int]:
    """The least numbers that the dims of a size must be multiples of so that ``fits`` holds; {} if there are none."""
    names = sorted(dim_symbols(size))
    most = period(size)
    if not names or most > MOST:
        return {}
    divisors = [number for number in range(1, most + 1) if most % number == 0]
    for largest in divisors[1:]:
        if not fits(multiples := dict.fromkeys(names, largest)):
            continue
        for name in names:  # one dim may need less than the others
            multiples[name] = next(number for number in divisors if fits({**multiples, name: number}))
        return {name: number for name, number in multiples.items() if number > 1}
    return {}


def period(size: DimLike) -> int:
    """A number such that no floor in a size rounds if all dims are multiples of it."""
    multiple = 1
    for monomial, _ in terms_of(size):
        for atom in monomial:
            if isinstance(atom, Call):
                inner = lcm(*map(period, atom.arguments))
                divisor = atom.arguments[1] if atom.function == "floordiv" else 1
                multiple = lcm(multiple, inner * divisor if isinstance(divisor, int) else inner)
    return multiple
