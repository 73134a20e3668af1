"""Gradients through recurrences as SVG: the norm of ∂L/∂h(t) over t, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, log10

from ..inspection.gradients import Flow
from ..markup import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 210, 46, 12, 14, 30
#: How much larger a document of its own is.
_SCALE = 1.6
#: Norms are drawn from 1e-12 to 1e12.
_LEAST, _MOST = -12.0, 12.0
_COLOURS = ("#b4540a", "#2158b5", "#2f7d32", "#8a3ffc", "#5b6779")
_STYLE = (
    "text{fill:#5b6779;font:11px system-ui,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}"
    ".grid{stroke:#dfe4ea}polyline{fill:none;stroke-width:2;stroke-linejoin:round}"
)


def flow_chart(lines: Mapping[str, Flow]) -> str:
    """An SVG document with a line for each flow, by the name that it is to have."""
    names = list(lines)
    width, height = _WIDTH * _SCALE, (_HEIGHT + 18 * len(names)) * _SCALE
    style = "".join(
        f".line{number}{{stroke:{_COLOURS[number % len(_COLOURS)]}}}" for number in range(len(names))
    )
    legend = []
    for number, (name, flow) in enumerate(lines.items()):
        y = _HEIGHT + 18 * number + 6
        said = f"{name}: {flow.verdict}, × {flow.gain:.3g} per step, {flow.left:.1e} at the first step"
        legend.append(f'<polyline class="line{number}" points="{_LEFT},{y} {_LEFT + 22},{y}"/>')
        legend.append(f'<text x="{_LEFT + 28}" y="{y + 4}">{escape(said)}</text>')
    numbered = {f"line{number}": flow for number, flow in enumerate(lines.values())}
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT + 18 * len(names)}" role="img" aria-label="gradients by step">'
        f"<style>{_STYLE}{style}</style>"
        f'<rect width="100%" height="100%" fill="#ffffff"/>{_axes_and_lines(numbered)}{"".join(legend)}</svg>'
    )


def flow_lines(name: str, lines: Mapping[str, Flow]) -> str:
    """The same for a page whose style knows the lines' classes, which are their keys."""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="gradient of {escape(name)} by step">'
        f"{_axes_and_lines(lines)}</svg>"
    )


def _axes_and_lines(lines: Mapping[str, Flow]) -> str:
    points = {
        part: [
            (step, min(_MOST, max(_LEAST, log10(norm) if norm > 0 else _LEAST)))
            for step, norm in enumerate(flow.norms)
            if isfinite(norm)
        ]
        for part, flow in lines.items()
    }
    values = [value for line in points.values() for _, value in line] or [0.0]
    low, high = min(-1.0, min(values)), max(1.0, max(values))
    last = max((len(flow.norms) - 1 for flow in lines.values()), default=1) or 1

    def x(step: float) -> float:
        return _LEFT + step / last * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    step = max(1, round((high - low) / 4))
    for power in range(int(-(-low // 1)), int(high // 1) + 1):
        if power % step == 0:
            at = f"{y(power):.1f}"
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at}" y2="{at}"/>')
            label = "1" if power == 0 else f"1e{power}"
            parts.append(f'<text x="{_LEFT - 6}" y="{y(power) + 4:.1f}" text-anchor="end">{label}</text>')
    for where in sorted({0, last // 2, last}):
        label = f"t = {where}" if where == 0 else str(where)
        parts.append(f'<text x="{x(where):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{label}</text>')
    for part, line in points.items():
        path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in line)
        parts.append(f'<polyline class="{part}" points="{path}"/>')
    return "".join(parts)
