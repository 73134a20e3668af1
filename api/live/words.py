"""Numbers and durations in columns, and rows of bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"
#: The width of the longest number.
NUMBER_WIDTH = 9


def number_text(value: float) -> str:
    """A number in at most ten characters, with four decimals where that says enough."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}"
    return f"{value:.3e}" if math.isfinite(value) else str(value)


def rate_text(rate: float) -> str:
    """A learning rate: ``0.001``, ``2.5e-05``."""
    return f"{rate:.3g}"


def duration_text(seconds: float) -> str:
    """``3.2 s``, ``1:02``, ``5:01:02``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def sparkline(values: Sequence[float], width: int) -> str:
    """The values as a row of at most ``width`` bars, from their least to their greatest."""
    known = [value for value in values if math.isfinite(value)]
    if not known or width < 1:
        return ""
    count = min(width, len(known))
    cuts = [len(known) * i // count for i in range(count + 1)]
    means = [sum(known[a:b]) / (b - a) for a, b in pairwise(cuts)]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)
