"""Finds integers that are out of range: which array, which sample and which value. Compiled code only reports that
there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

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
    place: Callable[[int], str] = "sample {}".format,
) -> Iterator[str]:
    """For each of the ``arrays``, a sentence about its first value outside the ranges in the manifest. ``place`` names
    a sample.

    With ``partial`` also arrays of which the network uses only some elements, so that the value may do no harm.
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
                yield _text(info.name, array, np.argwhere(wrong)[0].tolist(), range, high, place)
                break


def _counting(array: NDArray, range: RangeInfo, arrays: Mapping[str, NDArray]) -> NDArray:
    """Which elements must be in range."""
    counting = np.ones(array.shape, bool)
    for name in range.unless:
        mask = arrays[name]
        if mask.ndim == 1 and mask.dtype.kind in "iu" and array.ndim >= 2:  # lengths of sequences
            mask = np.arange(array.shape[1]) < mask[:, None]
        counting &= (mask != 0).reshape(mask.shape + (1,) * (array.ndim - mask.ndim))
    return counting


def _text(
    name: str, array: NDArray, at: list[int], range: RangeInfo, high: int, place: Callable[[int], str]
) -> str:
    value = array[tuple(at)].item()
    where = f" (at {at[1:]})" if len(at) > 1 else ""
    sample = f"{place(at[0])} has" if at else "there is"
    open_size = "" if range.high == str(high) else f"{range.high} = "
    kind = f"{_PLURAL[range.what]} are {range.low} to {open_size}{high}"
    return f"{name}: {sample} the {range.what} {value}{where}; {kind}"
