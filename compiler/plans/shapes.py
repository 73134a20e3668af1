"""Numbers of a kernel's tiles that both the choice of a plan and its predicted time are made of."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import product

from ..machine import Machine
from .cuts import Left, cut, is_at_once

#: Cost of loading a vector, and of broadcasting an element, where a multiply-add costs 1. Most loads are hidden behind
#: the arithmetic, but vectors come from the L2 cache, and use up its bandwidth.
LOADED_VECTOR = 0.5
BROADCAST = 0.2
#: So many sums keep a core busy, which begins two multiply-adds per cycle and takes four cycles for each, with some
#: more against delays.
BUSY = 8 * 1.05
#: Cost of each further kind of tile, which needs code of its own, as a share of all multiply-adds.
FURTHER_CODE = 0.01


def power_of_two(n: int) -> int:
    """The least power of two that is at least ``n``."""
    return 1 << max(0, n - 1).bit_length()


def registers_beside(vectors: int, machine: Machine) -> int:
    """How many registers so many ``vectors`` of one operand, an element of the other, and a spare leave for sums."""
    return machine.vector_registers - vectors - 2


def step_cost(
    rows: int,
    number: int,
    height: int,
    width: int,
    products: int,
    cells: int,
    machine: Machine,
    left: Left | None = None,
) -> float:
    """Cost of one step of the reduction for all ``rows`` by ``number`` vectors of results, in tiles of ``height`` by
    ``width``, and what is ``left`` of rows in smaller ones (see ``cut``). A core loads as many operands per cycle as it
    begins multiply-adds."""
    heights = [(count, size) for size, count in cut(rows, height, left).items()]
    widths = [(number // width, width), (1, number % width)]
    kinds = [(n * m, h, w) for n, h in heights for m, w in widths if m * w]
    alike = is_at_once(left) and (rows > 1 or left != "once or alone")
    per_result = cells * products
    total = sum(
        count
        * (
            max(
                _arithmetic(h * w * per_result, (height if alike else h) * w * per_result, machine),
                w * products + h * cells,
            )
            + LOADED_VECTOR * w * products
            + BROADCAST * h * cells
        )
        for count, h, w in kinds
    )
    return total + (len(kinds) - 1) * FURTHER_CODE * rows * number * per_result


def _arithmetic(accumulators: int, whole: int, machine: Machine) -> float:
    """Cost of adding to so many accumulators: a core waits where they are too few to hide how long an addition takes,
    even with as many partial sums as a tile with a ``whole`` number of them has."""
    sums = accumulators * max(1, machine.partial_sums // whole)
    return accumulators * max(1.0, BUSY / sums)


def traffic(
    shared: int, others: int, extents: Sequence[int], depth: int, blocks: int, machine: Machine
) -> int:
    """Bytes that come from behind the L2 cache if ``depth`` loops stand outside of the one over ``blocks`` of
    columns."""
    outside = product(extents[:depth])
    assert isinstance(outside, int)
    inside = others // outside  # read again for each block of columns, unless it stays in the cache
    again = blocks if 2 * inside > machine.l2_bytes else 1
    return shared * outside + others * again
