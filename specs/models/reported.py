"""The names by which losses and metrics are reported."""

from __future__ import annotations

from collections.abc import Iterator

from .losses import AnyLoss, Comparison
from .metrics import AnyMetric
from .train import TrainSpec

TOTAL = "loss"
"""What is minimized: the loss, or the weighted sum of several."""


def loss_names(train: TrainSpec) -> list[str]:
    """The name of each loss that is reported beside the total: of one alone only if it is given."""
    if len(train.losses) == 1:
        return [loss.name for loss in train.losses if loss.name is not None]
    return [loss.name or _short_name(loss) for loss in train.losses]


def _short_name(loss: AnyLoss) -> str:
    return f"{loss.output}_loss" if isinstance(loss, Comparison) else f"{loss.type}_loss"


def metric_names(train: TrainSpec) -> Iterator[tuple[str, AnyMetric]]:
    """Each metric with its name; a second one of the same default name has its output in its name."""
    names: set[str] = set()
    for metric in train.metrics:
        name = metric.name or metric.short_name
        if name in names and metric.name is None:
            loss = train.compared(metric.output)
            name = f"{name}_{metric.output or (loss.output if loss else '')}"
        names.add(name)
        yield name, metric


def reported_names(train: TrainSpec) -> list[str]:
    """All names, in the order of the report: what is minimized, its parts, the metrics."""
    return [TOTAL, *loss_names(train), *(name for name, _ in metric_names(train))]
