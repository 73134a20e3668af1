"""The report's section on gradients: through the steps of recurrences, and by layer while the network was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import NDArray

from ..inspection.gradients import Flow, gradient_flow
from ..model import Model
from .charts import Chart, ChartSheet, Line
from .curves import Course, Record


def gradient_section(
    model: Model,
    weights: Mapping[str, NDArray] | None,
    course: Course | None,
    sheet: ChartSheet,
    dims: Mapping[str, int] | None = None,
) -> str:
    """Charts of both; empty if there is neither. ``dims`` say how long the sequences are."""
    start = gradient_flow(model, dims=dims).flows
    shown = start and weights is not None
    trained = gradient_flow(model, weights, dims=dims).flows if shown else (None,) * len(start)
    parts = []
    if start:
        legend = '<span class="key train">first weights</span>'
        legend += ' <span class="key valid">trained</span>' if weights is not None else ""
        said = "Through time: the norm of ∂L/∂h(t), the last step’s being 1, on random inputs."
        charts = [_flow(flow, other) for flow, other in zip(start, trained, strict=True)]
        parts.append(f'<p class="quiet">{said} · {legend}</p>{sheet.row(charts)}')
    if course is not None and course.gradients:
        said = (
            "While training: the norm of ∂L/∂θ over each layer’s parameters, on one small batch after each epoch; "
            "blue is near the input, red near the output."
        )
        parts.append(f'<p class="quiet">{said}</p>{sheet.row([_layers(course.gradients)])}')
    if not parts:
        return ""
    return f'<section id="the-gradients"><h2>Gradient flow</h2>{"".join(parts)}</section>'


def _flow(flow: Flow, trained: Flow | None) -> Chart:
    said = f"{flow.verdict}: × {flow.gain:.3g} per step"
    said += f", spectral radius {flow.radius:.3g}" if flow.radius is not None else ""
    said += f"; trained, × {trained.gain:.3g}" if trained else ""
    lines = [Line("first weights", range(len(flow.norms)), flow.norms, "train")]
    if trained is not None:
        lines.append(Line("trained", range(len(trained.norms)), trained.norms, "valid"))
    return Chart(flow.layer, lines, "t", said, log=True)


def _layers(records: Sequence[Record]) -> Chart:
    epochs = [record["epoch"] for record in records]
    names = list(dict.fromkeys(name for record in records for name in record["norms"]))
    lines = [
        Line(name, epochs, [record["norms"].get(name) for record in records], "ordered") for name in names
    ]
    return Chart("norm of the gradient by layer", lines, log=True)
