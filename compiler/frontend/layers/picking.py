"""Selects cells of an axis by position: known positions as slices where possible, others as gathers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.specs.dims import DimLike

from ..tensor import Tensor, concat, constant, full, where

#: With more slices than this, one gather is faster.
MOST_SLICES = 8

#: The most positions computed at compile time; more are computed at run time.
LARGEST_TABLE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Run:
    """The positions ``start``, ``start + step``, …: ``count`` of them."""

    start: int
    step: int
    count: int


def pick(x: Tensor, axis: int, positions: Sequence[int]) -> Tensor:
    """The cells at known positions of an axis, in that order. A range may be of any length."""
    if isinstance(positions, range) and positions:
        return _sliced(x, axis, _Run(positions[0], positions.step, len(positions)))
    array = np.asarray(positions, np.int64)
    times = _repeats(array)
    if times > 1:
        return repeat(pick(x, axis, array[::times].tolist()), axis, times)
    runs = _runs(array.tolist())
    if len(runs) > MOST_SLICES:
        return take(x, axis, constant(x.graph, array))
    return concat([_sliced(x, axis, run) for run in runs], axis)


def repeat(x: Tensor, axis: int, times: DimLike) -> Tensor:
    """Repeats each cell of an axis ``times`` times: 0, 0, 1, 1, …"""
    return _stretched(x, axis, times, axis + 1)


def tile(x: Tensor, axis: int, times: DimLike) -> Tensor:
    """Repeats the whole axis ``times`` times: 0, 1, …, 0, 1, …"""
    return _stretched(x, axis, times, axis)


def _stretched(x: Tensor, axis: int, times: DimLike, place: int) -> Tensor:
    if times == 1:
        return x
    shape = (*x.shape[:place], times, *x.shape[place:])
    wide = x.broadcast(shape, [i for i in range(len(shape)) if i != place])
    return wide.reshape((*x.shape[:axis], x.shape[axis] * times, *x.shape[axis + 1 :]))


def take(x: Tensor, axis: int, indices: Tensor) -> Tensor:
    """The slices at ``indices`` (any shape, integers ≥ 0), whose axes replace the axis."""
    if indices.dtype not in ("int32", "int64"):
        indices = indices.cast("int64")
    rows = x.move_axis(axis, 0).gather(indices)
    order = [*range(indices.rank, indices.rank + axis), *range(indices.rank)]
    order += range(indices.rank + axis, rows.rank)
    return rows if order == sorted(order) else rows.transpose(*order)


def from_end(indices: Tensor, size: DimLike) -> Tensor:
    """Indices with negative ones counted from the end of an axis."""
    if indices.dtype.startswith("u"):
        return indices
    total = indices.count(size)
    size_ = total if isinstance(total, Tensor) else full(indices.graph, total, indices.type.with_shape(()))
    return where(indices.compare("lt", 0), indices + size_, indices)


def _repeats(array: np.ndarray) -> int:
    """How often each position occurs, if all are repeated equally often in a row."""
    if len(array) < 2:
        return 1
    changes = np.flatnonzero(np.diff(array)) + 1
    edges = np.concatenate([[0], changes, [len(array)]])
    times = int(np.gcd.reduce(np.diff(edges)))
    return times


def _runs(positions: list[int]) -> list[_Run]:
    """Positions as runs with constant steps."""
    runs: list[_Run] = []
    start = 0
    while start < len(positions):
        end = start + 1
        step = positions[end] - positions[start] if end < len(positions) else 1
        while end < len(positions) and positions[end] - positions[end - 1] == step:
            end += 1
        if end - start == 2 and end < len(positions):  # the second position may belong to the next run
            end = start + 1
            step = 1
        runs.append(_Run(positions[start], step, end - start))
        start = end
    return runs


def _sliced(x: Tensor, axis: int, run: _Run) -> Tensor:
    if run.step == 0:
        return repeat(x.slice(axis, run.start, run.start + 1), axis, run.count)
    last = run.start + (run.count - 1) * run.step
    if run.step < 0:
        return x.strided(axis, last, run.start + 1, -run.step).reverse(axis)
    if run.start == 0 and run.step == 1 and run.count == x.shape[axis]:
        return x
    return x.strided(axis, run.start, last + 1, run.step)
