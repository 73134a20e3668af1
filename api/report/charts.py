"""Charts of a page: what is drawn, as plain values. `charts.js` draws them with uPlot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from ..markup import escape, script_json
from .template import file_text

#: What a line is of, which decides its colour: the training or the validation data; one of several things in an order
#: (a layer, from the input to the output); or nothing of these.
Part = Literal["train", "valid", "steps", "ordered"]


@dataclass(frozen=True)
class Line:
    """A line: y over x. ``run`` counts the runs of the page. Numbers that are not finite are gaps."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    part: Part = "train"
    run: int = 0

    def to_json(self) -> dict[str, Any]:
        """What the script reads."""
        return {
            "name": self.name,
            "part": self.part,
            "run": self.run,
            "x": [_short(x) for x in self.x],
            "y": [None if y is None or not isfinite(y) else _short(y) for y in self.y],
        }


@dataclass(frozen=True)
class Chart:
    """A chart. ``log`` is whether its y axis is logarithmic; of a ``smooth`` one, the page's controls decide that, and
    how far it is smoothed. ``marks`` are places on the x axis, by run, such as the best epoch. The x of a
    "histogram" are the middles of its bins.
    """

    title: str
    lines: Sequence[Line]
    x: str = "epoch"
    note: str = ""
    kind: Literal["lines", "histogram"] = "lines"
    log: bool = False
    smooth: bool = False
    marks: Sequence[tuple[int, float, str]] = ()

    def to_json(self) -> dict[str, Any]:
        """What the script reads."""
        return {
            "title": self.title,
            "x": self.x,
            "kind": self.kind,
            "log": self.log,
            "smooth": self.smooth,
            "marks": [list(mark) for mark in self.marks],
            "lines": [line.to_json() for line in self.lines],
        }


class ChartSheet:
    """Collects the charts of a page: ``place`` gives the HTML for one, ``to_json`` all of them for the script."""

    def __init__(self) -> None:
        self._charts: list[Chart] = []

    def place(self, chart: Chart) -> str:
        """The place of a chart, with its title as a caption."""
        self._charts.append(chart)
        note = f' <span class="quiet">{escape(chart.note)}</span>' if chart.note else ""
        label = escape(f"{chart.title} by {chart.x}")
        place = f'<div class="chart" data-chart="{len(self._charts) - 1}" tabindex="0" role="img" aria-label="{label}">'
        caption = f"<figcaption>{escape(chart.title)}{note}</figcaption>"
        return f'<figure class="{chart.kind}">{caption}{place}</div></figure>'

    def row(self, charts: Sequence[Chart]) -> str:
        """The places of several charts side by side."""
        return (
            f'<div class="charts {charts[0].kind}">{"".join(map(self.place, charts))}</div>' if charts else ""
        )

    def to_json(self) -> list[dict[str, Any]]:
        """All charts that were placed."""
        return [chart.to_json() for chart in self._charts]


def chart_scripts(sheet: ChartSheet) -> str:
    """What a page needs at its end to draw its charts; empty if it has none."""
    charts = sheet.to_json()
    if not charts:
        return ""
    library = file_text("uplot/uPlot.iife.min.js")
    license = file_text("uplot/LICENSE.md").replace("*/", "")
    return (
        f'<script type="application/json" id="the-charts">{script_json(charts)}</script>\n'
        f"<style>\n{file_text('uplot/uPlot.min.css')}\n{file_text('charts.css')}</style>\n"
        f"<script>\n/*\n{license}\n*/\n{library}\n</script>\n<script>\n{file_text('charts.js')}</script>"
    )


def _short(value: float) -> float:
    """A number with as many digits as anybody can see."""
    return float(f"{value:.6g}")
