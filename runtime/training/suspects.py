"""Updates that data which are infinite or NaN have spoiled.

Such data may leave the loss finite, but not its gradients. A network may also be made for them (a mask of −∞), so the
data alone tell nothing: what tells is the update.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..batches import Batch, Batches
from ..data.samples import Samples
from .causes import NETWORK, UPDATES, cause_of, not_finite
from .feeding import data_inputs
from .steps import Steps


def cause_of_loss(
    steps: Steps, weights: Mapping[str, NDArray], batch: Batch, data: Samples, mask: str | None
) -> str:
    """Why the loss of a batch is not finite, as that process explains it that has the samples at fault. ``weights`` are
    the last known good ones.
    """
    cause = UPDATES
    if batch.arrays:
        cause = cause_of(steps.session, weights, batch.arrays, data, batch.rows, mask)
    return steps.explanation({{UPDATES: 0, NETWORK: 1}.get(cause, 2): cause})


def cause_of_update(steps: Steps, batch: Batch, data: Samples, mask: str | None) -> str:
    """Why the update by a batch is not finite."""
    infos = data_inputs(steps.session, steps.entry)
    cause = not_finite(infos, data, batch.rows, mask) if batch.arrays else None
    return steps.explanation({int(cause is not None): cause or UPDATES})


@dataclass(frozen=True)
class Before:
    """What a session held before a step."""

    weights: dict[str, NDArray]
    state: dict[str, NDArray]


class Suspects:
    """Watches the steps of an epoch; all processes of a training call it alike. If all data are finite it costs
    nothing.
    """

    def __init__(self, steps: Steps, batches: Batches):
        self._steps = steps
        self._watching = steps.agreed(not batches.always_finite)

    def before(self, batch: Batch) -> Before | None:
        """What to go back to if the step with this batch spoils the values; None if the batch is finite."""
        if not self._watching or not self._steps.agreed(not batch.finite):
            return None
        session = self._steps.session
        return Before(session.weights, session.state)

    def spoiled(self, before: Before) -> bool:
        """Whether values are infinite or NaN since; those from before are then put back."""
        session = self._steps.session
        now = {**session.weights, **session.state}
        if not self._steps.agreed(any(not np.isfinite(array).all() for array in now.values())):
            return False
        session.assign(before.weights)
        session.assign_state(before.state)
        return True
