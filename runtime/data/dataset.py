"""Data sets of arrays, in memory or in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.arrays import converted
from ..errors import DataError, InputError
from .archives import names_in
from .ragged import NextTokens, Ragged, Texts
from .samples import Rows, Samples
from .stored import Stored, open_arrays
from .vocabulary import Vocabulary


class Dataset(Samples):
    """Named arrays ``[samples, …]``, with the names of classes and, by ``place``, of samples, and ``vocabularies`` that
    numbers come from. Raises DataError if there is no array, or they have different numbers of samples.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray | Stored | Ragged | NextTokens],
        name: str = "the data",
        classes: Mapping[str, tuple[str, ...]] | None = None,
        place: Callable[[int], str] | None = None,
        vocabularies: Mapping[str, Vocabulary] | None = None,
    ):
        super().__init__(name, arrays, classes)
        self.arrays = dict(arrays)
        self._place = place
        self._vocabularies = dict(vocabularies or {})

    def place(self, row: int) -> str:
        return super().place(row) if self._place is None else self._place(row)

    @property
    def in_memory(self) -> bool:
        return all(getattr(array, "in_memory", True) for array in self.arrays.values())

    @property
    def texts(self) -> dict[str, Texts]:
        return {name: array for name, array in self.arrays.items() if isinstance(array, Texts)}

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        return {**self._vocabularies, **super().vocabularies}

    @property
    def next_tokens(self) -> frozenset[str]:
        return frozenset(name for name, array in self.arrays.items() if isinstance(array, NextTokens))

    def build_vocabularies(self, rows: NDArray[np.int64] | None = None) -> None:
        for array in self.texts.values():
            array.build(rows)

    def read(self, rows: Rows, names: Iterable[str]) -> dict[str, NDArray]:
        return {name: self.arrays[name][rows] for name in names}

    def load(self) -> None:
        for array in self.arrays.values():
            if isinstance(array, Stored):
                array.load()


def given_arrays(arrays: Mapping[str, ArrayLike | Stored | Ragged | NextTokens], name: str) -> Dataset:
    """A data set of what callers hand over: arrays, or what NumPy makes one of, such as lists, tensors and columns of
    tables. These are read by position, as they are converted first. Raises DataError for anything else.
    """
    if not isinstance(arrays, Mapping):
        raise DataError(f"{name} is a {type(arrays).__name__}; it has to be a file, or arrays by name")
    own = (np.ndarray, Stored, Ragged, NextTokens)
    try:
        return Dataset(
            {
                key: value if isinstance(value, own) else converted(f"{name}: {key!r}", value)
                for key, value in arrays.items()
            },
            name,
        )
    except InputError as error:
        raise DataError(str(error)) from None


def load_dataset(path: str | Path | Mapping[str, Path]) -> Dataset:
    """The data set in a .npz file, a folder of .npy files, or .npy files by name. Small arrays are read now, large ones
    when their rows are asked for. Raises DataError.
    """
    dataset = open_dataset(path)
    dataset.load()
    return dataset


def open_dataset(path: str | Path | Mapping[str, Path]) -> Dataset:
    """As ``load_dataset``, but only headers are read now."""
    name = ", ".join(map(str, path.values())) if isinstance(path, Mapping) else str(path)
    single = path if not isinstance(path, Mapping) and not Path(path).is_dir() else None
    arrays = open_arrays(path)
    classes, vocabularies = names_in(single) if single is not None else ({}, {})
    kept = {key: names for key, names in classes.items() if key in arrays}
    return Dataset(
        arrays, name, kept, vocabularies={key: vocabularies[key] for key in vocabularies if key in arrays}
    )
