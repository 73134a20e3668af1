"""Soft dynamic time warping (Cuturi and Blondel, 2017): the soft minimum, over all alignments of two sequences, of the
sum of the squared distances between the steps that are aligned.
"""

from __future__ import annotations

from netwright.specs.models.losses import SoftDtw
from netwright.specs.source.tree import Path

from ...graph.graph import Graph
from ..functions.diagonals import Diagonals, above, ends_of
from ..functions.logarithms import log_sum
from ..functions.scanning import operand, scan
from ..tensor import full, iota, where
from .aligned import counted_steps, sequences
from .losses import Terms, squared_error
from .outputs import View
from .targets import Targets

#: More than any distance: exp(−FAR / γ) is 0, and sums of it stay finite.
_FAR = 1e20


def soft_dtw_terms(loss: SoftDtw, view: View, targets: Targets, path: Path) -> Terms:
    """The loss of each sample; 0 if both sequences are empty, infinite if one of them is. Raises Problem."""
    x, exists = counted_steps(view, targets)
    target, lengths, exist = sequences(loss, view, targets, path)
    target = where(exist.broadcast(target.shape, [0, 1]), target, 0)
    graph, (batch, rows, _), columns = x.graph, x.shape, target.shape[1]
    pairs = (batch, rows, columns, x.shape[2])
    distances = squared_error(x.broadcast(pairs, [0, 1, 3]), target.broadcast(pairs, [0, 2, 3])).sum([3])
    table = Diagonals(rows, columns, batch)
    after, at, inside = table.steps(graph)
    cells = (*inside.shape, batch)
    # The distance of the step and the target that a cell adds: those at t − 1 and j − 1.
    position = (iota(graph, "int64", at.shape, 1) - 1).maximum(0)
    added = (
        distances.transpose(1, 2, 0)
        .reshape((rows * columns, batch))
        .gather(at * at.count(columns) + position)
    )
    there = exists.transpose(1, 0).gather(at).both(inside.broadcast(cells, [0, 1]))
    far = full(graph, _FAR, table.type(x.dtype))
    body = _diagonal(table, x.dtype, loss.gamma)
    ends = scan(body, table.count, [], [far, far, far], [added, there, after])[2]
    results = ends_of(ends, lengths)
    return Terms(where(results.compare("lt", _FAR / 2), results, float("inf")))


def _diagonal(table: Diagonals, dtype: str, gamma: float) -> Graph:
    """The next diagonal of alignments: distance + softmin of the three before; a step that does not count changes
    nothing."""
    graph, type = Graph("soft_dtw"), table.type(dtype)
    before, older, ends = (operand(graph, name, type) for name in ("before", "older", "ends"))
    added, there = operand(graph, "added", type), operand(graph, "there", type.with_dtype("bool"))
    steps = type.with_shape(type.shape[:1]).with_dtype("int64")
    after = operand(graph, "after", steps).broadcast(type.shape, [0])
    column = iota(graph, "int64", type.shape, 0)
    nearest = log_sum([part * (-1 / gamma) for part in (before, above(before, _FAR), above(older, _FAR))])
    far = full(graph, _FAR, type)
    aligned = where(column.compare("eq", 0), far, added - nearest * gamma)
    start = where(column.compare("eq", 0), full(graph, 0, type), far)
    table.give(
        graph, where(after.compare("eq", 0), start, where(there, aligned, before)), before, ends, after
    )
    return graph
