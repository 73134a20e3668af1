"""Loops over steps that threads run for some samples each, meeting at the end only.

In a recurrence each step needs the one before, and threads that divide each of its kernels meet after every one. But
its samples are computed by themselves, so each thread can run all steps for its part of them. A step of a small
recurrence is too little work to be divided alone; all of its steps are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd

from netwright.specs.dims import DimLike, Shape, dim_symbols

from ..loop import ir
from ..loop.checks.alike import rows_are_alike
from ..loop.checks.calls import statements_of
from ..loop.checks.divided import check_divide, each_sample
from ..loop.checks.lanewise import is_lanewise
from ..loop.checks.samples import tile_of_samples
from ..loop.typing import VerifyError

#: The fewest samples that are computed as more of them are: sums of one alone may be added up in parts.
LEAST = 2


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
            rows, least = _rows_and_least(calls, kernels, name)
            divide = ir.Divide(name, rows, (loop,), least)
            check_divide(divide, dims, shapes, kernels)
        except VerifyError as refusal:
            reason = str(refusal)
        else:
            return divide
    return reason


def _rows_and_least(
    calls: Sequence[ir.Call], kernels: Mapping[str, ir.Function], name: str
) -> tuple[int, int]:
    """What samples along dim ``name`` may be divided by, and how many of them a share has at least, if calls are to
    compute the same for each. Raises VerifyError if there is no such number."""
    tiles, alike, least = set[int](), True, 1
    unknown: ir.Call | None = None
    for call in calls:
        kernel = kernels[call.function]
        own, each = _samples(call, kernel, name)
        if is_lanewise(kernel, own):
            continue
        tile = rows = None
        if isinstance(each, int) and (tile := tile_of_samples(kernel, own)) is not None:
            tiles.add(rows := tile // gcd(tile, each))
        if rows != 1:
            alike, least = alike and each == 1 and rows_are_alike(kernel, own, LEAST), LEAST
            unknown = call if tile is None else unknown
        if unknown is not None and not alike:
            raise _refusal(unknown, name)
    rows = max(tiles, default=1)
    if alike:
        return 1, least
    if any(rows % tile for tile in tiles):
        raise VerifyError(f"tiles of {', '.join(map(str, sorted(tiles)))} samples do not fit into each other")
    return rows, 1


def _samples(call: ir.Call, kernel: ir.Function, name: str) -> tuple[str, DimLike]:
    """The dim of a called kernel that has samples along ``name``, and how many of its indices each has."""
    sizes = [
        (own, size)
        for (own, _), size in zip(kernel.dims, call.dims, strict=True)
        if name in dim_symbols(size)
    ]
    if len(sizes) == 1 and (each := each_sample(sizes[0][1], name)) is not None:
        return sizes[0][0], each
    raise _refusal(call, name)


def _refusal(call: ir.Call, name: str) -> VerifyError:
    operations = ", ".join(call.info.operations)
    return VerifyError(f"{operations}: not shown to compute samples along {name} by themselves")
