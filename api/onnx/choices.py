"""Branches that depend on open sizes: one is taken, and the size is one for which that is right.

Exporters write `if x.shape[1] == 1: squeeze` for a network that makes sense for one of both alone. Where a model can't
be imported with one branch, the other is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from netwright.specs.dims import Dim, Range, dim_symbols, evaluate

from .agreement import Sizes
from .errors import OnnxError, Refusal

R = TypeVar("R")
#: Sizes up to which a condition is tried, and how often a model is imported in all.
MOST_TRIED, MOST_IMPORTED = 8192, 8


@dataclass
class Choices:
    """Which branches are taken, by the name of what they give; ``wanted`` are those that are not the usual ones."""

    wanted: Mapping[str, bool] = field(default_factory=dict)
    taken: dict[str, bool] = field(default_factory=dict)

    def take(self, name: str, condition: Dim, ranges: MutableMapping[str, Range]) -> bool:
        """The truth of a condition that is 0 or 1 by an open size, which is narrowed to sizes for which it holds: large
        ones, if nothing else is wanted. Raises Refusal for what is not decided by one size."""
        symbols = sorted(dim_symbols(condition))
        if len(symbols) != 1:
            raise Refusal(f"the condition depends on the open sizes {', '.join(symbols)}")
        (symbol,) = symbols
        least, most = ranges.get(symbol, (1, None))
        least = 1 if least is None else least
        last = least + MOST_TRIED if most is None else min(most, least + MOST_TRIED)
        truths = [(size, bool(evaluate(condition, {symbol: size}))) for size in range(least, last + 1)]
        runs = [(truth, [size for size, _ in run]) for truth, run in groupby(truths, key=lambda one: one[1])]
        usual = runs[-1][0]
        truth = self.wanted.get(name, usual)
        sizes = [run for one, run in runs if one == truth]
        if not sizes:
            raise Refusal(f"the condition is {str(usual).lower()} for all {symbol}")
        found = sizes[-1] if truth == usual else sizes[0]
        ranges[symbol] = (found[0], most if found[-1] == last else found[-1])
        self.taken[name] = truth
        return truth


def with_choices(attempt: Callable[[Choices], R]) -> R:
    """What an import gives: with the usual branches, else with others, the last one first. Where none will do, raises
    the error that other names of open sizes mend, else that of the usual ones."""
    waiting: list[dict[str, bool]] = [{}]
    first: OnnxError | None = None
    for _ in range(MOST_IMPORTED):
        if not waiting:
            break
        choices = Choices(waiting.pop())
        try:
            return attempt(choices)
        except OnnxError as error:
            if first is None or (_is_of_names(error) and not _is_of_names(first)):
                first = error.with_traceback(None)  # what was made until then is not kept
        fixed = len(choices.wanted)
        for name, truth in list(choices.taken.items())[fixed:]:
            before = dict(list(choices.taken.items())[: list(choices.taken).index(name)])
            waiting.append({**before, name: not truth})
    assert first is not None
    raise first


def _is_of_names(error: OnnxError) -> bool:
    """Whether one size under two names is at fault."""
    mismatches = (one for finding in error.findings for one in finding.mismatches)
    return any(isinstance(one, Sizes) and one.names() for one in mismatches)
