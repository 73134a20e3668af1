"""Connectionist temporal classification (Graves et al., 2006): the loss of sequences whose steps have no labels of
their own.

A path gives each step a label or the blank. It spells the target if the labels remain when repetitions are merged and
then blanks removed. Forward variables add up the paths: for each j, the probability that the steps so far spell the
first j labels, and end in a blank (``blanks``) or in label j (``labels``). They are logarithms, of which each step
subtracts the largest, so that gradients keep their digits however long a sequence is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netwright.specs.models.losses import Ctc
from netwright.specs.source.tree import Path

from ...graph.graph import Graph
from ...graph.types import TensorType
from ..functions.activation import log_softmax
from ..functions.logarithms import NEVER, log_sum
from ..functions.scanning import operand, scan
from ..functions.selection import in_range
from ..functions.spelling import edit_distance, spoken
from ..tensor import Tensor, full, iota, where
from .aligned import counted_steps, sequences
from .losses import Terms
from .outputs import View
from .targets import Targets


@dataclass(frozen=True, slots=True)
class Spelling:
    """What the steps have to spell: ``labels`` [N, L], how many of them there are, ``lengths`` [N], and which they are,
    ``exist`` [N, L]; and the class of the blank."""

    labels: Tensor
    lengths: Tensor
    exist: Tensor
    blank: int


def ctc_terms(loss: Ctc, view: View, targets: Targets, path: Path) -> Terms:
    """The loss of each sample. Raises Problem."""
    x, exists = counted_steps(view, targets)
    spelling = _spelling(loss, view, targets, path)
    again = _repetitions(spelling)
    needed = spelling.lengths + again.cast("int64").sum([1])
    possible = needed.apply("le", exists.cast("int64").sum([1]))
    losses = -_logarithm(log_softmax(x), spelling, again, exists)
    if loss.per_label:
        losses = losses / spelling.lengths.maximum(1).cast(x.dtype)
    if loss.skip_impossible:
        return Terms(where(possible, losses, 0), possible.cast(x.dtype))
    return Terms(where(possible, losses, np.inf))


def label_errors(loss: Ctc, view: View, targets: Targets, path: Path) -> dict[str, Tensor]:
    """The edits between what the most likely classes of the steps spell and the target, and the target's labels, as
    sums over the samples. Raises Problem."""
    x, exists = counted_steps(view, targets)
    spelling, answered = _spelling(loss, view, targets, path), x.argmax(2)
    counts = spoken(answered, exists, spelling.blank)
    edits = edit_distance(answered, counts, spelling.labels, spelling.lengths)
    return {"numerator": edits.cast("float64").sum(), "count": spelling.lengths.cast("float64").sum()}


def _spelling(loss: Ctc, view: View, targets: Targets, path: Path) -> Spelling:
    """What the target says. Raises Problem."""
    classes = view.tensor.shape[-1]
    assert isinstance(classes, int)
    blank = classes - 1 if loss.blank == "last" else loss.blank
    labels, lengths, exist = sequences(loss, view, targets, path)
    return Spelling(in_range(where(exist, labels.cast("int64"), 0), classes), lengths, exist, blank)


def _repetitions(spelling: Spelling) -> Tensor:
    """Which labels are the same as the one before, bool [N, L]: a blank has to stand between the two."""
    return spelling.labels.apply("eq", _shifted(spelling.labels, -1)).both(spelling.exist)


def _shifted(x: Tensor, fill: float) -> Tensor:
    """The elements before those of [N, L], the first of which is ``fill``."""
    return x.pad((0, 1), (0, 0), fill).slice(1, 0, x.shape[1])


def _logarithm(logarithms: Tensor, spelling: Spelling, again: Tensor, exists: Tensor) -> Tensor:
    """The logarithm of the probability that the steps spell the labels, [N]. ``logarithms`` [N, T, C] are those of the
    classes at each step, ``exists`` [N, T] says which steps there are."""
    graph, (batch, steps, classes) = logarithms.graph, logarithms.shape
    labels, lengths = spelling.labels, spelling.lengths
    size = labels.shape[1] + 1
    samples, times = (iota(graph, "int64", (steps, batch), axis) for axis in (1, 0))
    rows = samples * labels.count(steps) + times
    cells = (steps, batch, labels.shape[1])
    places = (rows * rows.count(classes)).broadcast(cells, [0, 1]) + labels.broadcast(cells, [1, 2])
    own = logarithms.reshape((batch * steps * classes,)).gather(places)
    sequences = [
        logarithms.take(2, spelling.blank).transpose(1, 0),
        own.pad((0, 0, 1), (0, 0, 0), NEVER),  # position 0 stands for no label
        exists.transpose(1, 0),
    ]
    type = TensorType(logarithms.dtype, (batch, size))
    first = iota(graph, "int64", type.shape, 1).compare("eq", 0)
    never = full(graph, NEVER, type)
    carries = [where(first, full(graph, 0, type), never), never, full(graph, 0, type.with_shape((batch,)))]
    consts = [again.pad((0, 1), (0, 0), 0)]
    blanks, last, total = scan(_step(type), steps, consts, carries, sequences)
    ends = iota(graph, "int64", type.shape, 1).compare("eq", lengths.broadcast(type.shape, [0]))
    return total + where(ends, log_sum((blanks, last)), 0).sum([1])


def _step(type: TensorType) -> Graph:
    """One step of the forward variables, each [N, L + 1], and the sum of what was subtracted, [N]."""
    graph = Graph("ctc")
    per_sample = type.with_shape(type.shape[:1])

    again = operand(graph, "again", TensorType("bool", type.shape))
    blanks, labels = operand(graph, "blanks", type), operand(graph, "labels", type)
    total, blank = operand(graph, "total", per_sample), operand(graph, "blank", per_sample)
    own = operand(graph, "own", type)
    exists = operand(graph, "exists", TensorType("bool", type.shape[:1]))
    skipped = where(again, full(graph, NEVER, type), _shifted(labels, NEVER))
    new_blanks = log_sum((blanks, labels)) + blank.broadcast(type.shape, [0])
    new_labels = log_sum((labels, _shifted(blanks, NEVER), skipped)) + own
    largest = new_blanks.maximum(new_labels).reduce("max", [1]).detached()
    kept = exists.broadcast(type.shape, [0])
    by = largest.broadcast(type.shape, [0])
    graph.set_output("blanks", where(kept, new_blanks - by, blanks).value)
    graph.set_output("labels", where(kept, new_labels - by, labels).value)
    graph.set_output("total", where(exists, total + largest, total).value)
    return graph
