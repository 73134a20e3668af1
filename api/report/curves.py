"""The curves of a training as SVG: one chart for the loss and one for each metric, over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from netwright.runtime.plan import EpochRecord

from ..markup import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 230, 58, 12, 16, 30
_TICKS = 4


def charts(history: Sequence[EpochRecord]) -> list[tuple[str, str]]:
    """The chart of each number, by its name; empty for a training without a finished epoch."""
    names = list(history[0].train) if history else []
    return [(name, _chart(name, history)) for name in names]


def _chart(name: str, history: Sequence[EpochRecord]) -> str:
    series = {"train": [(record.epoch, record.train.get(name)) for record in history]}
    series["valid"] = [(record.epoch, (record.valid or {}).get(name)) for record in history]
    points = {
        part: [(epoch, value) for epoch, value in line if value is not None and isfinite(value)]
        for part, line in series.items()
    }
    values = [value for line in points.values() for _, value in line]
    if not values:
        return "<p>no finite value</p>"
    low, high = min(values), max(values)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    first, last = history[0].epoch, max(history[-1].epoch, history[0].epoch + 1)

    def x(epoch: float) -> float:
        return _LEFT + (epoch - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)} by epoch">']
    for tick in range(_TICKS + 1):
        value = low + (high - low) * tick / _TICKS
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for epoch in sorted({first, (first + last) // 2, last}):
        parts.append(f'<text x="{x(epoch):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{epoch}</text>')
    for part, line in points.items():
        if line:
            path = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in line)
            parts.append(f'<polyline class="{part}" points="{path}"/>')
            (epoch, value) = line[-1]
            parts.append(
                f'<circle class="{part}" cx="{x(epoch):.1f}" cy="{y(value):.1f}" r="3">'
                f"<title>{part} {value:.6g} after epoch {epoch}</title></circle>"
            )
    return "".join([*parts, "</svg>"])
