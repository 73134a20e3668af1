"""Array helpers that the whole runtime shares: aligned allocation, and casts that lose nothing."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

#: Buffers the runtime owns start on a cache line.
ALIGNMENT = 64
#: Blocks from this size on are mapped separately and ask for huge pages: above 16 MB this makes streaming 40 to 110 %
#: faster.
LARGE = 4 << 20
HUGE_PAGE = 2 << 20


def mapped(size: int) -> NDArray:
    """At least ``size`` bytes behind the first address that is a multiple of ``HUGE_PAGE``, all zero, in huge pages
    where the system has them. Raises OSError, ValueError or OverflowError when there is not that much memory.
    """
    # Private: a mapping is shared with forked processes otherwise, which compute in theirs, and has no huge pages.
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    block = mmap.mmap(-1, size + HUGE_PAGE, **private)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # without huge pages in the kernel, it is only slower
            block.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(block, np.uint8)


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """An uninitialized C-ordered array whose first byte is 64-byte aligned."""
    return _aligned(np.empty, shape, dtype)


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """As ``aligned_empty``, but filled with zeros. Fresh memory from the system is zero already and stays untouched
    until it is used.
    """
    return _aligned(np.zeros, shape, dtype)


def _aligned(
    allocate: Callable[[int, type[np.uint8]], NDArray], shape: tuple[int, ...], dtype: np.dtype
) -> NDArray:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = allocate(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def aligned_copy(array: NDArray, dtype: np.dtype) -> NDArray:
    """A 64-byte aligned, C-ordered copy of ``array`` as ``dtype``."""
    copy = aligned_empty(array.shape, dtype)
    copy[...] = array
    return copy


def zeros_together(arrays: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> dict[str, NDArray]:
    """Arrays of zeros of these shapes and types in one block, each on cache lines of its own: as a whole, many small
    arrays are large enough for huge pages.
    """
    starts: dict[str, int] = {}
    total = 0
    for name, (shape, dtype) in arrays.items():
        starts[name] = total
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        # A line between arrays: where several are passed through together, they would be at equal places in pages.
        total += -(-size // ALIGNMENT) * ALIGNMENT + ALIGNMENT
    large = total >= LARGE
    raw = mapped(total) if large else np.zeros(total + ALIGNMENT, np.uint8)
    first = -raw.ctypes.data % (HUGE_PAGE if large else ALIGNMENT)
    made: dict[str, NDArray] = {}
    for name, (shape, dtype) in arrays.items():
        start = first + starts[name]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        made[name] = raw[start : start + size].view(dtype).reshape(shape)
    return made


def flat_zeros(
    arrays: Mapping[str, tuple[tuple[int, ...], np.dtype]],
) -> tuple[NDArray, dict[str, NDArray]]:
    """An array of one axis, and one of each shape and type that is a part of it; each begins on a cache line. Raises
    ValueError for arrays of several types.
    """
    types = {dtype for _, dtype in arrays.values()}
    if len(types) > 1:
        raise ValueError(f"{', '.join(sorted(dtype.name for dtype in types))} can't be parts of one array")
    dtype = types.pop() if types else np.dtype(np.float32)
    line, end = ALIGNMENT // dtype.itemsize, 0
    starts: dict[str, int] = {}
    for name, (shape, _) in arrays.items():
        starts[name], end = end, end + -(-int(np.prod(shape, dtype=np.int64)) // line) * line
    flat = aligned_zeros((end,), dtype)
    parts = {
        name: flat[starts[name] : starts[name] + int(np.prod(shape, dtype=np.int64))].reshape(shape)
        for name, (shape, _) in arrays.items()
    }
    return flat, parts


def is_lossless(source: np.dtype, target: np.dtype) -> bool:
    """Whether every value of ``source`` is a value of ``target``.

    NumPy's "safe" casting, except that it calls 64-bit integers to float64 safe, which they are not.
    """
    if source.kind in "iu" and source.itemsize == 8 and target.kind in "fc":
        return False
    return np.can_cast(source, target, "safe")


def is_rounding(source: np.dtype, target: np.dtype) -> bool:
    """Whether a cast from ``source`` to ``target`` rounds numbers: both are floats, and ``target`` is the narrower."""
    return source.kind == target.kind == "f" and source.itemsize > target.itemsize


def rounded(array: NDArray, dtype: np.dtype) -> NDArray:
    """``array`` in a narrower float type. Raises LossError for a finite number that would become infinite."""
    with np.errstate(over="ignore"):
        result = array.astype(dtype)
    infinite = np.isinf(result)
    if infinite.any() and (lost := infinite & np.isfinite(array)).any():
        at = tuple(np.argwhere(lost)[0].tolist())
        raise LossError(at, f"{array[at]:.6g} is too large for {dtype.name}")
    return result


class LossError(ValueError):
    """A cast would lose more than rounding does, at the index ``at``."""

    def __init__(self, at: tuple[int, ...], message: str):
        super().__init__(message)
        self.at = at


def converted(name: str, value: ArrayLike) -> NDArray:
    """``value``, such as a list, a tensor or a table's columns, as an array. Raises InputError if it is none, also for
    a tensor that NumPy can't read."""
    try:
        return np.asarray(value)
    except (
        ValueError,
        TypeError,
        RuntimeError,
    ) as error:  # RuntimeError: PyTorch's, of tensors with gradients
        raise InputError(f"{name} is not an array: {error}") from None


def exact_array(name: str, value: ArrayLike, dtype: np.dtype) -> NDArray:
    """``value`` as a C-ordered array of ``dtype`` if the cast loses nothing, or only rounds floats. Otherwise raises
    InputError, which says how to cast.
    """
    array = converted(f"input {name!r}", value)
    if is_rounding(array.dtype, dtype):
        try:
            array = rounded(array, dtype)
        except LossError as error:
            raise InputError(f"input {name!r}: {error} (at {list(error.at)})") from None
    if array.dtype != dtype and not is_lossless(array.dtype, dtype):
        raise InputError(
            f"input {name!r} is {array.dtype.name}, but the model takes {dtype.name} and the cast could lose "
            f"information; if it may, pass np.asarray({name}, dtype=np.{dtype.name})"
        )
    if array.dtype is dtype and array.flags.carray:
        return array
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])
