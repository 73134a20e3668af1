"""Branches that depend on open sizes: one branch is taken, and the size is restricted to values for which that is
right.

Exporters write `if x.shape[1] == 1: squeeze` for networks in which only one of the branches makes sense. If a model
can't be imported with one branch, the other is tried.
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
#: The largest size for which a condition is tried, and how often a model is imported in all.
MOST_TRIED, MOST_IMPORTED = 8192, 8


@dataclass
class Choices:
    """Which branches are taken, by the name of their result. ``wanted`` are the ones that differ from the usual
    choice.
    """

    wanted: Mapping[str, bool] = field(default_factory=dict)
    taken: dict[str, bool] = field(default_factory=dict)

    def take(self, name: str, condition: Dim, ranges: MutableMapping[str, Range]) -> bool:
        """Decides a condition that is 0 or 1 by an open size, and restricts the size to values for which it holds.

        Unless something else is wanted, these are the large ones. Raises Refusal if not exactly one size decides.
        """
        symbols = sorted(dim_symbols(condition))
        if len(symbols) != 1:
            raise Refusal(f"the condition depends on the open sizes {', '.join(symbols)}")
        (symbol,) = symbols
        least, most = ranges.get(symbol, (1, None))
        least = 1 if least is None else least
        last = least + MOST_TRIED if most is None else min(most, least + MOST_TRIED)
        truths = [(size, bool(evaluate(condition, {symbol: size}))) for size in range(least, last + 1)]
        runs = [(truth, [size for size, _ in run]) for truth, run in groupby(truths, key=lambda row: row[1])]
        usual = runs[-1][0]
        truth = self.wanted.get(name, usual)
        sizes = [run for case, run in runs if case == truth]
        if not sizes:
            raise Refusal(f"the condition is {str(usual).lower()} for all {symbol}")
        run = sizes[-1] if truth == usual else sizes[0]
        ranges[symbol] = (run[0], most if run[-1] == last else run[-1])
        self.taken[name] = truth
        return truth


def with_choices(attempt: Callable[[Choices], R]) -> R:
    """Imports with the usual branches and, if that fails, with others, changing the last choice first.

    If none works, raises the error that renaming open sizes can solve, otherwise the error of the usual branches.
    """
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
                first = error.with_traceback(None)  # drop what was made before the failure
        fixed = len(choices.wanted)
        for name, truth in list(choices.taken.items())[fixed:]:
            before = dict(list(choices.taken.items())[: list(choices.taken).index(name)])
            waiting.append({**before, name: not truth})
    assert first is not None
    raise first


def _is_of_names(error: OnnxError) -> bool:
    """Whether the cause is one size under two names."""
    mismatches = (mismatch for finding in error.findings for mismatch in finding.mismatches)
    return any(isinstance(mismatch, Sizes) and mismatch.names() for mismatch in mismatches)
