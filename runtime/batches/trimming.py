"""Cuts a batch of sequences to its longest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import BufferInfo, DimInfo

from ..arrays.binding import bare_name, parse_shape, shape_text
from ..errors import DataError


def time_axes(inputs: Sequence[BufferInfo], time: str, cut: str) -> dict[str, list[int]]:
    """The axes of each array that count the steps of ``time``. Raises DataError, which says that an array can't be
    ``cut``, if it does not have one row for each step.
    """
    axes: dict[str, list[int]] = {}
    for info in inputs:
        for axis, size in enumerate(parse_shape(info)):
            if bare_name(size) == time:
                axes.setdefault(info.name, []).append(axis)
            elif not isinstance(size, int) and time in size.symbols:
                raise DataError(
                    f"{info.name} {shape_text(info.shape)} can't be {cut}: "
                    f"it does not have one row for each step of {time}"
                )
    return axes


class Trimming:
    """Which axes of which arrays can be cut, and by which lengths. The lengths of sequences are known by the ranges of
    the arrays that hold them.
    """

    def __init__(self, inputs: Sequence[BufferInfo], dims: Sequence[DimInfo]):
        self._dims = {dim.name: dim for dim in dims}
        #: The arrays that hold lengths, by the dim that counts the steps.
        self.lengths: dict[str, list[str]] = {}
        for info in inputs:
            for range in info.ranges or ():
                if range.what == "length" and range.high in self._dims:
                    names = self.lengths.setdefault(range.high, [])
                    names += [info.name] if info.name not in names else []
        self._axes = {time: time_axes(inputs, time, "cut to the longest sequence") for time in self.lengths}

    @property
    def names(self) -> list[str]:
        """The arrays that hold lengths."""
        return list(dict.fromkeys(name for names in self.lengths.values() for name in names))

    def cut(self, arrays: Mapping[str, NDArray], lengths: Mapping[str, int]) -> dict[str, NDArray]:
        """The arrays of a batch, as long as its longest sequence, or a little longer where the dim wants it.
        ``lengths`` has the largest number in each array that holds lengths.
        """
        trimmed = dict(arrays)
        for time, names in self.lengths.items():
            dim = self._dims[time]
            longest = max([dim.min, *(lengths[name] for name in names)])
            longest = -(-longest // dim.multiple_of) * dim.multiple_of
            for name, axes in self._axes[time].items():
                cuts: list[slice] = [slice(None)] * trimmed[name].ndim
                for axis in axes:
                    cuts[axis] = slice(longest)
                trimmed[name] = trimmed[name][tuple(cuts)]
        return trimmed


def total_lengths(arrays: Mapping[str, NDArray]) -> NDArray[np.int64]:
    """How long each sample is: all its sequences together."""
    return np.sum([array.astype(np.int64) for array in arrays.values()], axis=0)
