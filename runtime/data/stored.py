"""Arrays in files: a small one is read whole, of a large one only the rows that are asked for.

Rows are read, not mapped into memory: a mapped file that somebody cuts short ends the process with a signal, and its
pages count as memory of the process.
"""

from __future__ import annotations

import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular

from ..errors import DataError
from ..files.npy import ArrayHeader, read_npy, read_npy_header
from ..files.npz import npz_positions, read_npz

#: The largest array in bytes that is kept in memory.
LARGEST_LOADED = 1 << 26

_Rows = slice | NDArray[np.int64]


class Stored(ABC):
    """An array in a file: its header, and its rows on demand. ``in_memory``: it is read once, as a whole."""

    in_memory = False

    def __init__(self, header: ArrayHeader):
        self.shape, self.dtype = header.shape, header.dtype.newbyteorder("=")
        self.fortran_order = header.fortran_order

    @abstractmethod
    def __getitem__(self, rows: _Rows) -> NDArray: ...

    def load(self) -> None:
        """Reads the array now if it will be kept in memory. Raises DataError."""
        return


class _Whole(Stored):
    """An array that is read as a whole when it is needed."""

    in_memory = True

    def __init__(self, header: ArrayHeader, read: Callable[[], NDArray]):
        super().__init__(header)
        self._read = read
        self._array: NDArray | None = None

    def __getitem__(self, rows: _Rows) -> NDArray:
        self.load()
        assert self._array is not None
        return self._array[rows]

    def load(self) -> None:
        if self._array is None:
            self._array = self._read()


class _OnDisk(Stored):
    """An array of which rows are read when they are asked for: ``start`` is where the data begin in the file."""

    def __init__(self, header: ArrayHeader, path: Path, start: int, name: str):
        super().__init__(header)
        self._start, self._name = start, name
        self._written = header.dtype
        self._row_bytes = header.nbytes // header.shape[0]
        with open_regular(path) as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)

    def __getitem__(self, rows: _Rows) -> NDArray:
        if isinstance(rows, slice):
            first, last, step = rows.indices(self.shape[0])
            if step == 1:
                return self._read([(first, max(last - first, 0))])
            rows = np.arange(first, last, step)
        # Rows that follow each other are read at once.
        cuts = np.flatnonzero(np.diff(rows) != 1) + 1
        return self._read([(int(run[0]), len(run)) for run in np.split(rows, cuts) if len(run)])

    def _read(self, runs: list[tuple[int, int]]) -> NDArray:
        array = np.empty((sum(count for _, count in runs), *self.shape[1:]), self._written)
        view = array.reshape(-1).view(np.uint8).data
        done = 0
        for first, count in runs:
            position, left = self._start + first * self._row_bytes, count * self._row_bytes
            while left:
                try:
                    read = os.preadv(self._file, [view[done : done + left]], position)
                except OSError as error:
                    raise DataError(f"{self._name}: {error.strerror or error}") from error
                if not read:
                    raise DataError(f"{self._name}: the file was cut short while it was read")
                done, position, left = done + read, position + read, left - read
        return array.astype(self.dtype, copy=False)


def open_arrays(path: str | Path | Mapping[str, Path]) -> dict[str, Stored]:
    """The arrays of a .npz file, of a folder of .npy files, or of .npy files by name. Raises DataError."""
    if isinstance(path, Mapping):
        return {name: _open_npy(file) for name, file in path.items()}
    place = Path(path)
    if place.is_dir():
        files = sorted(place.glob("*.npy"))
        if not files:
            raise DataError(f"{place}: no .npy file is in this folder")
        return {file.stem: _open_npy(file) for file in files}
    if place.suffix == ".npy":
        raise DataError(f"{place}: one array needs the name of its input: {{NAME: {place.name}}}")
    return {
        name: _OnDisk(header, place, start, f"{place}: {name}")
        if start is not None and _is_large(header)
        else _Whole(header, lambda name=name: read_npz(place, [name])[name])
        for name, (header, start) in npz_positions(place).items()
    }


def _open_npy(path: Path) -> Stored:
    header = read_npy_header(path)
    if not _is_large(header):
        return _Whole(header, lambda: read_npy(path))
    try:
        return _OnDisk(header, path, header.offset, str(path))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _is_large(header: ArrayHeader) -> bool:
    return header.nbytes > LARGEST_LOADED and not header.fortran_order and bool(header.shape)
