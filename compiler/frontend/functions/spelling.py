"""What a sequence of steps spells, and how far that is from what it should."""

from __future__ import annotations

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...ops.scatter import ScatterAttributes
from ..tensor import Tensor, full, iota, where
from .scanning import operand, scan

#: More edits than any two sequences need.
_MANY = 2**40


def changes(labels: Tensor, exists: Tensor, blank: int) -> Tensor:
    """Which steps [N, T] add a label, where all steps that exist come first: those whose label is neither the blank nor
    that of the step before (Graves et al., 2006: repetitions are merged, then blanks removed)."""
    before = labels.pad((0, 1), (0, 0), -1).slice(1, 0, labels.shape[1])
    return labels.compare("ne", blank).both(labels.apply("ne", before)).both(exists)


def spoken(labels: Tensor, exists: Tensor, blank: int) -> Tensor:
    """The same where any steps exist: the step before is the last of those."""
    batch, steps = labels.shape
    body = Graph("spoken")
    before = operand(body, "before", TensorType("int64", (batch,)))
    label = operand(body, "label", TensorType("int64", (batch,)))
    there = operand(body, "exists", TensorType("bool", (batch,)))
    body.set_output("before", where(there, label, before).value)
    new = label.compare("ne", blank).both(label.apply("ne", before)).both(there)
    body.set_output("new", new.value)
    first = full(labels.graph, -1, TensorType("int64", (batch,)))
    _, adds = scan(body, steps, [], [first], [labels.transpose(1, 0), exists.transpose(1, 0)])
    return adds.transpose(1, 0)


def collected(labels: Tensor, adds: Tensor, dtype: str) -> tuple[Tensor, Tensor]:
    """The labels of those steps [N, T] that add one, from the start on, and then −1; and how many there are, int64 [N].

    They are counted in the float type ``dtype``, exactly up to 2²⁴ steps: loops over floats can come back from ONNX.
    """
    graph, (batch, steps) = labels.graph, labels.shape
    body, type = Graph("collected"), TensorType(dtype, (batch,))
    before, new = operand(body, "before", type), operand(body, "new", type)
    body.set_output("count", (before + new).value)
    body.set_output("place", before.value)
    counts, places = scan(body, steps, [], [full(graph, 0, type)], [adds.cast(dtype).transpose(1, 0)])
    size = steps + 1  # The last place is for steps that add nothing.
    last = full(graph, 1, labels.type) * labels.count(steps)
    starts = iota(graph, "int64", labels.shape, 0) * labels.count(size)
    rows = starts + where(adds, places.transpose(1, 0).cast("int64"), last)
    table = full(graph, -1, TensorType("int64", (batch * size,)))
    written = table.apply("scatter", rows, labels, attrs=ScatterAttributes())
    return written.reshape((batch, size)).slice(1, 0, steps), counts.cast("int64")


def edit_distance(labels: Tensor, counts: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """The least number of labels that have to be inserted, deleted or replaced, int64 [N] (Levenshtein, 1965).

    The first sequence are the ``labels`` [N, T] where ``counts`` holds, the second the first ``lengths`` [N] of the
    ``targets`` [N, L]. The table of distances d(t, j), after t steps and j targets, is computed along its diagonals
    t + j = 0, 1, …, each of which follows from the two before it.
    """
    graph, (batch, steps), most = labels.graph, labels.shape, targets.shape[1]
    diagonals, size = steps + most + 1, most + 1
    type, cells = TensorType("int64", (size, batch)), (diagonals, size, batch)
    # Which step t each cell of a diagonal comes after, and its label: that of the step at t − 1.
    after = iota(graph, "int64", cells[:2], 0) - iota(graph, "int64", cells[:2], 1)
    inside = after.compare("gt", 0).both(after.compare("le", after.count(steps)))
    at = where(inside, after - 1, 0)
    adds = counts.transpose(1, 0).gather(at).both(inside.broadcast(cells, [0, 1]))
    never = full(graph, _MANY, type)
    own = targets.transpose(1, 0).pad((1, 0), (0, 0), -1)
    results = scan(
        _diagonal(type, steps),
        diagonals,
        [own],
        [never, never, never],
        [labels.transpose(1, 0).gather(at), adds, after],
    )
    wanted = iota(graph, "int64", type.shape, 0).compare("eq", lengths.broadcast(type.shape, [1]))
    return where(wanted, results[2], 0).sum([0])


def _diagonal(type: TensorType, steps: DimLike) -> Graph:
    """The next diagonal of the table, [L + 1, N]: d(t, j) at j, where t is ``after``; and d(T, j), once it is known."""
    graph, flags = Graph("edit_distance"), TensorType("bool", type.shape)
    own = operand(graph, "targets", type)
    before, older, ends = (operand(graph, name, type) for name in ("before", "older", "ends"))
    label, adds = operand(graph, "label", type), operand(graph, "adds", flags)
    after = operand(graph, "after", type.with_shape(type.shape[:1]))
    replaced = _above(older) + label.apply("ne", own).cast("int64")
    edited = (before.minimum(_above(before)) + 1).minimum(replaced)
    after = after.broadcast(type.shape, [0])
    distance = where(after.compare("eq", 0), iota(graph, "int64", type.shape, 0), where(adds, edited, before))
    graph.set_output("before", distance.value)
    graph.set_output("older", before.value)
    graph.set_output("ends", where(after.compare("eq", after.count(steps)), distance, ends).value)
    return graph


def _above(x: Tensor) -> Tensor:
    """The cells of targets one less."""
    return x.pad((1, 0), (0, 0), _MANY).slice(0, 0, x.shape[0])
