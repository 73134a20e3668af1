"""Origins of sizes: every size of a signal knows the layer that made it, how, and from which sizes.

So a size that does not fit can be traced through all layers back to the input, and computed forwards again: which
size of the input would fit?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from netwright.specs.diagnostics.fixes import Fix, replaced
from netwright.specs.dims import DimLike
from netwright.specs.load import LoadResult

#: The most steps of a history to show: the nearest ones, and the first.
_TOLD = 5
#: How many sizes of an input to try, beginning with its present one.
_TRIES = 1 << 14

#: Maps a size to the one made from it; None if it does not fit.
Rule = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Origin:
    """The layer or input that made a size, and its arithmetic in words.

    ``sources`` are the sizes that it was made from; ``rule`` maps another value of the single source to the result.
    ``axis`` and ``size`` are those of an input.
    """

    name: str
    text: str
    sources: tuple[Origin, ...] = ()
    rule: Rule | None = None
    axis: int | None = None
    size: int | None = None


def history(origins: Iterable[Origin]) -> list[Origin]:
    """Origins and what they were made from, nearest first; a long history is cut to its end and its beginning."""
    seen: dict[tuple[str, str], Origin] = {}
    pending = list(origins)
    while pending:
        origin = pending.pop(0)
        if seen.setdefault((origin.name, origin.text), origin) is origin:
            pending += origin.sources
    shown = list(seen.values())
    return shown if len(shown) <= _TOLD else [*shown[: _TOLD - 1], shown[-1]]


@dataclass(frozen=True, slots=True)
class Root:
    """The axis of an input that a size was made from, and the rules of the layers in between."""

    name: str
    axis: int
    size: int
    rules: tuple[Rule, ...]

    def becomes(self, size: int) -> int | None:
        """The size that results from another size of the input; None if a layer in between does not accept it."""
        result: int | None = size
        for rule in self.rules:
            result = None if result is None else rule(result)
        return result

    def tries(self) -> range:
        """The sizes of the input to try."""
        return range(self.size, self.size + _TRIES)


def root(origin: Origin) -> Root | None:
    """The axis of an input that a size was made from; None if that axis is open, or a step has no rule."""
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
    """The axis of an input that a size was made from, and its smallest size (no less than now) for which the result
    fits. None if there is none, or a step has no rule."""
    source = root(origin)
    if source is None:
        return None
    for tried in source.tries():
        size = source.becomes(tried)
        if size is not None and fits(size):
            return source, tried
    return None


def smallest_agreement(first: Origin, second: Origin) -> tuple[Root, int] | None:
    """The one axis of an input that two sizes were made from, and its smallest size (no less than now) for which both
    results are equal. None if there is none, or a step has no rule."""
    source, other = root(first), root(second)
    if source is None or other is None or (source.name, source.axis) != (other.name, other.axis):
        return None
    for tried in source.tries():
        size = source.becomes(tried)
        if size is not None and size == other.becomes(tried):
            return source, tried
    return None


def input_sizes(
    load: LoadResult, choices: Iterable[tuple[Root, int] | None], more: str = ""
) -> tuple[Fix, ...]:
    """The fix that gives an input other sizes; empty unless all were found, and for one input."""
    wanted: dict[tuple[str | int, ...], int] = {}
    for choice in choices:
        if choice is None:
            return ()
        path = ("inputs", choice[0].name, "shape", choice[0].axis)
        wanted[path] = max(choice[1], wanted.get(path, 0))
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
    """The rule size → factor·size + extra; None unless both are known."""
    if isinstance(factor, int) and isinstance(extra, int):
        return lambda size: factor * size + extra if factor * size + extra > 0 else None
    return None
