"""Bytes and constants that stay in a file or in memory until they are read.

Large constants are read on demand, and again if nobody has kept them. So a weight that is cast, transposed or
standardized on the way is in memory once, not next to its source.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import open_regular

from .errors import OnnxError

#: How many bytes are read at a time when only a few are requested.
_BLOCK = 2**16


class Source(Protocol):
    """A source of bytes."""

    size: int

    def read(self, start: int, end: int) -> bytes | memoryview:
        """The bytes from ``start`` to before ``end``, which must exist. Raises OSError, OnnxError."""
        ...


class InMemory:
    """Bytes in memory."""

    def __init__(self, data: bytes):
        self.data = memoryview(data)
        self.size = len(data)

    def read(self, start: int, end: int) -> bytes | memoryview:
        """The bytes themselves."""
        return self.data[start:end]


class InFile:
    """A regular file, which must not change while it is being read. Raises OSError."""

    def __init__(self, path: Path):
        self.path = path
        with open_regular(path) as file:
            self._mark = _mark(file)
            self.size = os.fstat(file.fileno()).st_size
        self._start, self._block = 0, b""

    def read(self, start: int, end: int) -> bytes:
        """Serves small requests from the block that was read last, or reads another one."""
        if end - start > _BLOCK:
            return self._read(start, end, end)
        if not self._start <= start <= end <= self._start + len(self._block):
            self._start, self._block = start, self._read(start, end, start + _BLOCK)
        return self._block[start - self._start : end - self._start]

    def _read(self, start: int, end: int, until: int) -> bytes:
        """The bytes from ``start`` to before ``until``, as far as they exist, but at least to before ``end``."""
        with self._open() as file:
            file.seek(start)
            content = file.read(until - start)
        if len(content) < end - start:
            raise self._changed()
        return content

    def _open(self) -> IO[bytes]:
        file = open_regular(self.path)
        if _mark(file) != self._mark:
            file.close()
            raise self._changed()
        return file

    def _changed(self) -> OnnxError:
        return OnnxError(f"{self.path} was changed while it was read: import it again")


def _mark(file: IO[bytes]) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Place:
    """A range of bytes in a source."""

    source: Source
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def bytes(self) -> bytes:
        """Reads the bytes."""
        return bytes(self.source.read(self.start, self.end))

    def array(self, dtype: np.dtype, shape: tuple[int, ...]) -> NDArray:
        """The bytes as an array of integers of this size, little-endian."""
        array = np.ndarray(shape, dtype, self.source.read(self.start, self.end))
        return array if sys.byteorder == "little" else array.byteswap()


@dataclass(frozen=True, slots=True)
class Stored:
    """An array that is read on demand."""

    dtype: np.dtype
    shape: tuple[int, ...]
    read: Callable[[], NDArray]
    """Reads the array. Raises OnnxError."""

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


class Constants(Mapping[str, NDArray]):
    """Constants by name.

    A stored one is read on access, and dropped when its last user drops it. Access raises OnnxError if it can't be
    read.
    """

    def __init__(self, arrays: Mapping[str, NDArray | Stored]):
        self._arrays = arrays
        self._alive: WeakValueDictionary[str, NDArray] = WeakValueDictionary()

    def __getitem__(self, name: str) -> NDArray:
        value = self._arrays[name]
        if not isinstance(value, Stored):
            return value
        array = self._alive.get(name)
        if array is None:
            array = self._alive[name] = value.read()
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def dtype(self, name: str) -> str:
        """The element type of a constant, without reading it."""
        return str(self._arrays[name].dtype)

    def dtypes(self) -> dict[str, str]:
        """The element types of all constants."""
        return {name: self.dtype(name) for name in self}

    def small(self, most: int) -> dict[str, NDArray]:
        """Those with at most this many elements."""
        return {name: self[name] for name, array in self._arrays.items() if array.size <= most}

    def is_stored(self, name: str) -> bool:
        """Whether it is read on access."""
        return isinstance(self._arrays[name], Stored)

    def joined(self, others: Mapping[str, NDArray]) -> Constants:
        """These constants and others."""
        return Constants({**self._arrays, **others})
