"""The protocol of data sets: named arrays whose first axis counts the samples, read when they are asked for.

A data set knows the shapes and dtypes of all its arrays, and reads any of them for any rows. So it may be larger than
memory, and whatever stands between a file and the training (a split, an augmentation) is a data set, too.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo, DimInfo

from ..arrays.arrays import is_rounding
from ..arrays.ranges import out_of_range
from ..errors import DataError, RoundingWarning
from .fitting import Described, check_against, class_problems, sample_problems, sizes_of, vocabulary_problems
from .vocabulary import Vocabulary
from .windows import Windows

if TYPE_CHECKING:
    from .ragged import Texts

#: Which samples: a range, or their numbers in any order.
Rows = slice | NDArray[np.int64]
#: Whole data sets are looked at in pieces of about this many bytes.
_PIECE = 1 << 24


@dataclass(frozen=True)
class Header:
    """The shape (number of samples first) and dtype of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


class SampleCountError(DataError):
    """There is no array or no sample, or arrays have different numbers of samples. ``headers`` describe the arrays of
    the data set ``name``, so that whatever else is wrong with them can be said, too.
    """

    def __init__(self, name: str, headers: Mapping[str, Described], problems: Sequence[str]):
        super().__init__(f"{name}: {'; '.join(problems)}")
        self.name, self.headers, self.problems = name, dict(headers), list(problems)


class Samples(ABC):
    """A data set. Raises SampleCountError if there is no array, or arrays have different numbers of samples.

    ``headers`` describe the arrays by name. ``classes`` are the names of classes, in the order of their numbers, of
    arrays that hold classes whose names are known.
    """

    def __init__(
        self,
        name: str,
        headers: Mapping[str, Described],
        classes: Mapping[str, tuple[str, ...]] | None = None,
    ):
        if problems := sample_problems(headers):
            raise SampleCountError(name, headers, problems)
        self.name = name
        self.headers = dict(headers)
        self.classes = dict(classes or {})
        self._rounded: set[str] = set()  # the arrays of which it was said that they are rounded

    def __len__(self) -> int:
        return next(iter(self.headers.values())).shape[0]

    @abstractmethod
    def read(self, rows: Rows, names: Iterable[str]) -> dict[str, NDArray]:
        """The arrays of some samples, by name. Raises DataError, which names the file, if one can't be read."""

    def place(self, row: int) -> str:
        """What a sample is called in messages."""
        return f"sample {row}"

    @property
    def in_memory(self) -> bool:
        """Whether reading samples takes no more than copying them."""
        return False

    @property
    def texts(self) -> Mapping[str, Texts]:
        """The arrays that are made from text."""
        return {}

    @property
    def next_tokens(self) -> frozenset[str]:
        """The arrays that hold the next token of each token: classes that nobody counts one by one."""
        return frozenset()

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """The vocabularies of the arrays that are made from text, where they are known."""
        return {name: array.vocabulary for name, array in self.texts.items() if array.vocabulary is not None}

    @property
    def origin_rows(self) -> NDArray[np.int64] | None:
        """The rows of ``origin`` that are the samples; None if they are all of them."""
        return None

    @property
    def overlap(self) -> int:
        """How many of the samples after a sample share some of its data with it, as windows of a series do."""
        return 0

    def build_vocabularies(self, rows: NDArray[np.int64] | None = None) -> None:
        """Makes the vocabularies that are not known, from these samples or from all. Raises DataError."""
        return

    def load(self) -> None:
        """Reads now what is kept in memory, so that an error comes before a long training. Raises DataError."""
        return

    def try_some(self) -> None:
        """Reads a few samples of each kind where headers don't tell enough. Raises DataError."""
        return

    def pieces(self, names: Iterable[str]) -> Iterator[tuple[int, dict[str, NDArray]]]:
        """These arrays of all samples, piece by piece, each with the number of its first sample."""
        names = list(names)
        headers = map(self.headers.__getitem__, names)
        size = sum(prod(header.shape[1:]) * header.dtype.itemsize for header in headers)
        step = max(1, _PIECE // max(size, 1))
        for start in range(0, len(self), step):
            yield start, self.read(slice(start, start + step), names)

    def misfits(
        self,
        expected: Sequence[BufferInfo],
        dims: Sequence[DimInfo],
        class_counts: Mapping[str, int],
        windows: Windows | None,
    ) -> list[str]:
        """Everything that headers, classes and vocabularies tell against a model that takes ``expected``; if that is
        nothing, the first value out of range (a length, class or index) of each array. Raises DataError.
        """
        problems = check_against(self.headers, expected, dims, windows)
        problems += class_problems(self.classes, class_counts)
        problems += vocabulary_problems(self.vocabularies, index_limits(expected))
        return problems or self.range_problems(expected)

    def require(
        self, expected: Sequence[BufferInfo], dims: Sequence[DimInfo], windows: Windows | None = None
    ) -> None:
        """Raises DataError with all ``misfits``. Warns once of each array that will be rounded."""
        problems = self.misfits(expected, dims, _class_counts(expected), windows)
        if problems:
            raise DataError("\n  ".join([f"{self.name} does not fit the model:", *problems]))
        origin = self.origin
        for name, text in self.roundings(expected).items():
            if name not in origin._rounded:
                origin._rounded.add(name)
                warnings.warn(f"{origin.name}: {text}", RoundingWarning, stacklevel=2)

    @property
    def origin(self) -> Samples:
        """The data set that this one takes its samples from."""
        return self

    def roundings(self, expected: Sequence[BufferInfo]) -> dict[str, str]:
        """For each array whose numbers are rounded to the model's float type, a sentence that says so."""
        return {
            info.name: f"{info.name} is {header.dtype.name}; its numbers are rounded to {info.dtype}"
            for info in expected
            if (header := self.headers.get(info.name)) is not None
            and is_rounding(header.dtype, np.dtype(info.dtype))
        }

    def range_problems(self, expected: Sequence[BufferInfo]) -> list[str]:
        """The first value of each array that is out of range: a length, class or index. Raises DataError."""
        ranged = [info for info in expected if info.ranges]
        if not ranged:
            return []
        names = {info.name for info in ranged}
        names |= {name for info in ranged for range in info.ranges or () for name in range.unless}
        sizes = sizes_of(self.headers, expected)
        problems: dict[str, str] = {}
        for start, arrays in self.pieces(sorted(names)):

            def place(row: int, start: int = start) -> str:
                return self.place(start + row)

            for info in ranged:
                if info.name not in problems:
                    wrong = next(out_of_range([info], arrays, sizes, partial=False, place=place), None)
                    problems |= {info.name: wrong} if wrong else {}
        return [problems[info.name] for info in ranged if info.name in problems]


def _class_counts(expected: Sequence[BufferInfo]) -> dict[str, int]:
    """How many classes the arrays may hold, where that is known."""
    return {
        info.name: int(range.high) + 1
        for info in expected
        for range in info.ranges or ()
        if range.what == "class" and range.low == 0 and range.high.isdigit()
    }


def index_limits(expected: Iterable[BufferInfo]) -> dict[str, int]:
    """The greatest number that arrays of positions in a table may hold, where that is known."""
    limits: dict[str, int] = {}
    for info in expected:
        for range in info.ranges or ():
            if range.what == "index" and range.high.isdigit():
                limits[info.name] = min(int(range.high), limits.get(info.name, int(range.high)))
    return limits


class Part(Samples):
    """Those samples of ``whole`` that ``rows`` number."""

    def __init__(self, whole: Samples, rows: NDArray[np.int64]):
        count = (len(rows),)
        headers = {name: Header(count + old.shape[1:], old.dtype) for name, old in whole.headers.items()}
        super().__init__(whole.name, headers, whole.classes)
        self.whole, self.rows = whole, rows

    def read(self, rows: Rows, names: Iterable[str]) -> dict[str, NDArray]:
        return self.whole.read(self.rows[rows], names)

    @property
    def origin(self) -> Samples:
        return self.whole.origin

    @property
    def in_memory(self) -> bool:
        return self.whole.in_memory

    @property
    def origin_rows(self) -> NDArray[np.int64]:
        above = self.whole.origin_rows
        return self.rows if above is None else above[self.rows]

    @property
    def texts(self) -> Mapping[str, Texts]:
        return self.whole.texts

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        return self.whole.vocabularies

    @property
    def next_tokens(self) -> frozenset[str]:
        return self.whole.next_tokens

    def build_vocabularies(self, rows: NDArray[np.int64] | None = None) -> None:
        self.whole.build_vocabularies(self.rows if rows is None else self.rows[rows])

    def place(self, row: int) -> str:
        return self.whole.place(int(self.rows[row]))

    def load(self) -> None:
        self.whole.load()

    def try_some(self) -> None:
        self.whole.try_some()
