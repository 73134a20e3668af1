"""Which of many alike cases run by default: a fixed slice that has every kind; `pytest --deep` runs all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def sliced(cases: Iterable[Any], chosen: Callable[..., bool]) -> list[Any]:
    """Parameters of a test. Those that are not ``chosen`` (asked with a case's values) run with `--deep` only."""
    found = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        found.append(pytest.param(*values, marks=() if chosen(*values) else pytest.mark.deep))
    return found
