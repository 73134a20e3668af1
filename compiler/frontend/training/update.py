"""The update of a training step: gradients of several batches added up, clipping, the optimizer, averages of weights.

A step that does not end its group of batches (`train.accumulate`) computes the update as well and keeps the old values;
so all steps are one program, with memory traffic of the size of the parameters as its cost.
"""

from __future__ import annotations

from collections.abc import Mapping

from netwright.specs.manifest import AVERAGE, GATHERED, SCALE
from netwright.specs.models.train import PlateauRate, TrainSpec

from ...graph.graph import Graph
from ...graph.types import TensorType
from ..network import State
from ..patterns import group_of
from ..tensor import Tensor, where
from .optimizers import MakeState, Updater, clipped, state_types

#: Steps made, updates made, and the elements in the group so far.
STEP, UPDATES, WEIGHT = "optimizer.step", "optimizer.updates", "optimizer.weight"
_COUNT, _NUMBER = TensorType("int64", ()), TensorType("float64", ())


def update_states(train: TrainSpec, types: Mapping[str, TensorType]) -> dict[str, State]:
    """The states that updates of trained parameters of these types keep."""
    states = {STEP: State(_COUNT)}
    if train.accumulate > 1:
        states |= {UPDATES: State(_COUNT), GATHERED: State(_COUNT), WEIGHT: State(_NUMBER)}
        states |= {f"optimizer.g.{name}": State(type) for name, type in types.items()}
    if isinstance(train.optimizer.learning_rate, PlateauRate):
        states[SCALE] = State(_NUMBER, 1)
    states |= {name: State(type) for name, type in state_types(train.optimizer, types).items()}
    if train.ema is not None:
        states |= {f"{AVERAGE}{name}": State(type) for name, type in types.items()}
    return states


def updated(
    graph: Graph, train: TrainSpec, slopes: Mapping[str, Tensor], count: Tensor, state: MakeState
) -> dict[str, Tensor]:
    """The new values of parameters and states, by name, given the gradient of the mean loss for each parameter and the
    ``count`` of the elements that it is a mean of. Adds the output `gradient.norm` if the gradient is clipped.
    """
    step = state(STEP, _COUNT)
    number, group = step, None
    values: dict[str, Tensor] = {}
    if train.accumulate > 1:
        group = _Group(train.accumulate, count, state)
        number = group.number
        slopes = group.means(slopes)
    if train.clip_norm is not None:
        slopes, norm = clipped(slopes, train.clip_norm)
        graph.set_output("gradient.norm", norm.value)
    dtype = next(iter(slopes.values())).dtype
    updater = Updater(train.optimizer, number, dtype, state)
    parameters = {name: Tensor(graph, graph.inputs[name]) for name in slopes}
    for name, slope in slopes.items():
        updater.update(name, parameters[name], slope, group_of(name, train))
    values |= updater.updates
    if train.ema is not None:
        decay = where(number.compare("eq", 0), number.cast("float64") * 0, train.ema.decay).cast(dtype)
        for name in slopes:
            average = state(f"{AVERAGE}{name}", slopes[name].type)
            values[f"{AVERAGE}{name}"] = average * decay + values[name] * (1 - decay)
    if group is not None:
        values = {
            name: where(group.ends, value, parameters.get(name) or state(name, value.type))
            for name, value in values.items()
        }
        values |= group.updates
    return {STEP: step + 1, **values}


class _Group:
    """A group of batches whose gradients are added up. ``ends`` says whether this batch is its last."""

    def __init__(self, size: int, count: Tensor, state: MakeState):
        self.state = state
        self.number = state(UPDATES, _COUNT)
        gathered = state(GATHERED, _COUNT) + 1
        self.ends = gathered.compare("ge", size)
        self.count = count
        self.weight = state(WEIGHT, _NUMBER) + count.cast("float64")
        self.updates = {
            UPDATES: where(self.ends, self.number + 1, self.number),
            GATHERED: where(self.ends, gathered * 0, gathered),
            WEIGHT: where(self.ends, self.weight * 0, self.weight),
        }

    def means(self, slopes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gradients of the mean over the group so far."""
        counted = where(self.weight.compare("gt", 0), self.weight, 1)
        means: dict[str, Tensor] = {}
        for name, slope in slopes.items():
            key = f"optimizer.g.{name}"
            total = self.state(key, slope.type) + slope * self.count.cast(slope.dtype)
            self.updates[key] = where(self.ends.negated(), total, 0)
            means[name] = total / counted.cast(slope.dtype)
        return means
