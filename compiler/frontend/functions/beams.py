"""What searches along beams share: the best candidates of each sample, and cells at positions."""

from __future__ import annotations

import numpy as np

from ...graph.graph import Graph
from ..tensor import Tensor, full, iota, where
from .scanning import operand, scan


def most_likely(candidates: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The positions of the largest candidates [N, M] and their values, [N, ``count``], the largest first."""
    batch = candidates.shape[0]
    body = Graph("most_likely")
    left = operand(body, "left", candidates.type)
    best = left.argmax(1)
    positions = iota(body, "int64", left.shape, 1)
    here = positions.apply("eq", best.broadcast(left.shape, [0]))
    body.set_output("left", where(here, full(body, -np.inf, left.type), left).value)
    body.set_output("best", best.value)
    body.set_output("value", left.reduce("max", [1]).value)
    _, picked, values = scan(body, count, [], [candidates], [])
    return picked.transpose(1, 0).reshape((batch, count)), values.transpose(1, 0).reshape((batch, count))


def cells_at(x: Tensor, positions: Tensor) -> Tensor:
    """The cells of [N, M] at positions [N, B]."""
    batch, size = x.shape
    starts = iota(x.graph, "int64", positions.shape, 0) * positions.count(size)
    return x.reshape((batch * size,)).gather(starts + positions)
