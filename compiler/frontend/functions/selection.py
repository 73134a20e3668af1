"""Which elements are meant: the class of each row, what dropout keeps."""

from __future__ import annotations

import math

from ..tensor import Tensor, full, iota


def one_hot(classes: Tensor, like: Tensor) -> Tensor:
    """Where the last axis of ``like`` has the position that ``classes`` names.

    The class is looked up in the table 0, 1, 2, …, which changes nothing but makes a class that does not exist
    an error at run time, as it is for every other table.
    """
    table = iota(like.graph, "int64", (like.shape[-1],), 0)
    checked = table.gather(classes)
    positions = iota(like.graph, "int64", like.shape, like.rank - 1)
    return positions.compare("eq", checked.broadcast(like.shape, range(like.rank - 1)))


def kept_of(bits: Tensor, rate: float) -> Tensor:
    """Which elements stay when each goes with probability ``rate``, from 32 random bits for each."""
    threshold = math.ceil(rate * 2**24) << 8
    return bits.compare("ge", full(bits.graph, threshold, bits.type))
