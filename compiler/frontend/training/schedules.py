"""Learning rates as functions of the number of updates made, computed inside the graph in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

from netwright.specs.manifest import SCALE
from netwright.specs.models.train import ConstantRate, CosineRate, PlateauRate, ScheduleSpec, StepRate

from ...graph.types import TensorType
from ..tensor import Tensor, full

MakeState = Callable[[str, TensorType], Tensor]


def learning_rate(schedule: ScheduleSpec, step: Tensor, state: MakeState) -> Tensor:
    """The rate, float64 [], after ``step`` (int64 []) updates. What a plateau multiplies it by is a ``state``."""
    s = step.cast("float64")
    match schedule:
        case ConstantRate():
            rate = full(s.graph, schedule.initial, s.type)
        case StepRate(every=every, factor=factor):
            drops = (s / every).apply("floor")
            rate = (drops * math.log(factor)).exp() * schedule.initial
        case CosineRate(steps=steps, final=final):
            phase = (s / steps).minimum(1) * math.pi
            rate = (phase.apply("cos") + 1) * ((schedule.initial - final) / 2) + final
        case PlateauRate(initial=initial, final=final):
            scale = state(SCALE, s.type)
            rate = (scale * initial).maximum(min(initial, final))
        case _:
            raise TypeError(f"unknown schedule {schedule!r}")
    if schedule.warm_up:
        rate = rate * ((s + 1) / (schedule.warm_up + 1)).minimum(1)
    return rate
