"""Named arrays in safetensors files, for weights and checkpoints.

We write them ourselves instead of using the library, for three reasons: equal content gives equal bytes (the library
writes its metadata in random order), nothing is copied, and the file is flushed before it gets its name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from netwright.specs.files import open_regular, write_file

from ..errors import WeightsError

#: A longer header is refused before it is read: a million tensors need less.
MAX_HEADER = 100_000_000

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}


_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}


#: How many bytes of an array are made contiguous at a time.
_COPIED = 2**24
#: The tile in which an array is copied: its elements along the last axis, and along all other axes together.
_LAST, _OTHERS = 32, 1024


def contiguous(array: NDArray) -> NDArray:
    """The array in C order. A transposed one is copied in tiles, since memory moves in whole cache lines."""
    axes = sorted(range(array.ndim), key=lambda axis: abs(array.strides[axis]))
    wide = [axis for axis in axes if array.shape[axis] > 1]
    if array.flags.c_contiguous or array.size < _LAST * _OTHERS or wide[0] == array.ndim - 1:
        return np.require(array, requirements=["C", "A"])
    tile, budget = dict.fromkeys(axes, 1), _OTHERS
    tile[array.ndim - 1] = _LAST
    for axis in wide:
        if axis != array.ndim - 1:
            tile[axis] = min(array.shape[axis], budget)
            budget //= tile[axis]
    copy = np.empty(array.shape, array.dtype)
    counts = [-(-size // tile[axis]) for axis, size in enumerate(array.shape)]
    for place in np.ndindex(*counts):
        cut = tuple(slice(i * tile[axis], (i + 1) * tile[axis]) for axis, i in enumerate(place))
        copy[cut] = array[cut]
    return copy


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, NDArray], metadata: Mapping[str, str]
) -> None:
    """Writes a safetensors file, completely or not at all. Raises OSError, and KeyError for a dtype that the format
    lacks.
    """
    # The format allows no gaps; sorting wide elements first keeps every tensor aligned.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in names:
        array = tensors[name]
        start, end = end, end + array.nbytes
        dtype = _NAMES[array.dtype.newbyteorder("=")]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def write(file: IO[bytes]) -> None:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            for part in _rows(tensors[name]):
                file.write(part.astype(part.dtype.newbyteorder("<"), copy=False).data)

    write_file(path, write)


def _rows(array: NDArray) -> Iterator[NDArray]:
    """The array in C order, without a second copy in memory: the array itself if it is contiguous, otherwise some rows
    at a time.
    """
    if array.flags.c_contiguous or array.ndim < 2:
        yield contiguous(array)
        return
    count = max(1, _COPIED // max(1, array[0].nbytes))
    for start in range(0, len(array), count):
        yield contiguous(array[start : start + count])


class TensorFile:
    """A safetensors file whose header was read and checked: ``headers`` has each tensor's shape and dtype.

    Raises WeightsError if the file can't be opened or is malformed.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.metadata: dict[str, str] = {}
        self.headers: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        self._check_length()
        try:
            self._file = safe_open(self.path, framework="numpy")
            self.metadata = dict(self._file.metadata() or {})
            for name in self._file.keys():  # noqa: SIM118 (not a dict)
                view = self._file.get_slice(name)
                dtype = _DTYPES.get(view.get_dtype())
                if dtype is None:
                    raise WeightsError(
                        f"{path}: tensor {name!r} is {view.get_dtype()}, which is not supported"
                    )
                self.headers[name] = tuple(view.get_shape()), np.dtype(dtype)
        except (SafetensorError, OSError, ValueError, OverflowError, MemoryError) as error:
            if isinstance(error, WeightsError):
                raise
            raise WeightsError(f"{path} is not a well-formed safetensors file: {error}") from error

    def read(self, name: str) -> NDArray:
        """The tensor called ``name``. Raises WeightsError if it can't be read."""
        try:
            return self._file.get_tensor(name)
        except (SafetensorError, OSError, ValueError, MemoryError) as error:
            raise WeightsError(f"{self.path}: tensor {name!r} can't be read: {error}") from error

    def _check_length(self) -> None:
        try:
            with open_regular(self.path) as file:
                size = os.fstat(file.fileno()).st_size
                start = file.read(8)
        except OSError as error:
            raise WeightsError(f"{self.path} can't be read: {error.strerror or error}") from error
        header = int.from_bytes(start, "little")
        if len(start) < 8 or header < 2:
            raise WeightsError(f"{self.path} is not a safetensors file: it holds {size} bytes and no header")
        if header > MAX_HEADER or header > size - 8:
            if start.startswith((b"PK\x03\x04", b"\x80\x02")):  # a zip, or a pickle
                raise WeightsError(
                    f"{self.path} is not a safetensors file, but like one of PyTorch or NumPy: "
                    "read it there and pass its arrays by name, or save them with safetensors"
                )
            raise WeightsError(
                f"{self.path} is not a whole safetensors file: "
                f"its header claims {header:,} bytes, the file has {size:,}"
            )
