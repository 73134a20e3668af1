"""A network that writes sequences as one graph, so that an executable writes them, too: a loop over steps, in which
each step's tokens are chosen from the scores of the last one.

It chooses as ``api/generation/search`` does, the most likely token or the best of a beam, up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netwright.specs.dims import Dim, dim

from ...graph.graph import Graph
from ...graph.node import InputAttributes, Value
from ...graph.substitution import with_sizes
from ...graph.types import TensorType
from ..functions.activation import log_softmax
from ..functions.beams import cells_at, most_likely
from ..functions.scanning import operand, scan
from ..tensor import Tensor, constant, full, iota, where
from .split import KEPT, MADE, NEXT, SCORES, STATE, TOKEN, Split
from .steps import NotStepwise

#: The outputs: the tokens `[N, length]`, after the last one −1; how many there are `[N]`; and the logarithm of their
#: probability `[N]`.
WRITTEN, COUNTS, LIKELIHOOD = "written", "written_counts", "log_probability"
#: The logarithm of a probability of 0, finite, so that no difference is NaN.
_NEVER = -1e30


@dataclass(frozen=True)
class Writing:
    """``length``: how many tokens are written at most. ``end`` is the token that ends a sequence, ``never`` are those
    that do not occur. With ``begin``, sequences begin with that token; otherwise the network still reads what they
    begin with. ``beam``: how many sequences are kept of each sample; None takes the most likely token.
    """

    length: int
    begin: int | None = None
    end: int | None = None
    never: tuple[int, ...] = ()
    beam: int | None = None


def decoding_graph(split: Split, input: str, output: str, writing: Writing) -> Graph:
    """The graph that writes: it has the network's inputs, those that are still read, and the outputs ``WRITTEN``,
    ``COUNTS`` and ``LIKELIHOOD``. Raises NotStepwise for a beam over a fixed number of samples.
    """
    begun = split.begin
    time = begun.type(begun.inputs[input]).shape[1]
    if writing.begin is not None:
        begun = with_sizes(begun, {str(time): 1})
    graph = Graph("predict")
    given: list[Value] = []
    for name, value in begun.inputs.items():
        attrs = begun.producer(value).attrs
        assert isinstance(attrs, InputAttributes)
        if name == input and writing.begin is not None:
            given.append(full(graph, writing.begin, attrs.type).value)
        else:
            given.append(graph.input(name, attrs.type, attrs.role))
    results = dict(zip(begun.outputs, (Tensor(graph, v) for v in graph.inline(begun, given)), strict=True))
    weights = {name: Tensor(graph, value) for name, value in graph.inputs.items()}
    search = _Greedy(split, writing) if writing.beam is None else _Beam(split, writing)
    scores = results.pop(output)
    for name, tensor in search.written(scores.take(1, scores.shape[1] - 1), results, weights).items():
        graph.set_output(name, tensor.value)
    return graph


class _Search:
    """What both searches share: ``step`` computes as many rows as the search keeps."""

    def __init__(self, split: Split, writing: Writing, step: Graph):
        self.split, self.writing, self.step = split, writing, step
        self.states = [name for name in step.inputs if name.startswith(STATE)]
        self.consts = [name for name in step.inputs if not name.startswith(STATE) and name != TOKEN]
        self.token = step.type(step.inputs[TOKEN])
        self.scores = step.type(step.outputs[SCORES])

    def logarithms(self, scores: Tensor) -> Tensor:
        """The logarithms of the probabilities of all tokens, of scores `[rows, V]`."""
        if self.writing.never:
            size = scores.shape[1]
            assert isinstance(size, int)
            never = np.zeros(size, np.bool_)
            never[list(self.writing.never)] = True
            here = constant(scores.graph, never).broadcast(scores.shape, [1])
            scores = where(here, full(scores.graph, _NEVER, scores.type), scores)
        return log_softmax(scores, 1)

    def operands(self, body: Graph) -> dict[str, Tensor]:
        """What a body's step reads besides tokens and states: declared first, since a loop's constants come first."""
        return {name: operand(body, name, self.step.type(self.step.inputs[name])) for name in self.consts}

    def advance(
        self, consts: Mapping[str, Tensor], states: Mapping[str, Tensor], tokens: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The scores `[rows, V]` after a further token, and the next states."""
        graph = tokens.graph
        token = tokens.cast(self.token.dtype).reshape(self.token.shape)
        known = {**consts, **states, TOKEN: token}
        made = graph.inline(self.step, [known[name].value for name in self.step.inputs])
        results = dict(zip(self.step.outputs, (Tensor(graph, value) for value in made), strict=True))
        scores = results.pop(SCORES)
        return scores.reshape((scores.shape[0], scores.shape[2])), results


class _Greedy(_Search):
    """The most likely token of each step."""

    def __init__(self, split: Split, writing: Writing):
        super().__init__(split, writing, split.step)

    def written(
        self, scores: Tensor, results: Mapping[str, Tensor], weights: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The outputs, from the scores of the first token and what `begin` gives besides."""
        graph, rows = scores.graph, scores.shape[0]
        flags, totals = TensorType("bool", (rows,)), TensorType(scores.dtype, (rows,))
        body = Graph("write")
        consts = self.operands(body)
        own = operand(body, "scores", scores.type)
        done, total = operand(body, "done", flags), operand(body, "total", totals)
        states = {name: operand(body, name, self.step.type(self.step.inputs[name])) for name in self.states}
        logarithms = self.logarithms(own)
        tokens = logarithms.argmax(1)
        ends = (
            full(body, False, flags) if self.writing.end is None else tokens.compare("eq", self.writing.end)
        )
        over = done.either(ends)
        following, after = self.advance(consts, states, tokens)
        body.set_output("scores", following.value)
        body.set_output("done", over.value)
        body.set_output("total", where(done, total, total + logarithms.reduce("max", [1])).value)
        for name in self.states:
            body.set_output(name, after[name.replace(STATE, NEXT, 1)].value)
        body.set_output("token", where(over, full(body, -1, tokens.type), tokens).value)
        carries = [scores, full(graph, False, flags), full(graph, 0, totals)]
        carries += [results[name.replace(STATE, NEXT, 1)] for name in self.states]
        known = {**weights, **{name.replace(MADE, KEPT, 1): value for name, value in results.items()}}
        ended = scan(body, self.writing.length, [known[name] for name in self.consts], carries, [])
        return _outputs(ended[-1].transpose(1, 0), ended[2])


def _outputs(written: Tensor, total: Tensor) -> dict[str, Tensor]:
    counts = written.compare("ge", 0).cast("int64").sum([1])
    return {WRITTEN: written, COUNTS: counts, LIKELIHOOD: total}


class _Beam(_Search):
    """The best of a beam: at each step the most likely sequences of each sample are kept. Those that end are compared
    by the mean over their tokens.
    """

    def __init__(self, split: Split, writing: Writing):
        samples = split.step.type(split.step.inputs[TOKEN]).shape[0]
        if not isinstance(samples, Dim) or samples != dim(samples.text):
            raise NotStepwise(f"a beam needs an open number of samples, and there are {samples}")
        assert writing.beam is not None
        self.size, self.samples = writing.beam, samples
        super().__init__(split, writing, with_sizes(split.step, {samples.text: samples * self.size}))

    def written(
        self, scores: Tensor, results: Mapping[str, Tensor], weights: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The outputs, from the scores of the first token and what `begin` gives besides."""
        graph, length = scores.graph, self.writing.length
        slots, each = (
            TensorType(scores.dtype, (self.samples, self.size)),
            TensorType(scores.dtype, (self.samples,)),
        )
        repeated = {name: self.repeated(value, self.split.rows.get(name)) for name, value in results.items()}
        first = iota(graph, "int64", slots.shape, 1).compare("eq", 0)
        numbers = each.with_dtype("int64")
        carries = [
            self.repeated(scores, 0),
            where(first, full(graph, 0, slots), full(graph, _NEVER, slots)),
            *(
                full(graph, value, type)
                for value, type in ((_NEVER, each), (0, each), (0, numbers), (0, numbers))
            ),
            full(graph, 0, TensorType("int64", ())),
            *(repeated[name.replace(STATE, NEXT, 1)] for name in self.states),
        ]
        known = {**weights, **{name.replace(MADE, KEPT, 1): value for name, value in repeated.items()}}
        body = self.body(scores.dtype, slots, each)
        results_of = scan(body, length, [known[name] for name in self.consts], carries, [])
        _, totals, mean, total, step, slot, *_ = results_of
        parents, tokens = results_of[-2:]
        # Sequences that never ended are compared with the best one that did.
        left = totals.argmax(1)
        best = totals.reduce("max", [1])
        longer = (best * (1 / length)).compare("gt", mean)
        step = where(longer, full(graph, length, step.type), step)
        slot = where(longer, left, slot)
        return _outputs(_traced(parents, tokens, step, slot), where(longer, best, total))

    def repeated(self, value: Tensor, axis: int | None) -> Tensor:
        """A value of each sample for each of its sequences, next to each other along the axis of samples."""
        if axis is None:
            return value
        shape = value.shape
        wide = (*shape[: axis + 1], self.size, *shape[axis + 1 :])
        axes = [at + (at > axis) for at in range(value.rank)]
        joined = (*shape[:axis], shape[axis] * self.size, *shape[axis + 1 :])
        return value.broadcast(wide, axes).reshape(joined)

    def body(self, dtype: str, slots: TensorType, each: TensorType) -> Graph:
        """A step: the sequences that end are compared with the best one so far, the best others go on."""
        body, numbers = Graph("write"), each.with_dtype("int64")
        consts = self.operands(body)
        scores = operand(
            body, "scores", TensorType(dtype, (slots.shape[0] * self.size, self.scores.shape[2]))
        )
        totals = operand(body, "totals", slots)
        mean, total = operand(body, "mean", each), operand(body, "total", each)
        step, slot = operand(body, "step", numbers), operand(body, "slot", numbers)
        at = operand(body, "at", TensorType("int64", ()))
        states = {name: operand(body, name, self.step.type(self.step.inputs[name])) for name in self.states}
        words = scores.shape[1]
        assert isinstance(words, int)
        cube = (*slots.shape, words)
        reached = self.logarithms(scores).reshape(cube) + totals.broadcast(cube, [0, 1])
        going, end = reached, self.writing.end
        if end is not None:
            going = where(
                iota(body, "int64", cube, 2).compare("eq", end), full(body, _NEVER, reached.type), reached
            )
        picked, best = most_likely(going.reshape((slots.shape[0], self.size * words)), self.size)
        if end is not None:
            ended = reached.take(2, end)
            last = best.slice(1, self.size - 1, self.size).reshape(each.shape)
            counts = ended.compare("gt", last.broadcast(slots.shape, [0]))
            ended = where(counts, ended, full(body, _NEVER, slots))
            most = ended.reduce("max", [1])
            own = most / (at + 1).cast(dtype).broadcast(each.shape, [])
            better = own.compare("gt", mean)
            mean, total = where(better, own, mean), where(better, most, total)
            step = where(better, at.broadcast(numbers.shape, []), step)
            slot = where(better, ended.argmax(1), slot)
        parent = full(body, 0, picked.type)
        for number in range(1, self.size):
            parent = parent + picked.compare("ge", number * words).cast("int64")
        token = picked - parent * words
        rows = parent + iota(body, "int64", slots.shape, 0) * self.size
        moved = {name: self.moved(states[name], rows, self.split.rows[name] or 0) for name in self.states}
        following, after = self.advance(consts, moved, token)
        outputs = [following, best, mean, total, step, slot, at + 1]
        outputs += [after[name.replace(STATE, NEXT, 1)] for name in self.states]
        for number, value in enumerate([*outputs, parent, token]):
            body.set_output(str(number), value.value)
        return body

    def moved(self, state: Tensor, rows: Tensor, axis: int) -> Tensor:
        """The states of the sequences that go on, in the order of those they become."""
        leading = state.move_axis(axis, 0)
        return leading.gather(rows.reshape(leading.shape[:1])).move_axis(0, axis)


def _traced(parents: Tensor, tokens: Tensor, step: Tensor, slot: Tensor) -> Tensor:
    """The tokens of the sequence that is in ``slot`` before the step ``step`` `[N]`, `[N, length]`, from the sequences
    and tokens of all steps, `[length, N, B]`."""
    graph, (length, _, _) = parents.graph, parents.shape
    body, type = Graph("traced"), parents.type.with_shape(parents.shape[1:])
    last, own = operand(body, "step", step.type), operand(body, "slot", slot.type)
    parent, token = operand(body, "parent", type), operand(body, "token", type)
    at = operand(body, "at", step.type)
    inside = at.apply("lt", last)
    place = own.reshape((*own.shape, 1))
    body.set_output("slot", where(inside, cells_at(parent, place).reshape(own.shape), own).value)
    said = cells_at(token, place).reshape(own.shape)
    body.set_output("said", where(inside, said, full(body, -1, said.type)).value)
    times = iota(graph, "int64", (length, *step.shape), 0)
    _, written = scan(body, length, [step], [slot], [parents, tokens, times], reverse=True)
    return written.transpose(1, 0)
