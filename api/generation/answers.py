"""Texts that a network writes in answer to others, sample by sample, in the form of predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.graph.types import TensorType
from netwright.runtime.batches import read_ahead
from netwright.runtime.data.inputs import InputBatch, Inputs, Unreadable, each_alone
from netwright.runtime.data.vocabulary import Vocabulary
from netwright.runtime.errors import DataError, ExecutionError, InputError

from ..errors import RequestError
from ..model import Model
from ..prediction.answers import Answer, Numbers
from ..prediction.inputs import PredictionInputs
from ..prediction.predictor import USUAL_BATCH, Prediction
from ..prediction.samples import Shown
from ..program import EngineName
from .search import Continuation, Decoder, Drawing, Ending, beam_search, continued
from .text import joined
from .writer import Writer

#: What the columns of answers are called.
ANSWER, LIKELIHOOD = "answer", "log_probability"
#: What stands after the last token.
_NONE = -1
#: Writes on, for samples that are numbered from a first one.
Search = Callable[[Decoder, NDArray[np.int64], int], Sequence[Continuation]]


class WrittenText(Answer):
    """Tokens as text; without a ``vocabulary`` as numbers."""

    def __init__(self, vocabulary: Vocabulary | None, length: int):
        super().__init__(ANSWER, TensorType("int64", (1, length)), last=False)
        self._vocabulary = vocabulary

    @property
    def headings(self) -> tuple[str, ...]:
        return (ANSWER,)

    def cells(self, value: NDArray) -> tuple[str, ...]:
        return (self._text(value),)

    @property
    def columns(self) -> tuple[str, ...]:
        return (ANSWER,)

    def fields(self, value: NDArray) -> tuple[str, ...]:
        return (self._text(value),)

    def to_json(self, value: NDArray) -> Any:
        return self._tokens(value) if self._vocabulary is None else self._text(value)

    def _tokens(self, value: NDArray) -> list[int]:
        return [token for token in value.tolist() if token != _NONE]

    def _text(self, value: NDArray) -> str:
        if self._vocabulary is None:
            return " ".join(map(str, self._tokens(value)))
        return joined([self._vocabulary.entries[token] for token in self._tokens(value)], self._vocabulary)


def shown_answers(writer: Writer, length: int) -> Shown:
    """How answers of up to ``length`` tokens are shown."""
    likelihood = Numbers(LIKELIHOOD, TensorType("float64", (1,)))
    return Shown([WrittenText(writer.vocabulary, length), likelihood], {})


def searching(writer: Writer, ending: Ending, drawing: Drawing, beam: int | None = None) -> Search:
    """Draws, or keeps a ``beam``."""

    def search(decoder: Decoder, begun: NDArray[np.int64], first: int) -> list[Continuation]:
        if beam is not None:
            return beam_search(decoder, begun, beam, ending, writer.never)
        return continued(decoder, begun, drawing, ending, writer.never, first=first)

    return search


def first_tokens(writer: Writer) -> list[int]:
    """The token that every text begins with. Raises RequestError if there is none."""
    vocabulary = writer.vocabulary
    if vocabulary is None or vocabulary.begin is None:
        raise RequestError(
            f'the vocabulary of {writer.written.input} has no token that texts begin with: write begin: "<s>" in the '
            "data set, and train again"
        )
    return [vocabulary.numbers[vocabulary.begin]]


def answers(
    writer: Writer, inputs: Inputs, begun: Sequence[int], length: int, search: Search
) -> Iterator[Prediction | Unreadable]:
    """What ``search`` writes for all samples, in their order, after the tokens ``begun``. While a batch is computed,
    the next one is read.
    """
    number = 0
    with read_ahead(inputs) as items:
        for item in items:
            if isinstance(item, Unreadable):
                yield item
                continue
            first = number
            number += len(item)

            def written(rows: Sequence[int], item: InputBatch = item, first: int = first) -> Prediction:
                return _written(
                    writer, item.take(rows[0], rows[-1] + 1), begun, length, search, first + rows[0]
                )

            yield from each_alone(range(len(item)), written)


def answer(
    model: Model,
    weights: str | Path,
    texts: Sequence[str],
    *,
    length: int = 100,
    beam: int | None = None,
    engine: EngineName = "native",
    threads: int | None = None,
) -> list[str]:
    """The text of up to ``length`` tokens that a network writes in answer to each of ``texts``: token by token the most
    likely one, or the best of a ``beam``. Raises RequestError for a network that does not, DataError for texts that it
    can't read, and what `Model.compile` raises.
    """
    writer = Writer(model, weights, engine=engine, threads=threads)
    inputs = PredictionInputs(
        model.load,
        model.network,
        writer.vocabularies,
        size=USUAL_BATCH,
        without=[name for name in model.network.inputs if name not in writer.reads],
    )
    search = searching(writer, Ending(length, writer.ends), Drawing(), beam)
    shown, made = WrittenText(writer.vocabulary, length), list[str]()
    for item in answers(writer, inputs.of_texts(texts), first_tokens(writer), length, search):
        if isinstance(item, Unreadable):
            raise DataError(item.message)
        made += [shown.cells(tokens)[0] for tokens in item.outputs[ANSWER]]
    return made


def _written(
    writer: Writer, batch: InputBatch, begun: Sequence[int], length: int, search: Search, first: int
) -> Prediction:
    tokens = np.tile(np.array(begun, np.int64), (len(batch), 1))
    try:
        made = search(writer.on(batch.arrays), tokens, first)
    except (ExecutionError, InputError) as error:
        raise DataError(f"{batch.places[0]}: {error}") from error
    written = np.full((len(batch), length), _NONE, np.int64)
    for row, continuation in enumerate(made):
        written[row, : len(continuation.tokens)] = continuation.tokens
    outputs = {ANSWER: written, LIKELIHOOD: np.array([each.log_probability for each in made])}
    return Prediction(batch.places, batch.texts, batch.arrays, outputs)
