"""From the text of a cell to a number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_TRUTH = {"0": False, "1": True, "false": False, "true": True, "False": False, "True": True}

#: What a parser of cells raises for text that is no such number.
BAD_CELL = (ValueError, KeyError, OverflowError)


def cell_parser(dtype: np.dtype) -> tuple[Callable[[str], float | int | bool], type, str]:
    """How a cell becomes a number for an array of this type, of which type that is, and its name in messages. The
    parser raises one of ``BAD_CELL``.
    """
    if dtype.kind == "b":
        return _TRUTH.__getitem__, np.bool_, "truth value (0, 1, true, false)"
    if dtype.kind in "iu":
        return _without_underscore(int), np.int64, "whole number"
    return _without_underscore(float), np.float64, "number"


def bad_cell(cell: str, what: str, named: str) -> str:
    """What is wrong with a cell that is no ``what``; ``named`` stands for one without text."""
    return f"{cell[:60]!r} is no {what}" if cell.strip() else f"{named} is empty"


def _without_underscore(parse: Callable[[str], float]) -> Callable[[str], float]:
    def parsed(cell: str) -> float:
        if "_" in cell:  # Python reads 2020_01 as a number
            raise ValueError
        return parse(cell)

    return parsed
