"""Draws a curve as text, for terminals: with the eight dots that a Braille character has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BLANK = 0x2800
#: The bit of the dot in a row and column of a character.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def curve_lines(values: Sequence[float], low: float, high: float, columns: int, rows: int) -> list[str]:
    """Lines of text with the curve of ``values`` at equal distances, from ``low`` (bottom) to ``high`` (top). What is
    above or below is not drawn.
    """
    width, height = columns * 2, rows * 4
    grid = np.zeros((rows, columns), np.int64)
    places = np.interp(np.linspace(0, len(values) - 1, width), np.arange(len(values)), np.asarray(values))
    span = high - low or 1.0
    levels = np.clip((high - places) / span, -1, 2) * (height - 1)
    before = levels[0]
    for x, level in enumerate(levels):
        start, end = sorted((round(before), round(level)))
        if end - start > 1:  # a steep piece has no gaps
            start, end = (start + 1, end) if level > before else (start, end - 1)
        else:
            start = end = round(level)
        for y in range(max(start, 0), min(end, height - 1) + 1):
            grid[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
        before = level
    return ["".join(chr(_BLANK + dots) if dots else " " for dots in line).rstrip() for line in grid.tolist()]
