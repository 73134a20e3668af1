"""The curve of a learning rate range test, as an SVG document and as a page."""

from __future__ import annotations

from math import ceil, floor, log10

import numpy as np

from netwright.runtime.training.rates import RateCurve

from ..drawing.ticks import round_ticks
from ..inspection.rates import advice
from ..markup import escape
from ..model import Model
from ..version import VERSION
from .template import file_text, whole_page

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 400, 64, 16, 20, 44
#: The chart's own style, for an SVG file that stands alone.
_STYLE = (
    "text{fill:#5b6779;font:12px system-ui,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}"
    ".grid{stroke:#dfe4ea}polyline{fill:none;stroke-width:2;stroke-linejoin:round}"
    "polyline.train{stroke:#2158b5}circle.loss{fill:#8794a8}.reading{stroke:#b4540a;stroke-dasharray:5 4}"
)


def shown_range(curve: RateCurve) -> tuple[float, float]:
    """The least and the greatest loss to show: a loss that diverges would flatten the rest."""
    before = curve.smoothed[: curve.least + 1]
    low, high = float(before.min()), float(before.max())
    margin = 0.15 * (high - low) or max(abs(low), 1.0) * 0.05
    return max(low - margin, 0.0) if low >= 0 else low - margin, high + margin


def rate_chart(curve: RateCurve, *, alone: bool = True) -> str:
    """The losses and the smoothed curve over rates, with the readings. ``alone`` makes a document of it."""
    low, high = shown_range(curve)
    first, last = log10(curve.rates[0]), log10(curve.rates[-1])
    last = max(last, first + 1e-9)

    def x(rate: float) -> float:
        return _LEFT + (log10(rate) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(loss: float) -> float:
        return _TOP + (high - loss) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    attributes = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="loss by learning rate"'
    if alone:
        size = f'xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"'
        parts = [f"<svg {size} {attributes}>", f"<style>{_STYLE}</style>"]
        parts.append(f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>')
    else:
        parts = [f"<svg {attributes}>"]
    for loss in round_ticks(low, high):
        parts.append(_line("grid", _LEFT, y(loss), _WIDTH - _RIGHT, y(loss)))
        parts.append(f'<text x="{_LEFT - 6}" y="{y(loss) + 4:.1f}" text-anchor="end">{loss:.6g}</text>')
    for power in range(ceil(first - 1e-9), floor(last + 1e-9) + 1):
        place = min(max(x(10.0**power), _LEFT), _WIDTH - _RIGHT)
        parts.append(_line("grid", place, _TOP, place, _HEIGHT - _BOTTOM))
        parts.append(f'<text x="{place:.1f}" y="{_HEIGHT - 26}" text-anchor="middle">1e{power}</text>')
    parts.append(
        f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">learning rate</text>'
    )
    for rate, loss in zip(curve.rates, curve.losses, strict=True):
        if low <= loss <= high:
            parts.append(
                f'<circle class="loss" cx="{x(rate):.1f}" cy="{y(loss):.1f}" r="1.6">'
                f"<title>loss {loss:.6g} at {rate:.3g}</title></circle>"
            )
    points = zip(curve.rates, np.clip(curve.smoothed, low, high).tolist(), strict=True)
    path = " ".join(f"{x(rate):.1f},{y(loss):.1f}" for rate, loss in points)
    parts.append(f'<polyline class="train" points="{path}"/>')
    for number, (name, rate) in enumerate(readings(curve).items()):
        if curve.rates[0] <= rate <= curve.rates[-1]:
            parts.append(_line("reading", x(rate), _TOP, x(rate), _HEIGHT - _BOTTOM))
            end = ' text-anchor="end"' if x(rate) > _WIDTH * 0.75 else ""
            parts.append(
                f'<text x="{x(rate) + (-5 if end else 5):.1f}" y="{_TOP + 14 + 16 * number}"{end}>'
                f"{escape(name)}: {rate:.2g}</text>"
            )
    return "".join([*parts, "</svg>"])


def readings(curve: RateCurve) -> dict[str, float]:
    """The rates that the curve speaks for, by what they are; none if the loss does not fall."""
    named = {"steepest fall": curve.steepest, "a tenth of the least loss's": curve.tenth}
    return {name: rate for name, rate in named.items() if rate is not None}


def rate_page(model: Model, curve: RateCurve) -> str:
    """The page as HTML."""
    totals = {name: f"{rate:.2g}" for name, rate in readings(curve).items()}
    totals |= {
        "steps": f"{len(curve.losses)} of {curve.planned}",
        "diverged": "yes" if curve.diverged else "no",
    }
    values = {
        "title": escape(f"{model.name}: learning rates"),
        "totals": "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in totals.items()
        ),
        "chart": rate_chart(curve, alone=False),
        "advice": "".join(f"<p>{escape(line)}</p>" for line in advice(curve)),
        "footer": escape(f"netwright {VERSION} · {model.load.file}"),
        "style": file_text("page.css") + "circle.loss{fill:var(--quiet)}"
        ".reading{stroke:var(--valid);stroke-dasharray:5 4}",
    }
    return whole_page("rates.html", values, policy="img-src data:")


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
