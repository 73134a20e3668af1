"""Loops over steps that threads run for some samples each, meeting at the end only.

In a recurrence each step needs the one before, and threads that divide each of its kernels meet after every one. But
its samples are computed by themselves, so each thread can run all steps for its part of them. A step of a small
recurrence is too little work to be divided alone; all of its steps are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd

from netwright.specs.dims import Shape, dim_symbols

from ..loop import ir
from ..loop.check_call import statements_of
from ..loop.divided import check_divide, per_sample
from ..loop.samples import tile_of_samples
from ..loop.typing import VerifyError


def divided(
    loop: ir.For,
    dims: Sequence[tuple[str, int]],
    shapes: Mapping[str, Shape],
    kernels: Mapping[str, ir.Function],
) -> ir.Divide | str:
    """The loop divided by samples along one of the ``dims``; or the reason why it can't be, along the first that its
    calls depend on. ``shapes`` are those of the buffers that they get parts of."""
    calls = [statement for statement in statements_of([loop]) if isinstance(statement, ir.Call)]
    reason = "all sizes are settled"
    for name, _ in reversed(dims):
        if not any(name in dim_symbols(size) for call in calls for size in call.dims):
            continue
        try:
            tiles = {_tile(call, kernels[call.function], name) for call in calls}
            rows = max(tiles)
            if any(rows % tile for tile in tiles):
                raise VerifyError(
                    f"tiles of {', '.join(map(str, sorted(tiles)))} samples do not fit into each other"
                )
            divide = ir.Divide(name, rows, (loop,))
            check_divide(divide, dims, shapes, kernels)
        except VerifyError as refusal:
            reason = str(refusal)
        else:
            return divide
    return reason


def _tile(call: ir.Call, kernel: ir.Function, name: str) -> int:
    """Of how many samples along dim ``name`` the tiles are that a call computes by themselves. Raises VerifyError if it
    does not."""
    sizes = [
        (own, size)
        for (own, _), size in zip(kernel.dims, call.dims, strict=True)
        if name in dim_symbols(size)
    ]
    if len(sizes) == 1:
        ((own, size),) = sizes
        each, tile = per_sample(size, name), tile_of_samples(kernel, own)
        if each is not None and tile is not None:
            return tile // gcd(tile, each)
    raise VerifyError(
        f"{', '.join(call.info.operations)}: not shown to compute samples along {name} by themselves"
    )
