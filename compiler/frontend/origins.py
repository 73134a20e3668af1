"""Where sizes come from: every size of a signal knows the layer that made it, how, and from which sizes before it.

So that a size that does not fit can be followed through all layers, back to the input, and forth again: which input
would have given a size that fits?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from netwright.specs.diagnostics.fixes import Fix, replaced
from netwright.specs.dims import DimLike
from netwright.specs.load import LoadResult

#: How many steps of a history are told: the nearest ones, and where it began.
_TOLD = 5
#: How many sizes of an input are tried, from its own on.
_TRIES = 1 << 14

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


@dataclass(frozen=True, slots=True)
class Root:
    """The axis of an input that a size goes back to, and what becomes of its sizes on the way."""

    name: str
    axis: int
    size: int
    rules: tuple[Rule, ...]

    def becomes(self, size: int) -> int | None:
        """The size that one of the input's would become; None where it does not fit somewhere."""
        found: int | None = size
        for rule in self.rules:
            found = None if found is None else rule(found)
        return found

    def tries(self) -> range:
        """The input's sizes to try: from its own on."""
        return range(self.size, self.size + _TRIES)


def root(origin: Origin) -> Root | None:
    """The input's axis that a size goes back to; None where it has an open size, or a step has no rule."""
    rules: list[Rule] = []
    while origin.axis is None:
        if len(origin.sources) != 1 or origin.rule is None:
            return None
        rules.append(origin.rule)
        (origin,) = origin.sources
    return (
        None if origin.size is None else Root(origin.name, origin.axis, origin.size, tuple(reversed(rules)))
    )


def smallest_input(origin: Origin, fits: Callable[[int], bool]) -> tuple[Root, int] | None:
    """The input's axis that a size goes back to, with the smallest size, from its own on, under which this one fits.
    None where there is none, or the history has a step without a rule."""
    found = root(origin)
    if found is None:
        return None
    for tried in found.tries():
        size = found.becomes(tried)
        if size is not None and fits(size):
            return found, tried
    return None


def smallest_agreement(first: Origin, second: Origin) -> tuple[Root, int] | None:
    """The one axis of an input that two sizes go back to, with the smallest size, from its own on, under which they are
    equal. None as above."""
    one, other = root(first), root(second)
    if one is None or other is None or (one.name, one.axis) != (other.name, other.axis):
        return None
    for tried in one.tries():
        size = one.becomes(tried)
        if size is not None and size == other.becomes(tried):
            return one, tried
    return None


def input_sizes(
    load: LoadResult, found: Iterable[tuple[Root, int] | None], more: str = ""
) -> tuple[Fix, ...]:
    """The fix that gives an input other sizes, all of one input; none where one of them was not found."""
    wanted: dict[tuple[str | int, ...], int] = {}
    for one in found:
        if one is None:
            return ()
        path = ("inputs", one[0].name, "shape", one[0].axis)
        wanted[path] = max(one[1], wanted.get(path, 0))
    return resized(load, wanted, more)


def resized(load: LoadResult, sizes: Mapping[tuple[str | int, ...], int], more: str = "") -> tuple[Fix, ...]:
    """The fix that writes other sizes into the shape of one input."""
    edits = []
    for path, size in sizes.items():
        node = load.node(path)
        if node is None or node.value != size:
            edits += [edit for fix in replaced(node, size) for edit in fix.edits]
    names = {str(path[1]) for path in sizes}
    if not edits or len(names) != 1:
        return ()
    ordered = tuple(sorted(sizes.items(), key=lambda item: str(item[0])))
    title = f"{names.pop()} of {'×'.join(str(size) for _, size in ordered)}{more}"
    return (Fix(title, tuple(edits), sizes=ordered),)


def linear(factor: DimLike, extra: DimLike) -> Rule | None:
    """factor·n + extra, where both are known."""
    if isinstance(factor, int) and isinstance(extra, int):
        return lambda size: factor * size + extra if factor * size + extra > 0 else None
    return None
