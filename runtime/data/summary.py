"""What is in a data set: ranges, numbers that are not finite, and how often each class occurs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .samples import Samples

#: Integers above this are no numbers of classes that anybody would list.
_MOST_CLASSES = 1 << 16


@dataclass
class ArraySummary:
    """An array over all samples. ``shape`` is a sample's. ``least`` and ``greatest`` are None if no value is finite;
    ``counts`` says how often each class occurs, where the values are classes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    least: float | int | None = None
    greatest: float | int | None = None
    nans: int = 0
    infinities: int = 0
    counts: NDArray[np.int64] | None = None

    def add(self, array: NDArray) -> None:
        """Takes the values of further samples into account."""
        if array.dtype.kind == "f":
            finite = np.isfinite(array)
            if not finite.all():
                nans = int(np.isnan(array).sum())
                self.nans += nans
                self.infinities += int(finite.size - finite.sum()) - nans
                array = array[finite]
        if array.size:
            least, greatest = array.min().item(), array.max().item()
            self.least = least if self.least is None else min(self.least, least)
            self.greatest = greatest if self.greatest is None else max(self.greatest, greatest)
        if self.counts is not None and array.size and int(array.max()) < _MOST_CLASSES:
            counts = np.bincount(array[array >= 0].astype(np.int64), minlength=len(self.counts))
            counts[: len(self.counts)] += self.counts
            self.counts = counts


@dataclass(frozen=True)
class TextSummary:
    """A text: how many entries its vocabulary has, how many tokens there are, and how many of these are no entries."""

    entries: int
    tokens: int
    unknown: int


@dataclass(frozen=True)
class SetSummary:
    """A data set."""

    source: str
    samples: int
    arrays: tuple[ArraySummary, ...]
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    texts: dict[str, TextSummary] = field(default_factory=dict)

    def class_counts(self, array: ArraySummary) -> dict[str, int]:
        """How often each class occurs, by its name, or its number if it has none."""
        names = self.classes.get(array.name, ())
        counts = [] if array.counts is None else array.counts.tolist()
        counts += [0] * (len(names) - len(counts))
        return {names[i] if i < len(names) else str(i): count for i, count in enumerate(counts)}

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "source": self.source,
            "samples": self.samples,
            "arrays": {
                array.name: {
                    "dtype": array.dtype,
                    "shape": list(array.shape),
                    "least": array.least,
                    "greatest": array.greatest,
                    "nans": array.nans,
                    "infinities": array.infinities,
                    **({"classes": self.class_counts(array)} if array.counts is not None else {}),
                    **({"text": asdict(self.texts[array.name])} if array.name in self.texts else {}),
                }
                for array in self.arrays
            },
        }


def summarize(samples: Samples, classes: Iterable[str] = ()) -> SetSummary:
    """Reads a whole data set. ``classes`` names the arrays that hold classes. Raises DataError."""
    classes = {*classes, *samples.classes} - samples.next_tokens
    summaries = {
        name: ArraySummary(
            name,
            header.dtype.name,
            header.shape[1:],
            counts=np.zeros(0, np.int64) if name in classes and header.dtype.kind in "iu" else None,
        )
        for name, header in samples.headers.items()
    }
    for _, arrays in samples.pieces(summaries):
        for name, array in arrays.items():
            summaries[name].add(array)
    texts = {
        name: TextSummary(len(samples.vocabularies[name]), *array.count(samples.origin_rows))
        for name, array in samples.texts.items()
    }
    return SetSummary(samples.name, len(samples), tuple(summaries.values()), samples.classes, texts)
