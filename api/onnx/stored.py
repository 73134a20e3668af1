"""Bytes and constants where they lie: in a file, or in memory.

Large constants are read when somebody wants them, and again where nobody has kept them. So what is cast, turned around
or standardized on the way to a weight is in memory once, not beside what it was made of.
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

#: Bytes that are read at a time where few are wanted.
_BLOCK = 2**16


class Source(Protocol):
    """Where bytes lie."""

    size: int

    def read(self, start: int, end: int) -> bytes | memoryview:
        """The bytes from ``start`` to before ``end``, which are there. Raises OSError, OnnxError."""
        ...


class InMemory:
    """Bytes that were read already."""

    def __init__(self, data: bytes):
        self.data = memoryview(data)
        self.size = len(data)

    def read(self, start: int, end: int) -> bytes | memoryview:
        """The bytes themselves."""
        return self.data[start:end]


class InFile:
    """A regular file, which has to stay as it is as long as something is read from it. Raises OSError."""

    def __init__(self, path: Path):
        self.path = path
        with open_regular(path) as file:
            self._mark = _mark(file)
            self.size = os.fstat(file.fileno()).st_size
        self._start, self._block = 0, b""

    def read(self, start: int, end: int) -> bytes:
        """Few bytes come from the block that was read last, or from another one."""
        if end - start > _BLOCK:
            return self._read(start, end, end)
        if not self._start <= start <= end <= self._start + len(self._block):
            self._start, self._block = start, self._read(start, end, start + _BLOCK)
        return self._block[start - self._start : end - self._start]

    def _read(self, start: int, end: int, until: int) -> bytes:
        """The bytes from ``start`` to before ``until``, if there are so many, else at least to before ``end``."""
        with self._open() as file:
            file.seek(start)
            found = file.read(until - start)
        if len(found) < end - start:
            raise self._changed()
        return found

    def _open(self) -> IO[bytes]:
        file = open_regular(self.path)
        if _mark(file) != self._mark:
            file.close()
            raise self._changed()
        return file

    def _changed(self) -> OnnxError:
        return OnnxError(f"{self.path} was changed while it was read: import it again")


def _mark(file: IO[bytes]) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Place:
    """Some bytes of a source."""

    source: Source
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def bytes(self) -> bytes:
        """What lies there."""
        return bytes(self.source.read(self.start, self.end))

    def array(self, dtype: np.dtype, shape: tuple[int, ...]) -> NDArray:
        """What lies there as an array of so many bytes. Numbers are written little end first."""
        found = np.ndarray(shape, dtype, self.source.read(self.start, self.end))
        return found if sys.byteorder == "little" else found.byteswap()


@dataclass(frozen=True, slots=True)
class Stored:
    """An array that is read when it is wanted."""

    dtype: np.dtype
    shape: tuple[int, ...]
    read: Callable[[], NDArray]
    """Raises OnnxError."""

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


class Constants(Mapping[str, NDArray]):
    """Constants by name. One that is stored is read when it is asked for, and forgotten with the last one who keeps it.

    Asking for one raises OnnxError where it can't be read.
    """

    def __init__(self, found: Mapping[str, NDArray | Stored]):
        self._found = found
        self._alive: WeakValueDictionary[str, NDArray] = WeakValueDictionary()

    def __getitem__(self, name: str) -> NDArray:
        found = self._found[name]
        if not isinstance(found, Stored):
            return found
        array = self._alive.get(name)
        if array is None:
            array = self._alive[name] = found.read()
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def dtype(self, name: str) -> str:
        """The element type of a constant, which is not read for that."""
        return str(self._found[name].dtype)

    def dtypes(self) -> dict[str, str]:
        """The element types of all."""
        return {name: self.dtype(name) for name in self}

    def small(self, most: int) -> dict[str, NDArray]:
        """Those with at most so many numbers."""
        return {name: self[name] for name, found in self._found.items() if found.size <= most}

    def is_stored(self, name: str) -> bool:
        """Whether it is read when it is asked for."""
        return isinstance(self._found[name], Stored)

    def joined(self, others: Mapping[str, NDArray]) -> Constants:
        """These and others."""
        return Constants({**self._found, **others})
