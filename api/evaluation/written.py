"""Texts that a network writes for the samples of a data set, compared with those that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.runtime.data.samples import Samples
from netwright.runtime.data.vocabulary import Vocabulary

from ..errors import RequestError
from ..generation.answers import Search, first_tokens
from ..generation.text import joined
from ..generation.writer import Writer
from .text_scores import chrf, error_rate


@dataclass(frozen=True)
class Comparison:
    """The pieces of a text that was written, and of the one that is meant."""

    said: Sequence[str]
    meant: Sequence[str]


def compared(writer: Writer, data: Samples, size: int, search: Search) -> list[Comparison]:
    """What ``search`` writes for every sample, ``size`` at a time. Raises RequestError for a network that reads nothing
    else than what it writes, and for samples that are no text.
    """
    vocabulary, begun = writer.vocabulary, np.array(first_tokens(writer), np.int64)
    if not writer.reads:
        raise RequestError(
            f"{writer.name} reads nothing else than what it writes: there is nothing to answer"
        )
    texts = data.origin.texts.get(writer.written.input)
    if texts is None or vocabulary is None:
        raise RequestError(f"{data.name}: {writer.written.input} is not made from text")
    origin = data.origin_rows
    made: list[Comparison] = []
    for start in range(0, len(data), size):
        arrays = data.read(slice(start, start + size), writer.reads)
        count = min(size, len(data) - start)
        answers = search(writer.on(arrays), np.tile(begun, (count, 1)), start)
        for row, answer in enumerate(answers, start):
            said = [vocabulary.entries[token] for token in answer.tokens]
            meant = texts.pieces_of(row if origin is None else int(origin[row]))
            made.append(Comparison(said, meant))
    return made


def text_scores(comparisons: Sequence[Comparison], vocabulary: Vocabulary) -> dict[str, float]:
    """How many texts are exactly as meant, the error rates of words and characters, and chrF."""
    texts = [(joined(each.said, vocabulary), joined(each.meant, vocabulary)) for each in comparisons]
    words = [(each.said, each.meant) for each in comparisons]
    if vocabulary.of == "characters":
        words = [(said.split(), meant.split()) for said, meant in texts]
    exact = [list(each.said) == list(each.meant) for each in comparisons]
    return {
        "exact": float(np.mean(exact)),
        "word_error_rate": error_rate(words),
        "character_error_rate": error_rate(texts),
        "chrf": chrf(texts),
    }
