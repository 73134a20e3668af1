"""Sequences of tokens of different lengths, which read as an array: padded or cut to one length."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo
from netwright.specs.models.data import VocabularySpec

from ..errors import DataError
from .spans import Spans, offsets_of
from .stored import Stored
from .vocabulary import Vocabulary, build_vocabulary, pieces
from .wanted import check_whole


class Ragged:
    """Sequences of tokens, which lie in ``values`` ``[tokens]`` where ``spans`` says. It reads as an array ``[samples,
    length]`` with zeros after shorter sequences; by default as long as the longest.
    """

    def __init__(self, values: NDArray | Stored, spans: Spans, dtype: np.dtype, length: int | None = None):
        self._values, self.spans = values, spans
        own = spans.own
        self.longest = int(own.max(initial=0))
        self.shortest = int(own.min(initial=self.longest))
        self.dtype = dtype
        self.shape = (len(own), self.longest if length is None else length)
        self.fixed = length is not None
        #: How many tokens of each sequence are read.
        self.lengths = np.minimum(own, self.shape[1])

    @property
    def in_memory(self) -> bool:
        """Whether rows are copied, not read from a file."""
        return not isinstance(self._values, Stored) or self._values.in_memory

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray:
        return self.read(rows)

    def read(self, rows: slice | NDArray[np.int64], ahead: int = 0) -> NDArray:
        """The tokens of some sequences ``[rows, length]``, or those that stand so many places after each."""
        starts, lengths = self.spans.starts[rows] + ahead, self.lengths[rows]
        padded = np.zeros((len(starts), self.shape[1]), self.dtype)
        if isinstance(self._values, Stored):
            for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
                padded[row, :length] = self._numbers(self._values[slice(start, start + length)])
            return padded
        inside = np.arange(self.shape[1]) < lengths[:, None]
        row, step = np.nonzero(inside)
        padded[inside] = self._numbers(self._values[starts[row] + step])
        return padded

    def _numbers(self, values: NDArray) -> NDArray:
        return values


class NextTokens:
    """The token after each token of ``array``, of the same shape: what a language model is to predict. Both read the
    same memory or file.
    """

    def __init__(self, array: Ragged):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    @property
    def in_memory(self) -> bool:
        """Whether rows are copied, not read from a file."""
        return self._array.in_memory

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray:
        return self._array.read(rows, 1)


class Texts(Ragged):
    """Texts as the numbers of their pieces. Which number a piece has is known when there is a ``vocabulary``: one that
    is given, or one that ``build`` makes.
    """

    def __init__(
        self,
        name: str,
        texts: TextCollector,
        spans: Spans,
        spec: VocabularySpec,
        dtype: np.dtype,
        length: int | None,
        place: Callable[[int], str],
        known: Vocabulary | None,
    ):
        super().__init__(texts.codes, spans, dtype, length)
        self.name, self.spec = name, spec
        self._pieces, self._place = texts.pieces, place
        self.vocabulary: Vocabulary | None = None
        self._table: NDArray | None = None
        if known is not None:
            self._use(known)

    def build(self, rows: NDArray[np.int64] | None = None) -> None:
        """Makes the vocabulary from these samples, if there is none yet. Raises DataError."""
        if self.vocabulary is not None:
            return
        counts = np.bincount(self._codes(rows), minlength=len(self._pieces)).tolist()
        vocabulary = build_vocabulary(
            self.spec, {p: n for p, n in zip(self._pieces, counts, strict=True) if n}
        )
        self._use(vocabulary)

    def _use(self, vocabulary: Vocabulary) -> None:
        check_options(self.name, self.spec, vocabulary)
        numbers = vocabulary.numbers
        other = -1 if vocabulary.unknown is None else numbers[vocabulary.unknown]
        table = np.array([numbers.get(piece, other) for piece in self._pieces], np.int64)
        if (table < 0).any():
            assert not isinstance(self._values, Stored)
            at = int(np.flatnonzero(table[self._values] < 0)[0])
            row = int(np.searchsorted(self.spans.starts, at, side="right")) - 1
            piece = self._pieces[int(self._values[at])]
            raise DataError(
                f"{self._place(row)}: {piece!r} is no entry of the vocabulary of {self.name}, which has no entry for "
                "unknown pieces"
            )
        if len(vocabulary) - 1 > np.iinfo(self.dtype).max:
            raise DataError(
                f"{self.name} is {self.dtype}: the {len(vocabulary):,} entries of the vocabulary need int32"
            )
        self.vocabulary, self._table = vocabulary, table

    def _numbers(self, values: NDArray) -> NDArray:
        if self._table is None:
            raise DataError(
                f"{self.name}: there is no vocabulary; it is made from the data set train, or stored with weights"
            )
        return self._table[values] if len(self._table) else values

    def count(self, rows: NDArray[np.int64] | None = None) -> tuple[int, int]:
        """How many tokens these samples have, or all, and how many of them are no entries."""
        codes = self._codes(rows)
        if self._table is None or self.vocabulary is None or self.vocabulary.unknown is None:
            return len(codes), 0
        unknown = self._numbers(codes) == self.vocabulary.numbers[self.vocabulary.unknown]
        return len(codes), int(np.count_nonzero(unknown))

    def pieces_of(self, row: int) -> list[str]:
        """The pieces of a sample's text, whether they are entries or not, without what stands around it."""
        start, count = int(self.spans.starts[row]), int(self.spans.counts[row])
        codes = self._values[slice(start, start + count)].tolist()
        low, high = bool(self.spec.begin), len(codes) - bool(self.spec.end)
        return [self._pieces[code] for code in codes[low:high]]

    def _codes(self, rows: NDArray[np.int64] | None) -> NDArray:
        """The pieces of these samples, or of all."""
        codes = self._values
        assert not isinstance(codes, Stored)
        if rows is None:
            return codes
        return codes[self.spans.covering(rows, len(codes))]


class TextCollector:
    """Collects texts, each as numbers of its pieces in the order in which they first occur."""

    def __init__(self, spec: VocabularySpec):
        self._spec = spec
        self._found: dict[str, int] = {}
        self._parts: list[NDArray[np.int32]] = []

    def add(self, text: str) -> None:
        """Adds the next sample, with what the vocabulary puts around it."""
        numbers, spec = self._found, self._spec
        divided = pieces(text, spec.of, spec.lower)
        around = ([spec.begin] if spec.begin else [], [spec.end] if spec.end else [])
        own = [numbers.setdefault(piece, len(numbers)) for piece in (*around[0], *divided, *around[1])]
        self._parts.append(np.array(own, np.int32))

    @property
    def pieces(self) -> list[str]:
        """The different pieces by number."""
        return list(self._found)

    @property
    def codes(self) -> NDArray[np.int32]:
        """The pieces of all texts."""
        return np.concatenate([np.zeros(0, np.int32), *self._parts])

    @property
    def spans(self) -> Spans:
        """Where each text lies in ``codes``."""
        return Spans.between(offsets_of([len(part) for part in self._parts]))


def check_options(name: str, spec: VocabularySpec, vocabulary: Vocabulary) -> None:
    """Raises DataError if a spec divides the text of the input ``name`` in another way than a vocabulary was made
    for.
    """
    for key, theirs in vocabulary.options.items():
        mine = getattr(spec, key)
        if mine != theirs:
            raise DataError(
                f"the vocabulary of {name} changed: it was made with {key}: {json.dumps(theirs)}, the data set says "
                f"{key}: {json.dumps(mine)}"
            )


def with_lengths(
    array: Ragged, name: str, lengths: str | None, path: object
) -> Mapping[str, Ragged | NDArray]:
    """The arrays of sequences that fill the input ``name``: they and, where the input has some, their ``lengths``.
    Raises DataError for sequences of different lengths without either lengths or a length.
    """
    if not array.shape[1]:
        lacking = "no sample has two tokens" if array.spans.followed else "there is no token"
        raise DataError(f"{path}: {lacking}")
    if lengths is not None:
        return {name: array, lengths: array.lengths}
    padded = isinstance(array, Texts) and array.spec.padding is None
    if array.shortest < array.shape[1] and (padded or not array.fixed):
        most = f"{array.shortest:,} to {array.longest:,} tokens"
        equal = "" if padded else "length makes them equal, or "
        raise DataError(f"{path}: samples have {most}; {equal}give the input lengths: NAME")
    return {name: array}


def with_next_tokens(
    arrays: Mapping[str, Ragged | NextTokens | NDArray], name: str, target: BufferInfo, path: object
) -> Mapping[str, Ragged | NextTokens | NDArray]:
    """The same arrays, and the next tokens of the input ``name`` as the ``target``. Raises DataError if that does not
    take a token per step.
    """
    check_whole(target, path)
    array = arrays[name]
    assert isinstance(array, Ragged)
    return {**arrays, target.name: NextTokens(array)}
