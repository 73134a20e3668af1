"""What a sequence of steps spells, and how far that is from what it should."""

from __future__ import annotations

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...ops.indexing.scatter import ScatterAttributes
from ..tensor import Tensor, full, iota, where
from .diagonals import Diagonals, above, ends_of
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
    ``targets`` [N, L]. d(t, j) is the distance after t steps and j targets.
    """
    graph, (batch, steps), most = labels.graph, labels.shape, targets.shape[1]
    table = Diagonals(steps, most, batch)
    type = table.type("int64")
    after, at, inside = table.steps(graph)
    adds = counts.transpose(1, 0).gather(at).both(inside.broadcast((*inside.shape, batch), [0, 1]))
    never = full(graph, _MANY, type)
    ends = scan(
        _diagonal(table),
        table.count,
        [targets.transpose(1, 0).pad((1, 0), (0, 0), -1)],
        [never, never, never],
        [labels.transpose(1, 0).gather(at), adds, after],
    )[2]
    return ends_of(ends, lengths)


def _diagonal(table: Diagonals) -> Graph:
    """The next diagonal of distances."""
    graph, type = Graph("edit_distance"), table.type("int64")
    own = operand(graph, "targets", type)
    before, older, ends = (operand(graph, name, type) for name in ("before", "older", "ends"))
    label, adds = operand(graph, "label", type), operand(graph, "adds", type.with_dtype("bool"))
    after = operand(graph, "after", type.with_shape(type.shape[:1])).broadcast(type.shape, [0])
    replaced = above(older, _MANY) + label.apply("ne", own).cast("int64")
    edited = (before.minimum(above(before, _MANY)) + 1).minimum(replaced)
    first = iota(graph, "int64", type.shape, 0)
    distance = where(after.compare("eq", 0), first, where(adds, edited, before))
    table.give(graph, distance, before, ends, after)
    return graph
