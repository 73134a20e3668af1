"""Integers out of range: which array, which sample and which value. Code that computes only knows that there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import evaluate, parse_dim
from netwright.specs.manifest import BufferInfo, RangeInfo

_PLURAL = {"class": "classes", "index": "indices", "length": "lengths"}


def out_of_range(
    infos: Sequence[BufferInfo],
    arrays: Mapping[str, NDArray],
    dims: Mapping[str, int],
    *,
    partial: bool,
) -> Iterator[str]:
    """For each of the ``arrays`` its first value that is out of the ranges in the manifest, in words.

    ``partial``: also where not all of an array's elements are used, so that it may be one that does no harm.
    """
    for info in infos:
        for range in info.ranges or ():
            if range.partial and not partial:
                continue
            array = arrays[info.name]
            high = evaluate(parse_dim(range.high), dims)
            wrong = (array < range.low) | (array > high)
            if wrong.any():
                wrong &= _counting(array, range, arrays)
            if wrong.any():
                yield _text(info.name, array, np.argwhere(wrong)[0].tolist(), range, high)
                break


def _counting(array: NDArray, range: RangeInfo, arrays: Mapping[str, NDArray]) -> NDArray:
    """Which elements have to be in range."""
    counting = np.ones(array.shape, bool)
    for name in range.unless:
        own = arrays[name]
        if own.ndim == 1 and own.dtype.kind in "iu" and array.ndim >= 2:
            own = np.arange(array.shape[1]) < own[:, None]
        counting &= (own != 0).reshape(own.shape + (1,) * (array.ndim - own.ndim))
    return counting


def _text(name: str, array: NDArray, at: list[int], range: RangeInfo, high: int) -> str:
    value = array[tuple(at)].item()
    where = f" (at {at[1:]})" if len(at) > 1 else ""
    sample = f"sample {at[0]} has" if at else "there is"
    open_size = "" if range.high == str(high) else f"{range.high} = "
    kind = f"{_PLURAL[range.what]} are {range.low} to {open_size}{high}"
    return f"{name}: {sample} the {range.what} {value}{where}; {kind}"
