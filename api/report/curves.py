"""The curves of trainings: loss, metrics, learning rate and speed, of one run or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..describe import count_text
from ..live.words import duration_text, number_text
from ..markup import escape
from .charts import Chart, ChartSheet, Line

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """How a training went: the ``records`` of its steps and epochs (as `metrics.jsonl` has them), and of the norms of
    gradients by layer.
    """

    name: str
    records: Sequence[Record] = ()
    gradients: Sequence[Record] = field(default=())

    @property
    def epochs(self) -> list[Record]:
        """The records of epochs."""
        return [record for record in self.records if record["kind"] == "epoch"]

    @property
    def best(self) -> Record | None:
        """The best epoch, if epochs were compared."""
        return next((record for record in reversed(self.epochs) if record.get("best")), None)


def training_section(courses: Sequence[Course], sheet: ChartSheet) -> str:
    """The curves with their controls; empty if no epoch was finished."""
    shown = [course for course in courses if course.epochs]
    if not shown:
        return ""
    charts = [_score_chart(name, courses) for name in _score_names(shown)]
    charts += [
        chart
        for title, key in (("learning rate", "learning_rate"), ("samples per second", "samples_per_second"))
        if (chart := _plain_chart(title, key, courses)) is not None
    ]
    said = _said(shown[0]) if len(courses) == 1 else count_text(len(courses), "run")
    return (
        f'<section id="the-training"><h2>Training</h2><p class="quiet">{escape(said)}</p>{_controls(courses)}'
        f"{sheet.row(charts)}</section>"
    )


def _said(course: Course) -> str:
    epochs, best = course.epochs, course.best
    seconds = sum(record.get("seconds") or 0.0 for record in epochs)
    parts = [count_text(len(epochs), "epoch"), f"{epochs[-1]['step']:,} steps", duration_text(seconds)]
    if best is not None:
        numbers = (best.get("valid") or best["train"]).items()
        kept = ", ".join(f"{name} {number_text(value)}" for name, value in numbers if value is not None)
        parts.append(f"best after epoch {best['epoch']}: {kept}")
    return " · ".join(parts)


def _controls(courses: Sequence[Course]) -> str:
    runs = ""
    if len(courses) > 1:
        boxes = "".join(
            f'<label><input type="checkbox" data-run="{number}" checked><span class="swatch"></span>'
            f"{escape(course.name)}</label>"
            for number, course in enumerate(courses)
        )
        runs = f'<div class="runs" role="group" aria-label="runs">{boxes}</div>'
    return (
        '<div class="controls"><label><input type="checkbox" data-option="log"> logarithmic</label>'
        '<label>smoothing <input type="range" data-option="smooth" min="0" max="0.98" step="0.02" value="0"></label>'
        '<label><input type="checkbox" data-option="zero"> from 0</label>'
        '<span class="quiet">drag to zoom, double-click for all, ← → to read</span></div>'
        f"{runs}"
    )


def _score_names(courses: Sequence[Course]) -> list[str]:
    return list(dict.fromkeys(name for course in courses for name in course.epochs[0]["train"]))


def _score_chart(name: str, courses: Sequence[Course]) -> Chart:
    """A score of the training and the validation data over epochs; of the loss also within epochs."""
    lines, marks = [], []
    for run, course in enumerate(courses):
        epochs = course.epochs
        prefix = f"{course.name} " if len(courses) > 1 else ""
        if name == "loss" and (steps := _steps(course)):
            lines.append(Line(f"{prefix}steps", [x for x, _ in steps], [y for _, y in steps], "steps", run))
        for part in ("train", "valid"):
            values = [(record.get(part) or {}).get(name) for record in epochs]
            if any(value is not None for value in values):
                lines.append(
                    Line(f"{prefix}{part}", [record["epoch"] for record in epochs], values, part, run)
                )  # type: ignore[arg-type]
        if course.best is not None:
            marks.append((run, course.best["epoch"], "best"))
    return Chart(name, lines, smooth=True, marks=marks)


def _steps(course: Course) -> list[tuple[float, float | None]]:
    """The losses of steps, by the epoch as a number with a fraction."""
    ends = {0: 0, **{record["epoch"]: record["step"] for record in course.epochs}}
    lengths = [ends[epoch] - ends[epoch - 1] for epoch in ends if epoch - 1 in ends]
    usual = max(lengths, default=0)
    places = []
    for record in course.records:
        if record["kind"] != "step" or (start := ends.get(record["epoch"] - 1)) is None:
            continue
        length = ends.get(record["epoch"], start + usual) - start
        if length > 0:
            places.append((record["epoch"] - 1 + (record["step"] - start) / length, record.get("loss")))
    return places


def _plain_chart(title: str, key: str, courses: Sequence[Course]) -> Chart | None:
    lines = [
        Line(
            course.name if len(courses) > 1 else title,
            [record["epoch"] for record in course.epochs],
            [record.get(key) for record in course.epochs],
            "train",
            run,
        )
        for run, course in enumerate(courses)
        if any(record.get(key) is not None for record in course.epochs)
    ]
    return Chart(title, lines) if lines else None
