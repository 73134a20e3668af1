"""Folds quantization of constants: to floats and back, with one scale, one per cell of an axis, or one per block of
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Refusal
from ..tensors import dtype_name
from .table import Arrays, Folding, checked_axis, fold, pair


def spread(numbers: NDArray, array: NDArray, attributes: Mapping[str, Any]) -> NDArray:
    """Scales or zero points in a shape that broadcasts to their array. Raises Refusal."""
    block, axis = int(attributes.get("block_size", 0)), int(attributes.get("axis", 1))
    if numbers.size == 1:
        return numbers.reshape(())
    axis = checked_axis(axis, array.ndim)
    if numbers.ndim == 1 and not block:
        if numbers.size != array.shape[axis]:
            raise Refusal(f"{numbers.size} scales for {array.shape[axis]} cells", "axis")
        return numbers.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    if numbers.ndim != array.ndim:
        raise Refusal(f"scales {list(numbers.shape)} do not fit {list(array.shape)}")
    size = block or -(-array.shape[axis] // numbers.shape[axis])
    repeated = np.repeat(numbers, size, axis).take(range(array.shape[axis]), axis)
    if repeated.shape != array.shape:
        raise Refusal(f"blocks of {size} do not fit {list(array.shape)}", "block_size")
    return repeated


@fold("DequantizeLinear")
def _dequantize(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    codes, scale = pair(arrays)
    zero = arrays[2] if len(arrays) > 2 else None
    dtype = dtype_name(int(attributes["output_dtype"])) if attributes.get("output_dtype") else scale.dtype
    values = codes.astype(np.float32)
    if zero is not None and np.any(zero):
        values -= spread(zero.astype(np.float32), codes, attributes)
    # Compute the product in the scale's own type and round to the result's type once.
    return [(values * spread(scale.astype(np.float32), codes, attributes)).astype(dtype, copy=False)]


@fold("QuantizeLinear")
def _quantize(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    values, scale = pair(arrays)
    zero = arrays[2] if len(arrays) > 2 else None
    named = attributes.get("output_dtype")
    dtype = np.dtype(dtype_name(int(named)) if named else np.uint8 if zero is None else zero.dtype)
    if zero is not None and zero.dtype != dtype:
        raise Refusal(f"is not the zero point's type, {zero.dtype}", "output_dtype")
    if dtype.name not in ("int8", "uint8", "int16", "uint16") or attributes.get("precision"):
        return None
    limits = np.iinfo(dtype)
    codes = np.rint(values.astype(np.float32) / spread(scale.astype(np.float32), values, attributes))
    if zero is not None:
        codes = codes + spread(zero.astype(np.float32), values, attributes)
    return [np.clip(codes, limits.min, limits.max).astype(dtype)]
