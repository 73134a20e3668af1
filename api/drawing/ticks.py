"""Places on an axis that people expect: 1, 2 and 5 times powers of ten."""

from __future__ import annotations

from math import ceil, floor, isfinite, log10


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most ``most`` evenly spaced round numbers from ``low`` to ``high``; two or more unless the range is empty."""
    if not (isfinite(low) and isfinite(high) and high > low):
        return [low]
    power = floor(log10((high - low) / most)) - 1
    for exponent in range(power, power + 4):
        for factor in (1, 2, 5):
            step = factor * 10.0**exponent
            first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
            if 0 < last - first + 1 <= most:
                # A power of ten below 1 is not exact; dividing by its inverse is.
                unit = 10.0 ** max(-exponent, 0)
                scale = factor * 10.0 ** max(exponent, 0)
                return [number * scale / unit for number in range(first, last + 1)]
    return [low, high]
