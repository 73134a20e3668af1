"""A compiled network that writes sequences: the scores of the next token, for many sequences at once.

If the network allows it (``compiler/frontend/generation``), everything is read once, and each further token costs one
step. Otherwise each token costs a prediction for the whole sequence so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.build import bounded_network, writing_graph
from netwright.compiler.frontend.generation.split import (
    BEGIN,
    KEPT,
    MADE,
    NEXT,
    SCORES,
    STATE,
    STEP,
    TOKEN,
    Split,
    split_steps,
)
from netwright.compiler.frontend.generation.steps import NotStepwise
from netwright.compiler.graph.graph import Graph
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.engines.engine import Engine
from netwright.runtime.sessions.session import Session
from netwright.runtime.sessions.weights import load_vocabularies
from netwright.specs.dims import dim

from ..build import build, reference
from ..data.written import never_written, written_by
from ..errors import RequestError
from ..model import Model
from ..program import EngineName
from ..weights.network import Weights, read_weights


class Writer:
    """``weights`` are a file, whose vocabularies are used, or arrays by name. ``given`` are inputs that are known to
    hold something else than the tokens that are written.

    ``whole`` says why each token needs the whole sequence; None if a step is enough. Raises RequestError for a network
    that was not trained to predict next tokens, and what `Model.compile` raises.
    """

    def __init__(
        self,
        model: Model,
        weights: Weights,
        given: tuple[str, ...] = (),
        *,
        engine: EngineName = "native",
        threads: int | None = None,
        pin: bool = False,
    ):
        self.name = model.name
        self.written = written = written_by(model.spec, model.network, given)
        self.vocabularies: dict[str, Vocabulary] = (
            load_vocabularies(weights) if isinstance(weights, str | Path) else {}
        )
        network = bounded_network(model.load, model.network)
        graph = writing_graph(model.load, network, written.input, written.output)
        self.whole: str | None = None
        split = self._split(graph, model)
        self._axes = {} if split is None else dict(split.rows)
        self.graphs = {BEGIN: graph} if split is None else {BEGIN: split.begin, STEP: split.step}
        made: Engine
        if engine == "reference":
            made = reference(network, self.graphs)
        else:
            made = build(network, self.graphs, named_target("native")).engine(threads, pin)
        values = read_weights(model.network, weights)
        known = {buffer.name for buffer in made.manifest.buffers}
        self.session = Session(made, {name: array for name, array in values.items() if name in known})
        self._lengths = {
            size: info.longest_of for size, info in network.dims.items() if info.longest_of is not None
        }
        #: The inputs besides the tokens that are really read.
        self.reads = tuple(name for name in self.graphs[BEGIN].inputs if name in written.others)

    def _split(self, graph: Graph, model: Model) -> Split | None:
        """Both entries of a network that can be run step by step."""
        steps = self.written.steps
        if steps.max is not None or steps.min > 1 or steps.multiple_of > 1:
            self.whole = f"the network reads only so many tokens at once: {steps.name} is {steps.admitted}"
            return None
        try:
            return split_steps(graph, self.written.input, self.written.output)
        except NotStepwise as reason:
            self.whole = str(reason)
            return None

    @property
    def vocabulary(self) -> Vocabulary | None:
        """What the tokens that are written stand for, as far as that is known."""
        return self.vocabularies.get(self.written.input)

    @property
    def ends(self) -> frozenset[int]:
        """The token that ends texts, if the vocabulary has one."""
        vocabulary = self.vocabulary
        if vocabulary is None or vocabulary.end is None:
            return frozenset()
        return frozenset([vocabulary.numbers[vocabulary.end]])

    @property
    def never(self) -> list[int]:
        """The tokens that are never written: padding, unknown pieces, the beginning, and numbers beyond the
        vocabulary.
        """
        return never_written(self.vocabulary, self.written.size)

    def on(self, arrays: Mapping[str, NDArray] | None = None) -> Decoding:
        """Sequences that are written for the samples of these ``arrays`` of all other inputs, `[N, …]`. Raises
        RequestError if one is missing.
        """
        arrays = dict(arrays or {})
        if lacking := [name for name in self.reads if name not in arrays]:
            raise RequestError(
                f"{self.name} also reads {', '.join(lacking)}: give it with -i {lacking[0]}=FILE"
            )
        return Decoding(self, {name: arrays[name] for name in self.reads})

    def run(self, entry: str, arrays: Mapping[str, NDArray], dims: Mapping[str, int]) -> dict[str, NDArray]:
        """Runs an entry on any number of rows."""
        rows = self.written.rows
        count = len(arrays[self.written.input if entry == BEGIN else TOKEN])
        most = rows.max or count
        parts: list[dict[str, NDArray]] = []
        for start in range(0, count, most):
            own = np.arange(start, min(start + most, count))
            missing = max(rows.min, -(-len(own) // rows.multiple_of) * rows.multiple_of) - len(own)
            taken = np.concatenate([own, np.repeat(own[-1:], max(missing, 0))])
            some = arrays if len(taken) == count else self.rows(arrays, taken)
            results = self.session.run(entry, some, dims)
            parts.append(self.rows(results, np.arange(len(own))))
        if len(parts) == 1:
            return parts[0]
        return {
            name: array
            if (axis := self._axis(name)) is None
            else np.concatenate([p[name] for p in parts], axis)
            for name, array in parts[0].items()
        }

    def rows(self, arrays: Mapping[str, NDArray], rows: NDArray[np.int64]) -> dict[str, NDArray]:
        """Some rows of inputs, outputs, and what passes between entries."""
        taken: dict[str, NDArray] = {}
        for name, array in arrays.items():
            axis = self._axis(name)
            same = axis is None or np.array_equal(rows, np.arange(array.shape[axis]))
            taken[name] = array if same else np.ascontiguousarray(np.take(array, rows, axis))
        return taken

    def _axis(self, name: str) -> int | None:
        return self._axes.get(name, 0)

    def sizes(self, arrays: Mapping[str, NDArray]) -> dict[str, int]:
        """The open sizes that these arrays of other inputs bind, without that of rows."""
        bound = {
            size: max(1, int(arrays[name].max(initial=0)))
            for size, name in self._lengths.items()
            if name in arrays
        }
        graph = self.graphs[BEGIN]
        for name, array in arrays.items():
            for size, value in zip(graph.type(graph.inputs[name]).shape, array.shape, strict=False):
                if not isinstance(size, int) and size == dim(size.text):
                    bound[size.text] = value
        bound.pop(self.written.rows.name, None)
        return bound


class Decoding:
    """Sequences on their way: the scores `[B, V]` of what follows each of them."""

    def __init__(self, writer: Writer, arrays: Mapping[str, NDArray]):
        self._writer, self._arrays = writer, arrays
        self._stepwise = writer.whole is None
        self._state: dict[str, NDArray] = {}
        self._kept: dict[str, NDArray] = {}
        self._samples = np.zeros(0, np.int64)
        self._tokens = np.zeros((0, 0), np.int64)
        self._sizes = writer.sizes(arrays)

    def begin(self, tokens: NDArray[np.int64]) -> NDArray:
        """The scores after sequences that begin with ``tokens`` `[B, t]`, a row per sample; of sequences longer than
        the network reads, the last tokens count. Raises RequestError for too few, ExecutionError and InputError.
        """
        self._samples = np.arange(len(tokens))
        self._tokens = tokens
        return self._whole()

    def advance(self, rows: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray:
        """The scores after sequences that are those in ``rows`` of the last call, each with one more token."""
        if not self._stepwise:
            self._samples = self._samples[rows]
            self._tokens = np.concatenate([self._tokens[rows], tokens[:, None]], axis=1)
            return self._whole()
        writer, samples = self._writer, self._samples[rows]
        if not np.array_equal(samples, self._samples):
            self._kept = writer.rows(self._kept, rows)
            self._samples = samples
        state = {name.replace(NEXT, STATE, 1): array for name, array in self._state.items()}
        arrays = {TOKEN: self._cast(tokens[:, None]), **writer.rows(state, rows), **self._kept}
        self._state = writer.run(STEP, arrays, self._sizes)
        return self._state.pop(SCORES)[:, -1]

    def _whole(self) -> NDArray:
        writer, tokens, steps = self._writer, self._tokens, self._writer.written.steps
        if steps.max is not None:
            tokens = tokens[:, -steps.fitted(steps.max) :]
        if not steps.admits(tokens.shape[1]):
            what = f"{steps.name} is {steps.admitted}, and the text has {tokens.shape[1]} tokens so far"
            raise RequestError(f"{writer.name}: {what}")
        arrays = {name: array[self._samples] for name, array in self._arrays.items()}
        arrays[writer.written.input] = self._cast(tokens)
        if writer.written.lengths in writer.graphs[BEGIN].inputs:  # a layer reads them by itself
            arrays[writer.written.lengths] = np.full(len(tokens), tokens.shape[1])
        results = writer.run(BEGIN, arrays, {})
        scores = results.pop(writer.written.output)
        self._state = {name: array for name, array in results.items() if name.startswith(NEXT)}
        self._kept = {
            name.replace(MADE, KEPT, 1): array for name, array in results.items() if name.startswith(MADE)
        }
        return scores[:, -1]

    def _cast(self, tokens: NDArray[np.int64]) -> NDArray:
        graph = self._writer.graphs[BEGIN]
        return tokens.astype(graph.type(graph.inputs[self._writer.written.input]).dtype)
