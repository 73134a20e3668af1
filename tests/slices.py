"""Which of many alike cases run by default: a fixed slice that has every kind; `pytest --deep` runs all."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest


def sliced(cases: Iterable[Any], chosen: Callable[..., bool]) -> list[Any]:
    """Parameters of a test. Those that are not ``chosen`` (asked with a case's values) run with `--deep` only."""
    found = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        found.append(pytest.param(*values, marks=() if chosen(*values) else pytest.mark.deep))
    return found


def left_out(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Cases of tests marked ``alike`` that run with `--deep` only.

    Of their combinations one in so many runs, spread by their names, and each value of each parameter at least once.
    Where a test has one parameter alone, or several that are given together, one in so many of its values runs.
    """
    tests: dict[tuple[str, str], list[pytest.Function]] = defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("alike"):
            tests[item.location[0], item.originalname].append(item)
    return {item for cases in tests.values() for item in _left_out(cases)}


def _left_out(cases: Sequence[pytest.Function]) -> set[pytest.Function]:
    marker = cases[0].get_closest_marker("alike")
    assert marker is not None
    (share,) = marker.args
    spread = sorted(cases, key=lambda case: zlib.crc32(case.name.encode()))
    kept = list(spread[::share])
    parameters = {
        name: [case.callspec.indices[name] for case in spread] for name in cases[0].callspec.indices
    }
    if len({tuple(values) for values in parameters.values()}) > 1:
        seen = {value for case in kept for value in case.callspec.indices.items()}
        for case in spread:
            if not seen.issuperset(case.callspec.indices.items()):
                seen.update(case.callspec.indices.items())
                kept.append(case)
    return set(cases) - set(kept)
