"""What `bptt.checkpoint` applies to, and after how many steps `auto` keeps a state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isqrt
from typing import TYPE_CHECKING

from netwright.specs.dims import DimLike, Range, bounds
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.recurrent import RecurrentLayer
from netwright.specs.models.train import BpttSpec, TrainSpec

from ..problem import Problem

if TYPE_CHECKING:
    from ..expander import Expander

#: The choice of `auto` for sequences of any length: about right from a thousand to a hundred thousand steps.
STEPS = 64


def checkpoint_steps(bptt: BpttSpec | None, length: DimLike, ranges: Mapping[str, Range]) -> int | None:
    """After how many of ``length`` steps a state is kept; None if all steps are.

    `auto` is √T, rounded up, of the largest T there is: then the states that are kept, √T of them, and the tape of the
    √T steps of a block take about as much memory (Chen et al., 2016). If T is the same in each batch and has divisors
    near √T, it is the nearest of them, so that no steps are left over.
    """
    if bptt is None or bptt.checkpoint != "auto":
        return bptt.checkpoint if bptt is not None and isinstance(bptt.checkpoint, int) else None
    if isinstance(length, int):
        return _near_root(length)
    known = [most for most in (bounds(length, ranges)[1], bptt.window) if most is not None]
    return _root(min(known)) if known else STEPS


def _root(steps: int) -> int:
    return isqrt(max(steps, 1) - 1) + 1


def _near_root(steps: int) -> int:
    root = _root(steps)
    near = [size for size in range(max(1, root * 2 // 3), root * 3 // 2 + 1) if steps % size == 0]
    return min(near, key=lambda size: abs(size - root), default=root)


def check_checkpoint(load: LoadResult, train: TrainSpec, expander: Expander) -> Iterator[Problem]:
    """Checks that there is a recurrence whose steps can be computed again."""
    if train.bptt is None or train.bptt.checkpoint is None:
        return
    if not any(isinstance(layer, RecurrentLayer) for layer in expander.spec.layers):
        message = "bptt.checkpoint keeps states of recurrences, and no layer is recurrent"
        place = load.span(("train", "bptt", "checkpoint"), key=True)
        yield Problem("NW0408", message, place, help="no checkpoint")
