"""Parts of entries that threads run for some samples each (``ir.Divide``), and the check that they may.

Each call in such a part computes the samples along a dim by themselves, some rows at a time: it may be run for a
multiple of these rows, or up to the last sample, with the same results. They form r = ceil(samples / rows) groups, and
s = min(r, nthreads) shares: thread tid < s has groups r·tid//s up to r·(tid+1)//s. If calls of few samples have other
results, groups have one sample, and there are at most samples // least shares. A thread runs the part as if there were
no other samples and no barriers: a call gets their number in place of the dim, and their part of each buffer in whose
shape, behind the leading indices, the dim comes first. If there is one share, all threads run the part as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from netwright.specs.dims import DimLike, Shape, ceil_div, coefficient, dim, dim_symbols, exact_div

from .. import ir
from ..typing import VerifyError
from .calls import statements_of


class Rows(NamedTuple):
    """``each`` indices per sample on the last axis of ``shape``, the first axes of a buffer."""

    shape: Shape
    each: int


def rows_of(slice: ir.Slice, shape: Shape, name: str) -> Rows | None:
    """The rows of which a share gets its part, where ``slice`` is of a buffer of ``shape``; None if it gets all of it.

    Raises VerifyError if the dim is elsewhere in the slice.
    """
    axes, leading = slice.shape or shape, slice.leading
    rest = axes[len(leading) :]
    each = per_sample(rest[0], name) if rest else None
    others = (*axes[: len(leading)], *leading, *rest[each is not None :])
    if any(name in dim_symbols(size) for size in others):
        raise VerifyError(f"{slice.buffer}: {name} is not the first axis of what a call gets")
    return None if each is None else Rows(axes[: len(leading) + 1], each)


def groups_of(divide: ir.Divide) -> DimLike:
    """The number of its groups of samples."""
    return ceil_div(dim(divide.dim), divide.rows)


def most_shares(divide: ir.Divide) -> DimLike:
    """The number of its shares where there are as many threads; less than two if all samples are one."""
    return groups_of(divide) if divide.least == 1 else dim(divide.dim) // divide.least


def per_sample(size: DimLike, name: str) -> int | None:
    """c where ``size`` is c·dim, for a constant c ≥ 1."""
    each = coefficient(size, name)
    return each if each and size == each * dim(name) else None


def each_sample(size: DimLike, name: str) -> DimLike | None:
    """c where ``size`` is c·dim, for a size c that does not depend on the dim."""
    each = exact_div(size, dim(name))
    return None if each is None or name in dim_symbols(each) else each


def check_divide(
    divide: ir.Divide,
    dims: Sequence[tuple[str, int]],
    shapes: Mapping[str, Shape],
    functions: Mapping[str, ir.Function],
) -> None:
    """Checks that a share may run the body: for any number of samples, in memory of its own. Raises VerifyError.

    ``dims`` and ``shapes`` are those of the function that it is in, and of its buffers."""
    what = f"division by {divide.dim}"
    if (divide.dim, 1) not in dims or divide.rows < 1:
        raise VerifyError(f"{what}: it is no dim that may be 1, or not by rows")
    if divide.least < 1 or (divide.least > 1 and divide.rows > 1):
        raise VerifyError(f"{what}: shares of at least {divide.least} are not multiples of {divide.rows}")
    seen: dict[str, set[Rows | None]] = {}
    written: set[str] = set()
    for statement in statements_of(divide.body):
        if not isinstance(statement, ir.For | ir.Call | ir.Barrier):
            raise VerifyError(f"{what}: {type(statement).__name__} has no place in it")
        if isinstance(statement, ir.For):
            _check_free(what, divide.dim, (statement.start, statement.stop))
        if isinstance(statement, ir.Call):
            sizes = (size for size in statement.dims if each_sample(size, divide.dim) is None)
            _check_free(what, divide.dim, sizes)
            parameters = functions[statement.function].parameters
            for slice, parameter in zip(statement.buffers, parameters, strict=True):
                rows = rows_of(slice, shapes[slice.buffer], divide.dim)
                seen.setdefault(slice.buffer, set()).add(rows)
                if parameter.access != "read":
                    written.add(slice.buffer)
    for buffer in sorted(written):
        if len(seen[buffer]) > 1 or None in seen[buffer]:
            raise VerifyError(f"{what}: cannot show that its shares access different elements of {buffer}")


def _check_free(what: str, name: str, sizes: Iterable[DimLike]) -> None:
    for size in sizes:
        if name in dim_symbols(size):
            raise VerifyError(f"{what}: {size} depends on it")
