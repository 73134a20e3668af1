"""Where sizes come from: every size of a signal knows the layer that made it, how, and from which sizes before it.

So that a size that does not fit can be followed through all layers, back to the input, and forth again: which input
would have given a size that fits?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from netwright.specs.dims import DimLike

#: How many steps of a history are told: the nearest ones, and where it began.
_TOLD = 5
#: Inputs that are tried go up to this, and to this many times the size there is.
_LARGEST, _TIMES = 1 << 14, 64

#: The size that another one becomes; None where it does not fit.
Rule = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Origin:
    """The layer or input that made a size, and its arithmetic in words; ``sources`` are the sizes it was made from, and
    ``rule`` says what it would be for another size of its one source. ``axis`` and ``size`` are those of an input."""

    name: str
    text: str
    sources: tuple[Origin, ...] = ()
    rule: Rule | None = None
    axis: int | None = None
    size: int | None = None


def history(origins: Iterable[Origin]) -> list[Origin]:
    """Origins and what they were made from, nearest first; of a long history its end and its beginning."""
    found: dict[tuple[str, str], Origin] = {}
    pending = list(origins)
    while pending:
        origin = pending.pop(0)
        if found.setdefault((origin.name, origin.text), origin) is origin:
            pending += origin.sources
    told = list(found.values())
    return told if len(told) <= _TOLD else [*told[: _TOLD - 1], told[-1]]


def smallest_input(origin: Origin, fits: Callable[[int], bool]) -> Origin | None:
    """The input's axis that a size goes back to, with the smallest size, from its own on, under which this one fits.
    None where there is none, or the history has a step without a rule."""
    rules: list[Rule] = []
    while origin.axis is None:
        if len(origin.sources) != 1 or origin.rule is None:
            return None
        rules.append(origin.rule)
        (origin,) = origin.sources
    if origin.size is None:
        return None
    for tried in range(origin.size, min(_LARGEST, _TIMES * origin.size + _TIMES) + 1):
        size: int | None = tried
        for rule in reversed(rules):
            size = None if size is None else rule(size)
        if size is not None and fits(size):
            return Origin(origin.name, origin.text, axis=origin.axis, size=tried)
    return None


def linear(factor: DimLike, extra: DimLike) -> Rule | None:
    """factor·n + extra, where both are known."""
    if isinstance(factor, int) and isinstance(extra, int):
        return lambda size: factor * size + extra if factor * size + extra > 0 else None
    return None
