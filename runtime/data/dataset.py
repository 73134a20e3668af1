"""Data sets of arrays, in memory or in files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from numpy.typing import NDArray

from .samples import Rows, Samples
from .stored import Stored, open_arrays


class Dataset(Samples):
    """Named arrays ``[samples, …]``. Raises DataError if there is none, or they have different numbers of samples."""

    def __init__(self, arrays: Mapping[str, NDArray | Stored], name: str = "the data"):
        super().__init__(name, arrays)
        self.arrays = dict(arrays)

    def read(self, rows: Rows, names: Iterable[str]) -> dict[str, NDArray]:
        return {name: self.arrays[name][rows] for name in names}

    def load(self) -> None:
        for array in self.arrays.values():
            if isinstance(array, Stored):
                array.load()


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
    return Dataset(open_arrays(path), name)
