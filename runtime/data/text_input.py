"""Texts to predict for as the arrays that an input takes, by the vocabulary that the weights were trained with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import TextColumnSpec, TextData

from ..errors import DataError, DataWarning
from .inputs import Inputs, Place
from .ragged import TextCollector, Texts, check_options, with_lengths
from .spans import Spans
from .wanted import Wanted, check_whole


class TextInput:
    """Fills one input, and the one with its lengths. Raises DataError if it takes no text, if the weights have no
    vocabulary of it, or if the spec divides text in another way than that was made for.
    """

    def __init__(self, info: BufferInfo, spec: TextColumnSpec | TextData, wanted: Wanted, where: object):
        check_whole(info, where)
        vocabulary = wanted.vocabularies.get(info.name)
        if vocabulary is None:
            raise DataError(
                f"{where}: the weights hold no vocabulary of {info.name}: they were not trained on text"
            )
        check_options(info.name, spec.vocabulary, vocabulary)
        self.info, self.spec, self.wanted, self.vocabulary = info, spec, wanted, vocabulary
        self.lengths = wanted.lengths.get(info.name)
        self._tokens = self._unknown = 0

    def batch(self, size: int) -> int:
        """How many texts may share a batch: one alone if nothing tells which of its steps are padding."""
        return size if self.lengths is not None or self.spec.length is not None else 1

    def arrays(self, texts: Sequence[str], places: Sequence[Place]) -> dict[str, NDArray]:
        """The arrays of texts, which are at ``places``. Raises DataError, which names the place."""
        collected = TextCollector(self.spec.vocabulary)
        for text in texts:
            collected.add(text)
        spans = collected.spans
        if self.vocabulary.end is not None and self.spec.next_token:
            spans = spans.as_followed()  # nothing is asked after the end
        made = Texts(
            self.info.name,
            collected,
            spans,
            self.spec.vocabulary,
            np.dtype(self.info.dtype),
            self._length(spans, places),
            lambda row: str(places[row]),
            self.vocabulary,
        )
        tokens, unknown = made.count()
        self._tokens, self._unknown = self._tokens + tokens, self._unknown + unknown
        arrays = with_lengths(made, self.info.name, self.lengths, places[0])
        return {name: array[slice(None)] for name, array in arrays.items()}

    def telling(self, items: Inputs) -> Inputs:
        """The same items; after the last one it warns of tokens that are not in the vocabulary."""
        yield from items
        if self._unknown:
            warnings.warn(
                f"{self._unknown:,} of {self._tokens:,} tokens are not in the vocabulary of {self.info.name}",
                DataWarning,
                stacklevel=2,
            )

    def _length(self, spans: Spans, places: Sequence[Place]) -> int | None:
        if self.spec.length is not None or self.lengths is None:
            return self.spec.length
        own = spans.own
        try:
            return self.wanted.steps(self.info, int(own.max()))
        except DataError as error:
            raise DataError(f"{places[int(own.argmax())]}: {error}") from None
