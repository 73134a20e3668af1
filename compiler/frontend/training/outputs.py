"""Outputs as losses and metrics read them: all steps or the last valid one, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.dims import product
from netwright.specs.models.losses import AnyLoss, Comparison, LossSpec
from netwright.specs.source.tree import Path

from ...graph.types import FLOATS, TensorType
from ...ops.views.layout import show
from ..expander import Expander
from ..problem import Label, Problem
from ..scope import Signal
from ..tensor import Tensor, iota, where
from .targets import Targets


@dataclass(frozen=True, slots=True)
class View:
    """An output as the loss and metrics use it: all its steps, or the last valid one. ``weights`` says which [N, T]
    or [N] count (None: all)."""

    name: str
    signal: Signal
    tensor: Tensor
    weights: Tensor | None
    last: Tensor | None
    """The rows of the last valid steps in [N·T, …], if they were selected."""

    @property
    def picked(self) -> bool:
        return self.tensor.shape != self.signal.shape

    def counted(self, x: Tensor) -> Tensor:
        """Zeros in place of the samples or steps that do not count: values there may be NaN, so they are selected
        before anything is multiplied."""
        return x if self.weights is None else zeroed(self.weights, x)


class Outputs:
    """Looks at the outputs of an expanded network."""

    def __init__(self, expander: Expander, targets: Targets):
        self.expander, self.targets, self.graph, self.load = expander, targets, expander.graph, expander.load

    def signal(self, output: str) -> Signal | None:
        """The value of an output; None if it is poisoned."""
        ref = self.load.wiring.outputs.get(output)
        return self.expander.signals.get(ref) if ref else None

    def view(self, output: str, loss: AnyLoss, path: Path) -> View | None:
        """An output as it is compared with targets by a loss, or by a metric that goes by the loss; None if it is
        poisoned. ``path`` is that of the loss. Raises Problem."""
        signal = self.signal(output)
        if signal is None:
            return None
        own = isinstance(loss, Comparison) and output == loss.output
        steps = loss.steps if isinstance(loss, LossSpec) else "all"
        valid = self.counting(output, signal, loss, path, own)
        sequence = signal.rank >= 3
        if steps == "all" or not (sequence or own):
            return View(output, signal, signal.tensor, valid, None)
        if not sequence:
            message = f"steps: last needs a sequence [N, T, …], {output} is {show(signal.shape)}"
            raise Problem("NW0404", message, self.load.span((*path, "steps")), labels=self.origin(signal))
        if valid is None:
            return View(output, signal, signal.tensor.take(1, signal.shape[1] - 1), None, None)
        positions = iota(self.graph, "int64", valid.shape, 1)
        last = where(valid, positions, 0).reduce("max", [1])
        picked = iota(self.graph, "int64", last.shape, 0) * last.count(signal.shape[1]) + last
        weights = valid.cast("int32").reduce("max", [1]).compare("gt", 0)
        return View(output, signal, rows(signal.tensor, picked), weights, picked)

    def counting(self, output: str, signal: Signal, loss: AnyLoss, path: Path, own: bool) -> Tensor | None:
        """Which steps count, bool [N, T]: those that exist and that the mask selects. ``own``: the mask is for this
        output, so it has to fit."""
        valid, name = signal.valid(), loss.mask
        if name is None:
            return valid
        type = self._mask_type(name, signal)
        if not self.mask_fits(loss, signal):
            if not own:
                return valid
            steps = show(signal.shape[:2]) if _has_steps(signal) else f"none: it is {show(signal.shape)}"
            message = f"the mask {name} is {show(type.shape)}, the steps of {output} are {steps}"
            raise Problem("NW0405", message, self.load.span((*path, "mask")), labels=self.origin(signal))
        counts = counted_by(self.targets.given(name, type))
        return counts if valid is None else counts.both(valid)

    def mask_fits(self, loss: AnyLoss, signal: Signal) -> bool:
        """Whether a loss has a mask that fits the steps of a signal."""
        if loss.mask is None or not _has_steps(signal):
            return False
        return self._mask_type(loss.mask, signal).shape == signal.shape[:2]

    def _mask_type(self, name: str, signal: Signal) -> TensorType:
        return self.targets.known(name) or TensorType(self.expander.dtype, signal.shape[:2])

    def origin(self, signal: Signal, axis: int = -1) -> list[Label]:
        return self.expander.origin_label(signal.origins[axis]) if signal.origins else []


def _has_steps(signal: Signal) -> bool:
    return signal.rank >= 3 or signal.dtype not in FLOATS


def counted_by(mask: Tensor) -> Tensor:
    """Where a mask is not zero."""
    return mask if mask.dtype == "bool" else mask.compare("ne", 0)


def zeroed(weights: Tensor, x: Tensor) -> Tensor:
    """A tensor with zeros where the leading axes do not count."""
    return where(weights.broadcast(x.shape, range(weights.rank)), x, 0)


def rows(tensor: Tensor, picked: Tensor) -> Tensor:
    """Rows of a tensor [N, T, …] seen as [N·T, …]."""
    return tensor.reshape((product(tensor.shape[:2]), *tensor.shape[2:])).gather(picked)
