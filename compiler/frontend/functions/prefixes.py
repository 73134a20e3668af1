"""Prefix beam search: the most likely labels under connectionist temporal classification.

A beam keeps the most likely prefixes so far. Unlike the most likely path, a prefix adds up all paths that spell it:
those that end in a blank and those that end in its last label (Graves and Jaitly, 2014, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...graph.graph import Graph
from ...graph.types import TensorType
from ..tensor import Tensor, concat, constant, full, iota, where
from .arithmetic import modulo
from .beams import cells_at, most_likely
from .logarithms import NEVER, log_sum
from .scanning import operand, scan

#: Prefixes are compared by two polynomials of their labels, each modulo a prime: two that differ are taken for one
#: with a probability of about 2⁻⁵². The products stay below 2⁵³.
_FACTORS, _PRIMES = (48_271_001, 39_916_801), (67_108_859, 66_977_777)


@dataclass(frozen=True, slots=True)
class Beam:
    """The prefixes of each sample, [N, B] each: the logarithms of the probabilities of the paths that end in a blank
    and in a label, the last label (−1: none), and two numbers that tell prefixes apart."""

    blanks: Tensor
    labels: Tensor
    last: Tensor
    first_key: Tensor
    second_key: Tensor

    @property
    def all(self) -> tuple[Tensor, ...]:
        return self.blanks, self.labels, self.last, self.first_key, self.second_key


def search(logarithms: Tensor, exists: Tensor, blank: int, size: int) -> tuple[Tensor, Tensor]:
    """The labels that each step adds to the most likely prefix, int64 [N, T], −1 where it adds none; and the logarithm
    of the prefix's probability, [N].

    ``logarithms`` [N, T, C] are those of the classes at each step, ``exists`` [N, T] says which steps there are, and
    ``size`` is the number of prefixes that are kept.
    """
    graph, (batch, steps, classes) = logarithms.graph, logarithms.shape
    assert isinstance(classes, int)
    floats, integers = (TensorType(dtype, (batch, size)) for dtype in (logarithms.dtype, "int64"))
    slots = iota(graph, "int64", integers.shape, 1)
    never = full(graph, NEVER, floats)
    begun = [
        where(slots.compare("eq", 0), full(graph, 0, floats), never),
        never,
        full(graph, -1, integers),
        slots,
        slots,
        full(graph, 0, floats.with_shape((batch,))),
    ]
    sequences = [logarithms.transpose(1, 0, 2), exists.transpose(1, 0)]
    body = _step(floats, classes, blank)
    *_, total, parents, added = scan(body, steps, [], begun, sequences)
    return _traced(parents, added), total


def _step(type: TensorType, classes: int, blank: int) -> Graph:
    """The beam after a step: of the prefixes that stay and those longer by a label, the most likely ones."""
    graph, (batch, size) = Graph("prefixes"), type.shape
    assert isinstance(size, int)
    integers = type.with_dtype("int64")
    beam = Beam(
        operand(graph, "blanks", type),
        operand(graph, "labels", type),
        *(operand(graph, name, integers) for name in ("last", "first_key", "second_key")),
    )
    total = operand(graph, "total", type.with_shape((batch,)))
    scores = operand(graph, "scores", type.with_shape((batch, classes)))
    exists = operand(graph, "exists", TensorType("bool", (batch,)))
    stayed, longer = _grown(beam, scores, blank)
    candidates = concat([log_sum((stayed.blanks, stayed.labels)), longer.reshape((batch, size * classes))], 1)
    picked, best = most_likely(candidates, size)
    sources = np.concatenate([np.arange(size), np.repeat(np.arange(size), classes)])
    spoken = np.concatenate([np.full(size, -1), np.tile(np.arange(classes), size)])
    parent, label = (constant(graph, table).gather(picked) for table in (sources, spoken))
    stays = label.compare("eq", -1)
    blanks, labels, last, first, second = (cells_at(part, parent) for part in stayed.all)
    never = full(graph, NEVER, type)
    keys = [_key(key, label, which) for which, key in enumerate((first, second))]
    new = [
        where(stays, blanks, never),
        where(stays, labels, best),
        where(stays, last, label),
        where(stays, first, keys[0]),
        where(stays, second, keys[1]),
    ]
    largest = best.reduce("max", [1])
    kept = exists.broadcast(type.shape, [0])
    new[:2] = [part - largest.broadcast(type.shape, [0]) for part in new[:2]]
    for name, part, old in zip(("blanks", "labels", "last", "first", "second"), new, beam.all, strict=True):
        graph.set_output(name, where(kept, part, old).value)
    graph.set_output("total", where(exists, total + largest, total).value)
    graph.set_output("parent", where(kept, parent, iota(graph, "int64", type.shape, 1)).value)
    graph.set_output("added", where(kept, label, -1).value)
    return graph


def _grown(beam: Beam, scores: Tensor, blank: int) -> tuple[Beam, Tensor]:
    """The prefixes after a step that adds no label, and the logarithms of those that are longer by each label,
    [N, B, C]. A longer one that is in the beam already is added to that."""
    graph, (batch, size), classes = scores.graph, beam.last.shape, scores.shape[1]
    total = log_sum((beam.blanks, beam.labels))
    spoken = beam.last.compare("ge", 0)
    own = where(
        spoken, cells_at(scores, beam.last.maximum(0)), NEVER
    )  # the score of each prefix's last label
    # Which prefix i, longer by the last label of j, is j: [N, B, B].
    pairs = (batch, size, size)
    label = beam.last.broadcast(pairs, [0, 2])
    same = spoken.broadcast(pairs, [0, 2])
    for which, key in enumerate((beam.first_key, beam.second_key)):
        longer = _key(key.broadcast(pairs, [0, 1]), label, which)
        same = same.both(longer.apply("eq", key.broadcast(pairs, [0, 2])))
    repeats = beam.last.broadcast(pairs, [0, 1]).apply("eq", label)
    before = where(repeats, beam.blanks.broadcast(pairs, [0, 1]), total.broadcast(pairs, [0, 1]))
    gained = where(same, before + own.broadcast(pairs, [0, 2]), NEVER).reduce("max", [1])
    stayed = Beam(
        total + scores.slice(1, blank, blank + 1).reshape((batch,)).broadcast(total.shape, [0]),
        log_sum((beam.labels + own, gained)),
        *beam.all[2:],
    )
    cells = (batch, size, classes)
    positions = iota(graph, "int64", cells, 2)
    repeated = beam.last.broadcast(cells, [0, 1]).apply("eq", positions)
    before = where(repeated, beam.blanks.broadcast(cells, [0, 1]), total.broadcast(cells, [0, 1]))
    # The classes of each prefix that lead to one in the beam: [N, B, B, C] summed over the latter.
    every = (batch, size, size, classes)
    leads = same.broadcast(every, [0, 1, 2]).both(
        label.broadcast(every, [0, 1, 2]).apply("eq", iota(graph, "int64", every, 3))
    )
    taken = leads.cast("int32").reduce("max", [2]).compare("gt", 0)
    dropped = taken.either(positions.compare("eq", blank))
    return stayed, where(dropped, full(graph, NEVER, before.type), before + scores.broadcast(cells, [0, 2]))


def _key(key: Tensor, label: Tensor, which: int) -> Tensor:
    """What tells the prefix that is longer by ``label`` from others."""
    sum = key * _FACTORS[which] + label + 1
    return modulo(sum, full(sum.graph, _PRIMES[which], sum.type))


def _traced(parents: Tensor, added: Tensor) -> Tensor:
    """The labels on the way back from the first prefix of the last step, [N, T], from those of all, [T, N, B]."""
    graph, (steps, batch, _) = parents.graph, parents.shape
    body, type = Graph("traced"), parents.type.with_shape(parents.shape[1:])
    slot = operand(body, "slot", type.with_shape((batch,)))
    parent, label = operand(body, "parent", type), operand(body, "label", type)
    at = slot.reshape((batch, 1))
    body.set_output("slot", cells_at(parent, at).reshape((batch,)).value)
    body.set_output("label", cells_at(label, at).reshape((batch,)).value)
    first = full(graph, 0, type.with_shape((batch,)))
    _, labels = scan(body, steps, [], [first], [parents, added], reverse=True)
    return labels.transpose(1, 0)
