"""Arrays as the protocol writes them: in JSON, or as bytes behind it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from .refusals import Refusal

#: The protocol's names of dtypes.
DATATYPES = {
    "bool": "BOOL",
    **{f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float32": "FP32",
    "float64": "FP64",
}
#: The kinds of numbers that JSON may have for a kind of dtype.
_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}
#: What NumPy makes of a list whose first number has this type, if all fit: the code of ``struct``, and the dtype.
_USUAL: dict[type, tuple[str, np.dtype]] = {
    float: ("d", np.dtype(np.float64)),
    int: ("q", np.dtype(np.int64)),
}
#: Far below the largest float32, and its square is a float32 as well.
_LARGE = 1e18
#: Larger arrays are looked through: threads of the linear algebra library are not to be woken for a sum.
_MOST_SUMMED = 4096


def from_bytes(name: str, data: memoryview, shape: Sequence[int], dtype: np.dtype) -> NDArray:
    """The array of a tensor's bytes: little-endian, the last axis fastest. Raises Refusal."""
    needed = element_count(shape) * dtype.itemsize
    if len(data) != needed:
        raise Refusal(
            400, f"input {name!r} of shape {list(shape)} has {needed} bytes, the request has {len(data)}"
        )
    if dtype.kind == "b" and len(data) and np.frombuffer(data, np.uint8).max() > 1:
        raise Refusal(400, f"input {name!r}: a BOOL is a byte 0 or 1")
    # A copy is aligned and can be written to, which is what programs take without a further look.
    return np.ndarray(shape, dtype.newbyteorder("<"), data).astype(dtype)


def from_json(name: str, data: Any, shape: Sequence[int], dtype: np.dtype) -> NDArray:
    """The array of a tensor's numbers, nested as its axes are or in one list. Raises Refusal for numbers that the dtype
    does not have.
    """
    if not isinstance(data, list):
        raise Refusal(400, f"input {name!r}: data has to be a list of numbers")
    given = _packed(data, shape)
    if given is None:
        try:
            given = np.array(data)
        except ValueError:
            raise Refusal(400, f"input {name!r}: data is nested unevenly") from None
    array = given if given.dtype == dtype else _converted(name, given, dtype)
    if array.shape == tuple(shape):
        return array
    count = element_count(shape)
    if array.size != count or (array.ndim > 1 and array.shape != tuple(shape)):
        has = f"{array.size} numbers" if array.ndim == 1 else f"shape {list(array.shape)}"
        raise Refusal(400, f"input {name!r} of shape {list(shape)} needs {count} numbers, its data has {has}")
    return array.reshape(shape)


def _packed(data: list[Any], shape: Sequence[int]) -> NDArray | None:
    """``np.array(data)`` for numbers of this shape, nested as its axes are or in one list. It takes a third of the
    time, since NumPy looks at all numbers before it takes them. None for what is not as usual.
    """
    numbers = data
    if data and type(data[0]) is list:
        for size in shape[1:]:
            parts, numbers = numbers, []
            for part in parts:
                if type(part) is not list or len(part) != size:
                    return None
                numbers += part
    count = element_count(shape)
    if not 0 < count == len(numbers) or (usual := _USUAL.get(type(numbers[0]))) is None:
        return None
    code, dtype = usual
    array = np.empty(shape, dtype)
    try:
        struct.pack_into(f"{count}{code}", array.data, 0, *numbers)
    except struct.error:  # an integer is too large, or whatever is not a number
        return None
    return array


def _converted(name: str, given: NDArray, dtype: np.dtype) -> NDArray:
    if given.size == 0 or (given.dtype == np.float64 and dtype == np.float32 and _is_below(_LARGE, given)):
        return given.astype(dtype)
    if given.dtype.kind not in _KINDS[dtype.kind]:
        raise Refusal(400, f"input {name!r}: data has to be numbers of {DATATYPES[dtype.name]}")
    with np.errstate(over="ignore"):
        array = given.astype(dtype)
    if dtype.kind != "f":
        if (given != array).any():
            raise Refusal(400, f"input {name!r}: a number is out of the range of {DATATYPES[dtype.name]}")
    elif not np.isfinite(array).all() and (np.isinf(array) != np.isinf(given.astype(np.float64))).any():
        raise Refusal(400, f"input {name!r}: a number is too large for {DATATYPES[dtype.name]}")
    return array


def _is_below(bound: float, array: NDArray) -> bool:
    """Whether all numbers are known to be between ``-bound`` and ``bound``, by the sum of their squares. The arrays of
    a request are mostly small, and a look at each number takes longer than this.
    """
    return array.size <= _MOST_SUMMED and bool(np.vdot(array, array) <= bound * bound)


def to_bytes(array: NDArray) -> bytes:
    """The bytes of a tensor: little-endian, the last axis fastest."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def to_json(name: str, array: NDArray) -> bytes:
    """The numbers of a tensor, behind each other in a list of JSON. Raises Refusal for what it does not know."""
    text = orjson.dumps(array.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)
    if b"n" in text:  # NaN and infinity have become null
        raise Refusal(
            422,
            f"output {name!r} holds NaN or infinity, which JSON does not know: ask for it with binary_data",
        )
    return text


def element_count(shape: Sequence[int]) -> int:
    """The number of elements, as large as it may be."""
    count = 1
    for size in shape:
        count *= size
    return count
