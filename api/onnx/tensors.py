"""Constant tensors of an ONNX file as arrays: inline, or in external files inside the model's folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from .errors import OnnxError
from .stored import InFile, Place, Stored

#: A larger tensor is not a network's weight, and is refused before anything is allocated.
MAX_ELEMENTS = 2**31 - 1
#: The largest number of elements in all folded constants together: a small file can ask for any number.
MAX_COMPUTED = 2**28
#: The largest size of an axis that is resized or padded with its own cells, since these cells are computed one by one.
MAX_AXIS, MAX_CONTINUED = 2**24, 2**12

DTYPES: dict[int, str] = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
    onnx.TensorProto.UINT8: "uint8",
}


#: Types that are not supported at all, not even for constants.
_NEVER = ("UNDEFINED", "STRING", "COMPLEX64", "COMPLEX128")
#: Types of less than a byte, several numbers to a byte.
_PACKED = ("int4", "uint4", "int2", "uint2", "float4_e2m1fn")
#: The wider types for integers that the language does not have, with the same numbers. Only layers that move numbers,
#: and those of quantized networks, accept them.
HELD_AS: dict[str, str] = {"int8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64"}


def dtype_name(data_type: int) -> str:
    """NumPy's name for an element type.

    Constants may have types that networks do not compute in: weights that a Cast or a DequantizeLinear widens. Raises
    OnnxError if it is not a type of numbers.
    """
    names = onnx.TensorProto.DataType
    known = names.Name(data_type) if data_type in names.values() else str(data_type)
    if known in _NEVER or data_type not in names.values():
        raise OnnxError(f"the element type {known} is not supported: there is {', '.join(DTYPES.values())}")
    return str(onnx.helper.tensor_dtype_to_np_dtype(data_type))


def network_dtype(data_type: int) -> str:
    """NumPy's name for an element type that values computed at run time can have. Raises OnnxError."""
    name = dtype_name(data_type)
    if name not in DTYPES.values() and name not in HELD_AS:
        known = onnx.TensorProto.DataType.Name(data_type)
        there = ", ".join(DTYPES.values())
        raise OnnxError(f"networks do not compute in the element type {known}: there is {there}")
    return name


def is_float(dtype: str) -> bool:
    """Whether an element type is a float of any width."""
    return dtype.startswith(("float", "bfloat"))


def read_tensor(tensor: onnx.TensorProto, folder: Path | None, place: Place | None = None) -> NDArray:
    """The array of a TensorProto. ``place`` is where its raw data are if the message does not contain them. Raises
    OnnxError.
    """
    array = tensor_of(tensor, folder, place)
    return array.read() if isinstance(array, Stored) else array


def tensor_of(tensor: onnx.TensorProto, folder: Path | None, place: Place | None = None) -> NDArray | Stored:
    """The same, left where its bytes are outside the message. Raises OnnxError if the bytes don't fit its shape."""
    dtype_name(tensor.data_type)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    shape = tuple(tensor.dims)
    if any(size < 0 for size in shape) or prod(shape) > MAX_ELEMENTS:
        raise OnnxError(f"the tensor {tensor.name!r} has the impossible shape {list(shape)}")
    if tensor.HasField("segment"):
        raise OnnxError(f"the tensor {tensor.name!r} is stored in segments")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        if str(dtype) in _PACKED:
            raise OnnxError(f"the tensor {tensor.name!r}: {dtype} in an external file is not supported")
        return _stored(tensor, _external(tensor, folder, prod(shape) * dtype.itemsize), dtype, shape)
    if place is not None and str(dtype) in _PACKED:
        tensor.raw_data = place.bytes()
    elif place is not None:
        if len(place) != prod(shape) * dtype.itemsize:
            raise OnnxError(f"the tensor {tensor.name!r} is damaged: {len(place)} bytes for {list(shape)}")
        return _stored(tensor, place, dtype, shape)
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise OnnxError(f"the tensor {tensor.name!r} is damaged: {error}") from None
    if array.shape != shape or array.dtype != dtype:
        raise OnnxError(f"the tensor {tensor.name!r} is damaged: it holds {array.dtype} {list(array.shape)}")
    return array


def _stored(tensor: onnx.TensorProto, place: Place, dtype: np.dtype, shape: tuple[int, ...]) -> Stored:
    name = tensor.name

    def read() -> NDArray:
        try:
            return place.array(dtype, shape)
        except OSError as error:
            raise OnnxError(f"the tensor {name!r} can't be read: {error.strerror or error}") from None

    return Stored(dtype, shape, read)


def _external(tensor: onnx.TensorProto, folder: Path | None, needed: int) -> Place:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _confined(tensor.name, entries.get("location", ""), folder)
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(needed)))
    except ValueError:
        raise OnnxError(f"the tensor {tensor.name!r}: its place in {path.name} is no number") from None
    try:
        source = InFile(path)
    except OSError as error:
        raise OnnxError(f"the tensor {tensor.name!r}: {path.name} can't be read: {error.strerror}") from None
    if length != needed or offset < 0 or offset + needed > source.size:
        message = f"{needed} bytes at {offset} are wanted, the file has {source.size}"
        raise OnnxError(f"the tensor {tensor.name!r} does not lie in {path.name}: {message}")
    return Place(source, offset, offset + needed)


def _confined(name: str, location: str, folder: Path | None) -> Path:
    """The path of an external file. It must be a regular file inside the model's folder after links are resolved."""
    if folder is None:
        raise OnnxError(f"the tensor {name!r} is in an external file, and the model has no folder")
    root = folder.resolve()
    path = Path(os.path.normpath(location)) if location and "\0" not in location else None
    if path is None or path.is_absolute() or ".." in path.parts:
        raise OnnxError(f"the tensor {name!r} points out of the model's folder: {location!r}")
    try:
        resolved = (root / path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise OnnxError(f"the tensor {name!r}: {location!r} can't be read: {error}") from None
    if not resolved.is_relative_to(root) or not resolved.is_file():
        raise OnnxError(f"the tensor {name!r} points out of the model's folder: {location!r}")
    return resolved


def is_uniform(array: NDArray) -> bool:
    """Whether all elements are equal. For most large arrays the first elements decide."""
    if not array.size:
        return False
    first = array[(slice(0, 2),) * array.ndim]
    return bool((first == first.flat[0]).all() and (array == array.flat[0]).all())


def window_kernel(window: Sequence[int], channels: int) -> NDArray:
    """The kernel [cells·C, C, *window] of a convolution that extracts the cells of each window, in order."""
    filters = prod(window) * channels
    return np.moveaxis(np.eye(filters, dtype=np.float32).reshape(filters, *window, channels), -1, 1)
