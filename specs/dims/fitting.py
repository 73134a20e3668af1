"""What dims have to be multiples of for two sizes to be the same: 2·⌊H/2⌋ is H where H is even."""

from __future__ import annotations

from collections.abc import Callable
from math import lcm

from .algebra import Call, DimLike, terms_of
from .queries import counted, dim_symbols

#: No size is tried as a multiple of more.
MOST = 4096


def fitting_multiples(a: DimLike, b: DimLike) -> dict[str, int]:
    """The least numbers that the dims of two sizes have to be multiples of so that these are the same; {} where no
    number helps. Multiples of those fit as well."""
    return multiples_where(lambda multiples: counted(a, multiples) == counted(b, multiples), a - b)


def multiples_where(fits: Callable[[dict[str, int]], bool], size: DimLike) -> dict[str, int]:
    """The least numbers that the dims of a size have to be multiples of so that something fits; {} where none helps."""
    names = sorted(dim_symbols(size))
    most = period(size)
    if not names or most > MOST:
        return {}
    divisors = [number for number in range(1, most + 1) if most % number == 0]
    for largest in divisors[1:]:
        if not fits(found := dict.fromkeys(names, largest)):
            continue
        for name in names:  # one dim may need less than another
            found[name] = next(number for number in divisors if fits({**found, name: number}))
        return {name: number for name, number in found.items() if number > 1}
    return {}


def period(size: DimLike) -> int:
    """A number of which all dims being multiples means that nothing is rounded in a size."""
    found = 1
    for monomial, _ in terms_of(size):
        for atom in monomial:
            if isinstance(atom, Call):
                inner = lcm(*map(period, atom.arguments))
                divisor = atom.arguments[1] if atom.function == "floordiv" else 1
                found = lcm(found, inner * divisor if isinstance(divisor, int) else inner)
    return found
