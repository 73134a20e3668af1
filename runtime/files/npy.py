"""Reads the .npy format without pickle and without trusting the file.

NumPy's own reader allocates what the header says before it looks at the file, and unpickles objects unless told not to.
Here the header is parsed by hand, its sizes are compared with the bytes that are there, and everything that is wrong
raises a DataError that names it. Compiled executables read the same subset in C.
"""

from __future__ import annotations

import ast
import io
import math
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray

from netwright.specs.files import STANDARD_STREAM, is_stream, open_regular, write_file

from ..errors import DataError

T = TypeVar("T")

MAGIC = b"\x93NUMPY"
#: A longer header describes no array of numbers.
MAX_HEADER = 1 << 16
MAX_AXES = 32
#: Arrays are read in pieces, so that little memory is allocated for a stream that ends early.
_PIECE = 1 << 24


@dataclass(frozen=True)
class ArrayHeader:
    """What a .npy header declares; ``offset`` is where the data start."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    offset: int

    @property
    def nbytes(self) -> int:
        """The size of the data in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes], name: str) -> ArrayHeader:
    """Reads a header from the start of ``stream``. Raises DataError whose message begins with ``name``."""
    start = _take(stream, 8, name)
    if not start.startswith(MAGIC):
        raise DataError(f"{name}: not a .npy file (it starts with {start[:6]!r})")
    version = start[6], start[7]
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise DataError(f"{name}: .npy version {version[0]}.{version[1]} is not known")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(_take(stream, width, name), "little")
    if length > MAX_HEADER:
        raise DataError(
            f"{name}: the .npy header claims {length:,} bytes; no array needs more than {MAX_HEADER:,}"
        )
    text = _take(stream, length, name)
    shape, dtype, fortran_order = _parse(text, "utf-8" if version == (3, 0) else "latin-1", name)
    return ArrayHeader(shape, dtype, fortran_order, 8 + width + length)


def read_data(stream: IO[bytes], header: ArrayHeader, name: str) -> NDArray:
    """The array after ``header``, in native byte order. The caller has checked the sizes."""
    if header.fortran_order:
        raise DataError(
            f"{name}: the array is stored in Fortran order; write it again as np.ascontiguousarray(array)"
        )
    try:
        array = np.empty(header.shape, header.dtype)
    except (MemoryError, ValueError) as error:
        raise DataError(f"{name}: an array of {header.nbytes:,} bytes does not fit into memory") from error
    view = array.reshape(-1).view(np.uint8).data
    position = 0
    while position < len(view):
        piece = stream.read(min(_PIECE, len(view) - position))
        if not piece:
            raise DataError(f"{name}: the data end after {position:,} of {len(view):,} bytes")
        view[position : position + len(piece)] = piece
        position += len(piece)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def read_npy(path: str | Path) -> NDArray:
    """The array in a .npy file, a pipe or (`-`) standard input: numbers or booleans, C order. Raises DataError for
    anything else: a file that can't be opened, is cut short or continues after the array; objects, strings, Fortran
    order, absurd sizes.
    """
    if not is_stream(path):
        return _with_file(path, lambda file, header: read_data(file, header, str(path)))
    piped = os.fspath(path) == STANDARD_STREAM
    name = "standard input" if piped else str(path)
    try:
        with nullcontext(sys.stdin.buffer) if piped else open(path, "rb") as file:
            return _read_stream(file, name)
    except OSError as error:
        raise DataError(f"{name}: {error.strerror or error}") from error


def read_npy_header(path: str | Path) -> ArrayHeader:
    """The checked header of a .npy file. Raises DataError as ``read_npy``, without reading the data."""
    return _with_file(path, lambda _, header: header)


def write_npy(path: str | Path, array: NDArray) -> None:
    """Writes a .npy file, completely or not at all. Raises OSError."""
    write_file(
        path,
        lambda file: np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False),
    )


def check_size(header: ArrayHeader, available: int, name: str) -> None:
    """Raises DataError unless header and data take exactly ``available`` bytes."""
    wanted = header.offset + header.nbytes
    if wanted != available:
        what = "is cut short" if wanted > available else "goes on after the array"
        raise DataError(
            f"{name}: the file {what}: {list(header.shape)} of {header.dtype.name} needs {wanted:,} bytes, "
            f"it has {available:,}"
        )


def _read_stream(file: IO[bytes], name: str) -> NDArray:
    """Reads an array from a pipe. Memory grows with the bytes that arrive, not with the size that the header claims."""
    header = read_header(file, name)
    data = bytearray()
    while len(data) <= header.nbytes and (piece := file.read(min(_PIECE, header.nbytes + 1 - len(data)))):
        data += piece
    check_size(header, header.offset + len(data), name)
    return read_data(io.BytesIO(data), header, name)


def _with_file(path: str | Path, use: Callable[[IO[bytes], ArrayHeader], T]) -> T:
    try:
        with open_regular(path) as file:
            header = read_header(file, str(path))
            check_size(header, os.fstat(file.fileno()).st_size, str(path))
            return use(file, header)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _take(stream: IO[bytes], count: int, name: str) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            raise DataError(f"{name}: not a .npy file: it ends inside the header")
        data += piece
    return data


def _parse(text: bytes, encoding: str, name: str) -> tuple[tuple[int, ...], np.dtype, bool]:
    try:
        header = ast.literal_eval(text.decode(encoding).strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise DataError(f"{name}: the .npy header is garbled") from error
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
        raise DataError(f"{name}: the .npy header must have descr, fortran_order and shape, and nothing else")
    shape, fortran_order = header["shape"], header["fortran_order"]
    if not isinstance(fortran_order, bool):
        raise DataError(f"{name}: fortran_order must be True or False in the .npy header")
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise DataError(f"{name}: the shape in the .npy header must be a tuple of sizes")
    dtype = _dtype(header["descr"], name)
    if len(shape) > MAX_AXES or math.prod(max(size, 1) for size in shape) * dtype.itemsize >= 1 << 62:
        raise DataError(f"{name}: the .npy header declares an impossible shape")
    return shape, dtype, fortran_order


def _dtype(text: object, name: str) -> np.dtype:
    # Structured dtypes are lists here, objects have kind O: neither must ever reach NumPy's own reader.
    if isinstance(text, str) and len(text) <= 8:
        try:
            dtype = np.dtype(text)
        except (TypeError, ValueError, SyntaxError, OverflowError):
            dtype = None
        if dtype is not None and dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype.shape == ():
            return dtype
    raise DataError(
        f"{name}: elements of dtype {str(text)[:60]!r} are not supported; use booleans, integers or floats"
    )
