"""The curves of several runs as one SVG document: a chart per number, training dashed, validation solid."""

from __future__ import annotations

from collections.abc import Sequence

from ..drawing.ticks import round_ticks
from ..markup import escape
from .reading import Run

#: Okabe and Ito (2008): told apart by colour-blind readers, too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a8a")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 560, 300, 62, 16, 34, 44
_LINE = 20
_STYLE = (
    "text{fill:#333;font:12px system-ui,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}"
    ".grid{stroke:#dfe4ea}polyline{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".train{stroke-dasharray:5 4;stroke-width:1.4}.title{font-weight:600}"
)

Line = tuple[str, str, list[tuple[float, float]]]
"""A colour, `train` or `valid`, and points."""


def runs_chart(listed: Sequence[Run], metrics: Sequence[str] = ()) -> str:
    """The curves by epoch of the numbers in ``metrics`` (`loss`, …), by default all. Raises ValueError if there are no
    epochs to draw, or no such number.
    """
    known = dict.fromkeys(name for run in listed for record in run.history for name in record["train"])
    if not known:
        raise ValueError("none of the runs has finished an epoch")
    if unknown := [name for name in metrics if name not in known]:
        raise ValueError(f"no run has the number {unknown[0]}; there is {', '.join(known)}")
    charts = [(name, _lines(listed, name)) for name in metrics or known]
    parts = [
        chart(title, lines, x_title="epoch", top=number * _HEIGHT)
        for number, (title, lines) in enumerate(charts)
    ]
    height = _HEIGHT * len(charts) + _LINE * (len(listed) + 1)
    for number, run in enumerate(listed):
        y = _HEIGHT * len(charts) + _LINE * number + 8
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + 24}" y1="{y}" y2="{y}" stroke="{_colour(number)}" stroke-width="2"/>'
            f'<text x="{_LEFT + 32}" y="{y + 4}">{escape(run.name)}</text>'
        )
    y = _HEIGHT * len(charts) + _LINE * len(listed) + 12
    parts.append(
        f'<text x="{_LEFT}" y="{y}" fill-opacity="0.7">dashed: training data, solid: validation data</text>'
    )
    return document("".join(parts), _WIDTH, height)


def document(body: str, width: int, height: int) -> str:
    """An SVG document on white."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#ffffff"/>{body}</svg>\n'
    )


def chart(title: str, lines: Sequence[Line], *, x_title: str, top: int = 0) -> str:
    """A chart of lines, a group of SVG elements. A line of a single point is a dot."""
    points = [point for _, _, line in lines for point in line]
    xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    first, last = min(xs), max(max(xs), min(xs) + 1e-9)
    low, high = min(ys), max(ys)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[str, str]:
        return (
            f"{_LEFT + (x - first) / (last - first) * wide:.1f}",
            f"{_TOP + (high - y) / (high - low) * tall:.1f}",
        )

    parts = [
        f'<g transform="translate(0 {top})"><text class="title" x="{_LEFT}" y="18">{escape(title)}</text>'
    ]
    for value in round_ticks(low, high):
        _, y = place(first, value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{value:.6g}</text>')
    for x in sorted({first, round((first + last) / 2), max(xs)}):
        at, _ = place(x, low)
        parts.append(f'<text x="{at}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{x:g}</text>')
    parts.append(
        f'<text x="{_LEFT + wide / 2:.0f}" y="{_HEIGHT - _BOTTOM + 34}" text-anchor="middle">{escape(x_title)}</text>'
    )
    for colour, kind, line in lines:
        if len(line) > 1:
            path = " ".join(",".join(place(x, y)) for x, y in line)
            parts.append(f'<polyline class="{kind}" stroke="{colour}" points="{path}"/>')
        elif line:
            x, y = place(*line[0])
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
    return "".join([*parts, "</g>"])


def _lines(listed: Sequence[Run], name: str) -> list[Line]:
    lines: list[Line] = []
    for number, run in enumerate(listed):
        for part in ("train", "valid"):
            points = [
                (float(record["epoch"]), float(value))
                for record in run.history
                if (value := (record[part] or {}).get(name)) is not None
            ]
            if points:
                lines.append((_colour(number), part, points))
    return lines


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
