"""Whether a kernel computes samples by themselves: then it can be run for some of them, with the same results.

A kernel does if its loops over samples, i in 0 .. c·n step s for n samples, access no other rows than those of their
tile in any buffer that has rows, and if nothing else in a tile depends on its position: what changes when i and c·n
both grow by c are rows' indices alone, by as much as they should. A tile may ask whether it is whole, c·n - i - k ≥ 0
with k ≤ s. All tiles are but the last, so a share that ends with a tile computes the same as all samples at once; what
only tiles that are not whole do may depend on c·n - i.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import gcd, lcm

from netwright.specs.dims import DimLike, bounds, coefficient, constant_term, dim, dim_symbols, substitute

from .. import ir
from ..expressions import postorder
from .divided import per_sample


def tile_of_samples(function: ir.Function, name: str) -> int | None:
    """Of how many samples along dim ``name`` the tiles are that the kernel computes by themselves; None if it does not,
    or cannot be shown to."""
    each: dict[str, int | None] = {}
    for buffer in function.buffers:
        first, *others = buffer.shape or (1,)
        each[buffer.name] = per_sample(first, name)
        if any(name in dim_symbols(size) for size in (others if each[buffer.name] else buffer.shape)):
            return None
        if each[buffer.name] is None and not buffer.local and buffer.access != "read":
            return None
    tiles = _Tiles(name, each)
    try:
        tiles.body(function.body)
    except _Together:
        return None
    return lcm(*tiles.samples)


#: The name of the number of rows from a tile on.
_REST = "rest"


class _Together(Exception):
    """Samples are not computed by themselves."""


@dataclass
class _Tiles:
    """Walks through a kernel. ``each`` has the rows per sample of each buffer, None for those without."""

    name: str
    each: Mapping[str, int | None]
    samples: set[int] = field(default_factory=set)
    grown: dict[str, DimLike] = field(default_factory=dict)
    """For the dim and for variables in scope that are rows: the value with one sample more before it."""
    tile: ir.For | None = None
    whole: bool = True
    """Whether the present tile may be a whole one."""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The least and the largest value of variables in scope whose bounds are constant."""

    def __post_init__(self) -> None:
        self.grown[self.name] = dim(self.name) + 1

    def body(self, statements: Iterable[ir.Stmt]) -> None:
        for statement in statements:
            match statement:
                case ir.For():
                    self._loop(statement)
                case ir.If():
                    self._if(statement)
                case ir.Declare(value=value) | ir.Assign(value=value):
                    self._value(value)
                case ir.LetIndex(value=value):
                    self._same(statement.low, statement.high)
                    self._value(value)
                case ir.Store(buffer, indices, value, count, guards):
                    self._access(buffer, indices, value.type.lanes, count, guards)
                    self._value(value)
                case ir.Prefetch():
                    pass
                case _:
                    raise _Together

    def _loop(self, loop: ir.For) -> None:
        rows = per_sample(loop.stop, self.name) if self.tile is None and loop.start == 0 else None
        if rows is not None:
            if loop.kind != "parallel":  # an iteration may go on from the one before
                raise _Together
            self.samples.add(loop.step // gcd(loop.step, rows))
            with self._row(loop.var, rows):
                self.tile = loop
                self.body(loop.body)
                self.tile = None
        elif not self.whole and self._is_end(loop.stop):
            self._rest(loop)
        else:
            self._same(loop.start, loop.stop)
            if isinstance(loop.start, int) and isinstance(loop.stop, int):
                self.spans[loop.var] = loop.start, loop.stop - 1
            self.body(loop.body)
            self.spans.pop(loop.var, None)

    def _is_end(self, size: DimLike) -> bool:
        """Whether ``size`` is the last sample, or some before it, where samples have one row each."""
        assert self.tile is not None
        beyond = size - self.tile.stop
        return self.tile.stop == dim(self.name) and isinstance(beyond, int) and beyond <= 0

    def _rest(self, loop: ir.For) -> None:
        """A loop over rows of a tile that is not whole, from one of them to the last."""
        tile = self.tile
        assert tile is not None
        first = substitute(loop.start - dim(tile.var), {self.name: dim(tile.var) + dim(_REST)})
        least, _ = bounds(first, {_REST: (1, tile.step)})
        if least is None or least < 0:
            raise _Together
        with self._row(loop.var, 1):
            self.body(loop.body)

    @contextmanager
    def _row(self, var: str, each: int) -> Iterator[None]:
        """``var`` is a row, of which there are ``each`` per sample."""
        self.grown[var] = dim(var) + each
        yield
        del self.grown[var]

    def _if(self, statement: ir.If) -> None:
        before, asks = self.whole, self._is_whole(statement.conditions)
        if not asks:
            self._same(*statement.conditions)
        self.body(statement.body)
        self.whole = before and not asks
        self.body(statement.orelse)
        self.whole = before

    def _is_whole(self, conditions: tuple[DimLike, ...]) -> bool:
        """Whether all tiles but the last fulfill the condition, c·n - i - k ≥ 0."""
        return len(conditions) == 1 and self._is_all(conditions[0], 0)

    def _same(self, *sizes: DimLike) -> None:
        """Raises _Together if one of ``sizes`` depends on where the present tile is."""
        for size in sizes:
            depends = dim_symbols(size) & self.grown.keys()
            if depends and (self.whole or substitute(size, self.grown) != size):
                raise _Together

    def _value(self, value: ir.Expr) -> None:
        for node in postorder(value):
            if isinstance(node, ir.Load):
                reach = 1 + (node.type.lanes - 1) * node.stride
                self._access(node.buffer, node.indices, reach, node.count, node.guards)
            elif isinstance(node, ir.IndexValue):
                self._same(node.index)

    def _access(
        self,
        buffer: str,
        indices: tuple[DimLike, ...],
        reach: DimLike,
        count: DimLike | None,
        guards: tuple[DimLike, ...],
    ) -> None:
        """Looks at an access to ``reach`` elements of the last axis from ``indices`` on."""
        each = self.each[buffer]
        self._same(reach, *guards, *(indices if each is None else indices[1:]))
        if count is not None and not self._is_all(count, reach):
            self._same(count)
        if each is not None and not self._is_own(indices[0], each, reach if len(indices) == 1 else 1):
            raise _Together

    def _is_all(self, count: DimLike, reach: DimLike) -> bool:
        """Whether ``count`` is ``reach`` or more in all tiles but the last."""
        if self.tile is None:
            return False
        rest = self.tile.stop - dim(self.tile.var) - count + reach
        return isinstance(rest, int) and rest <= self.tile.step

    def _is_own(self, row: DimLike, each: int, reach: DimLike) -> bool:
        """Whether ``reach`` rows from ``row`` on, of a buffer with ``each`` per sample, are in the present tile."""
        if not isinstance(reach, int) or reach < 1:
            return False
        for var in self.grown.keys() - {self.name}:
            assert self.tile is not None
            factor, rest = divmod(each, constant_term(self.grown[var]))
            within = row - factor * dim(var)
            if not rest and not dim_symbols(within) & self.grown.keys():
                # Rows of a tile that is not whole end where the buffer does.
                return self._between(within, factor * self.tile.step - reach)
        return False

    def _between(self, value: DimLike, most: int) -> bool:
        """Whether ``value`` is at least 0 and at most ``most``."""
        low = high = constant_term(value)
        for name in dim_symbols(value):
            factor = coefficient(value, name)
            if factor is None or name not in self.spans:
                return False
            ends = [factor * end for end in self.spans[name]]
            low, high = low + min(ends), high + max(ends)
        return low >= 0 and high <= most
