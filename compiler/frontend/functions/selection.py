"""Selections of elements: the class of each row, and the elements that dropout keeps."""

from __future__ import annotations

import math

from netwright.specs.dims import DimLike

from ..tensor import Tensor, full, iota


def in_range(classes: Tensor, size: DimLike) -> Tensor:
    """Classes 0 to ``size`` − 1, int64. Any other is an error at run time, as for every table: they are looked up in
    the table 0, 1, 2, …."""
    return iota(classes.graph, "int64", (size,), 0).gather(classes)


def one_hot(classes: Tensor, like: Tensor) -> Tensor:
    """Whether each position on the last axis of ``like`` is the class that ``classes`` gives for its row. A class out
    of range is an error at run time."""
    checked = in_range(classes, like.shape[-1])
    positions = iota(like.graph, "int64", like.shape, like.rank - 1)
    return positions.compare("eq", checked.broadcast(like.shape, range(like.rank - 1)))


def kept_of(bits: Tensor, rate: float) -> Tensor:
    """Which elements are kept when each is dropped with probability ``rate``, from 32 random bits per element."""
    threshold = math.ceil(rate * 2**24) << 8
    return bits.compare("ge", full(bits.graph, threshold, bits.type))
