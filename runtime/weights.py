"""Weights in safetensors files: one tensor a parameter or statistic, called ``layer.param``
(docs/weights.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from netwright.specs.manifest import Manifest
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .errors import WeightsError
from .files import write_atomically
from .values import find_problems, weight_buffers

#: A header longer than this is refused before it is read: a million tensors need less.
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


def save_weights(path: str | Path, manifest: Manifest, values: Mapping[str, NDArray]) -> None:
    """Writes the model's parameters and statistics (``Session.weights``), atomically.

    Raises WeightsError when ``values`` are not exactly the model's, OSError when the file can't be written.
    """
    found = {name: (value.shape, value.dtype) for name, value in values.items()}
    if problems := find_problems(weight_buffers(manifest), found):
        raise WeightsError(_listing(f"these are not the weights of {manifest.model!r}", problems), problems)
    write_tensors(path, values, {"netwright": manifest.netwright, "model": manifest.model, "format": "np"})


def load_weights(path: str | Path, manifest: Manifest) -> dict[str, NDArray]:
    """The model's parameters and statistics from a file, cast to the model's dtypes where nothing can be
    lost.

    Raises WeightsError: a file that can't be read, or – all problems in one error – tensors that are missing,
    unknown, or of a wrong shape or dtype.
    """
    expected = weight_buffers(manifest)
    tensors = TensorFile(path)
    if problems := find_problems(expected, tensors.headers):
        raise WeightsError(_listing(f"{path} does not fit the model {manifest.model!r}", problems), problems)
    return {
        name: tensors.read(name).astype(np.dtype(info.dtype), copy=False) for name, info in expected.items()
    }


def write_tensors(path: str | Path, tensors: Mapping[str, NDArray], metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file atomically; equal tensors and metadata give equal bytes."""
    ordered = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    write_atomically(
        Path(path), lambda temporary: save_file(ordered, temporary, dict(sorted(metadata.items())))
    )


class TensorFile:
    """A safetensors file whose header was read and checked: ``headers`` has each tensor's shape and dtype.

    Raises WeightsError when the file can't be opened or is not well-formed.
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
        """The tensor called ``name``. Raises WeightsError when it can't be read."""
        try:
            return self._file.get_tensor(name)
        except (SafetensorError, OSError, ValueError, MemoryError) as error:
            raise WeightsError(f"{self.path}: tensor {name!r} can't be read: {error}") from error

    def _check_length(self) -> None:
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                start = file.read(8)
        except OSError as error:
            raise WeightsError(f"{self.path} can't be read: {error.strerror or error}") from error
        header = int.from_bytes(start, "little")
        if len(start) < 8 or header < 2:
            raise WeightsError(f"{self.path} is not a safetensors file: it holds {size} bytes and no header")
        if header > MAX_HEADER or header > size - 8:
            raise WeightsError(
                f"{self.path} is not a whole safetensors file: "
                f"its header claims {header:,} bytes, the file has {size:,}"
            )


def _listing(title: str, problems: list[str]) -> str:
    return "\n  ".join([f"{title}:", *problems])
