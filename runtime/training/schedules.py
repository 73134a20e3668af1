"""Learning rates as numbers, for what is reported: the formulas that the compiled training step computes itself."""

from __future__ import annotations

import math

from netwright.specs.models.train import AnyRate, ConstantRate, CosineRate, PlateauRate, StepRate


def rate_after(schedule: AnyRate, updates: int, scale: float = 1.0) -> float:
    """The learning rate of the next update after so many. ``scale`` is what a plateau multiplies it by.

    The formulas are in the schedules' docstrings.
    """
    match schedule:
        case ConstantRate():
            rate = schedule.initial
        case StepRate(every=every, factor=factor):
            rate = schedule.initial * factor ** (updates // every)
        case CosineRate(steps=steps, final=final):
            phase = math.pi * min(updates / steps, 1.0)
            rate = final + (schedule.initial - final) * (1 + math.cos(phase)) / 2
        case PlateauRate(initial=initial, final=final):
            rate = max(scale * initial, min(initial, final))
        case _:
            raise TypeError(f"unknown schedule {schedule!r}")
    if schedule.warm_up:
        rate *= min((updates + 1) / (schedule.warm_up + 1), 1.0)
    return rate


def reported(rate: float) -> float:
    """A rate with nine digits: so many are the same, whichever way a schedule's formula was computed."""
    return float(f"{rate:.9g}")
