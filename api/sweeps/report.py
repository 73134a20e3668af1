"""The results of a sweep: a table, and a page with a scatter plot for each key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..markup import escape
from ..report.template import file_text, whole_page
from ..trainings.chart import COLOURS
from ..trainings.describing import seconds_of
from ..trainings.table import number_text, seconds_text, table_lines
from ..version import VERSION
from .definition import Sweep
from .search import Trial, ranked

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 260, 62, 18, 14, 44


def sweep_to_json(sweep: Sweep, trials: Sequence[Trial]) -> dict[str, Any]:
    """The definition and the trials, the best ones first, as plain values."""
    return {
        "model": sweep.model,
        "method": sweep.method,
        "metric": sweep.metric,
        "rises": sweep.rises,
        "trials": [
            {
                "name": trial.name,
                "values": trial.values,
                "state": trial.state,
                "epochs": len(trial.run.history) if trial.run else 0,
                "value": trial.value,
                "path": str(trial.run.path) if trial.run else None,
            }
            for trial in ranked(sweep, list(trials))
        ],
    }


def sweep_lines(sweep: Sweep, trials: Sequence[Trial], width: int) -> list[str]:
    """A table of the trials, the best ones first."""
    short = short_keys(sweep.keys)
    rows = [_row(sweep, trial, short) for trial in ranked(sweep, list(trials))]
    columns = ["trial", sweep.metric, "epochs", *short.values(), "state", "time"]
    return table_lines(rows, columns, width, right=(sweep.metric, "epochs", "time"), needed=3 + len(short))


def _row(sweep: Sweep, trial: Trial, short: Mapping[str, str]) -> dict[str, str]:
    run = trial.run
    return {
        "trial": trial.name,
        sweep.metric: number_text(trial.value),
        "epochs": f"{len(run.history)}" if run else "",
        **{short[key]: value for key, value in trial.values.items()},
        "state": trial.state,
        "time": seconds_text(seconds_of(run)) if run else "",
    }


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Keys by as many of their last parts as tell them apart."""
    names: dict[str, str] = {}
    for key in keys:
        parts = key.split(".")
        length = 1
        while length < len(parts) and any(
            other != key and other.split(".")[-length:] == parts[-length:] for other in keys
        ):
            length += 1
        names[key] = ".".join(parts[-length:])
    return names


def sweep_page(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """The page as HTML: the best trial, a plot per key, and the table."""
    order = ranked(sweep, list(trials))
    short = short_keys(sweep.keys)
    best = order[0]
    totals = {
        "trials": f"{sum(trial.value is not None for trial in trials)} of {len(trials)}",
        "method": sweep.method,
        f"best {sweep.metric}": number_text(best.value),
        "by": best.name,
    }
    columns = ["trial", sweep.metric, "epochs", *short.values(), "state", "time"]
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(row.get(name, ''))}</td>" for name in columns) + "</tr>"
        for row in (_row(sweep, trial, short) for trial in order)
    )
    plots = "".join(
        f"<figure><figcaption>{escape(key)}</figcaption>{scatter(sweep, trials, key)}</figure>"
        for key in sweep.keys
    )
    values = {
        "title": escape(f"{sweep.model}: a sweep"),
        "totals": "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in totals.items()
        ),
        "plots": plots,
        "head": head,
        "rows": body,
        "footer": escape(f"netwright {VERSION} · {sweep.spec}"),
        "style": file_text("page.css"),
    }
    return whole_page("sweep.html", values, policy="img-src data:")


def scatter(sweep: Sweep, trials: Sequence[Trial], key: str) -> str:
    """The metric of each trial over its value of ``key``; runs trained for fewer epochs are paler."""
    done = [trial for trial in trials if trial.value is not None and trial.run is not None]
    if not done:
        return "<p>no trial has a result</p>"
    values = [trial.value for trial in done if trial.value is not None]
    low, high = min(values), max(values)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    places, ticks = _axis([trial.values[key] for trial in done])
    most = max(len(trial.run.history) for trial in done if trial.run)
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(place: float) -> float:
        return _LEFT + (0.04 + 0.92 * place) * wide

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * tall

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(sweep.metric)} by {escape(key)}">'
    ]
    for tick in range(5):
        value = low + (high - low) * tick / 4
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        )
    for place, text in ticks:
        parts.append(
            f'<text x="{x(place):.1f}" y="{_HEIGHT - 24}" text-anchor="middle">{escape(text)}</text>'
        )
    best = ranked(sweep, list(trials))[0]
    for trial, place in zip(done, places, strict=True):
        epochs = len(trial.run.history) if trial.run else 0
        mark = COLOURS[1] if trial is best or trial.number == best.number else COLOURS[0]
        parts.append(
            f'<circle cx="{x(place):.1f}" cy="{y(trial.value or 0.0):.1f}" r="4.5" fill="{mark}" '
            f'fill-opacity="{0.3 + 0.7 * epochs / max(most, 1):.2f}">'
            f"<title>{escape(trial.name)}: {number_text(trial.value)} with {escape(trial.values[key])}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def _axis(values: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Where values are on an axis from 0 to 1, and its ticks. Numbers over a wide range go by their logarithms; texts
    are next to each other.
    """
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)) or len(set(numbers)) == 1:
        names = list(dict.fromkeys(values))
        step = 1 / max(len(names) - 1, 1)
        place = {name: step * number if len(names) > 1 else 0.5 for number, name in enumerate(names)}
        return [place[value] for value in values], [(place[name], name) for name in names[:8]]
    if min(numbers) > 0 and max(numbers) / min(numbers) >= 10:
        low, high = math.log10(min(numbers)), math.log10(max(numbers))
        ticks = [
            ((power - low) / (high - low), f"1e{power}")
            for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
        ]
        ends = [(0.0, f"{min(numbers):g}"), (1.0, f"{max(numbers):g}")]
        return [(math.log10(number) - low) / (high - low) for number in numbers], ticks if len(
            ticks
        ) > 1 else ends
    low, high = min(numbers), max(numbers)
    ticks = [(part / 2, f"{low + (high - low) * part / 2:.3g}") for part in range(3)]
    return [(number - low) / (high - low) for number in numbers], ticks
