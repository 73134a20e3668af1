"""Layers that turn scores into the labels that they mean."""

from __future__ import annotations

from netwright.specs.models.layers.decoding import CtcDecode

from ...graph.types import TensorType
from ..expansion import Expansion, Ports
from ..functions.activation import log_softmax
from ..functions.prefixes import search
from ..functions.spelling import changes, collected
from ..scope import Scope, Signal
from ..tensor import full, where


def expand_ctc_decode(scope: Scope) -> Ports:
    """The labels of the most likely path, or of the most likely prefix of a beam."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, CtcDecode)
    scope.check_rank(signal, "[N, T, C]", signal.rank == 3)
    classes = signal.channels
    if not isinstance(classes, int) or classes < 2:
        message = f"{classes} classes: one of at least two is the blank"
        raise scope.problem("NW0308", message, labels=scope.blame(signal, 2))
    if spec.blank != "last" and spec.blank >= classes:
        message = f"the blank is class {spec.blank} of {classes}"
        raise scope.problem("NW0204", message, "blank", labels=scope.blame(signal, 2), help="blank: last")
    blank = classes - 1 if spec.blank == "last" else spec.blank
    x = scope.floats(signal.cleared())
    exists = signal.valid()
    if exists is None:
        exists = full(x.graph, True, TensorType("bool", x.shape[:2]))
    steps = scope.expander.steps_of(signal)
    x, exists = x.first(1, steps), exists.first(1, steps)
    logarithms = log_softmax(x)
    if spec.beam is None:
        answered = x.argmax(2)
        labels, counts = collected(answered, changes(answered, exists, blank), x.dtype)
        scores = where(exists, logarithms.reduce("max", [2]), 0).sum([1])
    else:
        added, scores = search(logarithms, exists, blank, spec.beam)
        labels, counts = collected(added, added.compare("ge", 0), x.dtype)
    said = scope.give(labels.pad((0, 0), (0, signal.shape[1] - steps), -1))
    return {
        "": said,
        "labels": said,
        "counts": Signal(counts, said.origins[:1]),
        "scores": Signal(scores, said.origins[:1]),
    }


EXPANSIONS = {
    CtcDecode: Expansion(expand_ctc_decode, honours_lengths=True),
}
