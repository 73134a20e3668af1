"""NumPy's linear algebra on one thread: how OpenBLAS divides a decomposition decides how its results are rounded."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

from .overlapping import Overlapping

#: The functions of OpenBLAS that tell and set how many threads it has: as NumPy's packages name them, and its own.
_NAMES = (
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
)
_before: list[int] = []


@cache
def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """How many threads OpenBLAS has, and what changes that; None where NumPy has another library."""
    try:
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)  # type: ignore[attr-defined]
    except (OSError, AttributeError):
        return None
    for told, changed in _NAMES:
        if hasattr(library, told) and hasattr(library, changed):
            return getattr(library, told), getattr(library, changed)
    return None


def _begin() -> None:
    if functions := _functions():
        _before.append(functions[0]())
        functions[1](1)


def _end() -> None:
    if functions := _functions():
        functions[1](_before.pop())


#: While this lasts, NumPy's linear algebra has one thread.
one_thread = Overlapping(_begin, _end)
