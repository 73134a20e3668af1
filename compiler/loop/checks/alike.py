"""Whether a kernel computes every row in the same way, whichever tile it is in: then a share of its samples may begin
and end anywhere, and still has the same results.

A kernel cuts rows into tiles, and what is left of them into smaller ones, each with code of its own. All of that is
alike if every row of every tile stores equal terms to the same places of it. A term is what a value is computed by:
loads of the row itself and of what has no rows, the operations on these in their order, and loops over sums. That each
row is in some tile is what kernels are made for: they write all of what they do not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from netwright.specs.dims import DimLike, bounds, dim, dim_symbols, substitute

from .. import ir
from ..expressions import operands_of, postorder
from .calls import statements_of


def rows_are_alike(function: ir.Function, name: str, least: int) -> bool:
    """Whether each row along dim ``name``, one per sample, is computed by itself and as every other one is, where there
    are at least ``least``; False if that cannot be shown."""
    rows: set[str] = set()
    for buffer in function.buffers:
        if buffer.access == "readwrite":  # as all local ones are
            return False
        if buffer.shape and buffer.shape[0] == dim(name):
            rows.add(buffer.name)
        elif buffer.access == "write":
            return False
    try:
        walk = _Walk(name, least, rows)
        walk.body(function.body)
    except _Unlike:
        return False
    return walk.end == 0


class _Unlike(Exception):
    """Rows are not shown to be alike."""


class _Term(NamedTuple):
    """What a value is computed by: equal computations have equal numbers. ``row`` is the row that it reads, and
    ``before`` are the registers, with the depths of their loops, whose value before an iteration it needs."""

    number: int
    row: DimLike | None = None
    before: frozenset[tuple[int, str]] = frozenset()


@dataclass
class _Walk:
    """Walks through a kernel. ``rows`` are the buffers whose first axis has the rows."""

    name: str
    least: int
    rows: set[str]
    tile: set[str] = field(default_factory=set)
    """The names that tell where a tile is: the dim, and variables of loops over rows."""
    steps: dict[str, DimLike] = field(default_factory=dict)
    """What the variables of the other loops in scope are called in terms, by the depth of their loop."""
    around: tuple[Hashable, ...] = ()
    """The other loops and conditions that the present statement is in."""
    numbers: dict[Hashable, int] = field(default_factory=dict)
    values: dict[str, _Term] = field(default_factory=dict)
    outside: frozenset[str] = frozenset()
    """The registers that rows have in common."""
    tiles: int = 0
    end: DimLike = 0
    """The row up to which the loops over rows before have gone; 0 if up to the last one."""
    stored: dict[tuple[int, DimLike], Counter[Hashable]] = field(default_factory=dict)
    """What is stored to each row of each tile of the present loops over rows, which follow each other."""

    def __post_init__(self) -> None:
        self.tile.add(self.name)

    def body(self, statements: Iterable[ir.Stmt]) -> None:
        for statement in statements:
            match statement:
                case ir.For():
                    self._loop(statement)
                case ir.If():
                    self._if(statement)
                case ir.Declare(name=name, value=value) | ir.Assign(name=name, value=value):
                    if name in self.outside:
                        raise _Unlike
                    self.values[name] = self._term(value)
                case ir.Store():
                    self._store(statement)
                case ir.Prefetch():
                    pass
                case _:
                    raise _Unlike

    # -- loops and conditions ------------------------------------------------------------------------------------

    def _loop(self, loop: ir.For) -> None:
        if (dim_symbols(loop.start) | dim_symbols(loop.stop)) & self.tile:
            self._loop_over_rows(loop)
            return
        depth = len(self.steps)
        assigned = {each.name for each in statements_of(loop.body) if isinstance(each, ir.Assign)}
        firsts = {name: self.values[name] for name in sorted(assigned & self.values.keys())}
        for name in firsts:
            self.values[name] = _Term(self._number("before", depth), None, frozenset({(depth, name)}))
        here = ("for", *self._same(loop.start, loop.stop), loop.step)
        self.steps[loop.var] = dim(f"step {depth}")
        with self._inside(here):
            self.body(loop.body)
        del self.steps[loop.var]
        for name, first in firsts.items():
            last, own = self.values[name], {(depth, name)}
            if any(at == depth for at, _ in last.before - own):
                raise _Unlike  # it goes on from another sum
            number = self._number(here, first.number, last.number)
            self.values[name] = _Term(number, self._row(first, last), (first.before | last.before) - own)

    def _loop_over_rows(self, loop: ir.For) -> None:
        if self.tile != {self.name}:
            self._over(loop)
            return
        if loop.start != self.end:
            raise _Unlike
        if self.end == 0:
            self.stored = {}
        outside, self.outside, self.end = self.outside, frozenset(self.values), 0
        self._over(loop)
        self.outside = outside
        self.end = 0 if loop.stop == dim(self.name) else loop.stop
        if len({frozenset(each.items()) for each in self.stored.values()}) > 1:
            raise _Unlike

    def _over(self, loop: ir.For) -> None:
        self.tile.add(loop.var)
        self._tile(loop.body)
        self.tile.remove(loop.var)

    def _tile(self, statements: Iterable[ir.Stmt]) -> None:
        self.tiles += 1
        self.body(statements)

    def _if(self, statement: ir.If) -> None:
        conditions = statement.conditions
        if not any(dim_symbols(condition) & self.tile for condition in conditions):
            here = self._same(*conditions)
            for holds, body in ((True, statement.body), (False, statement.orelse)):
                with self._inside(("if", holds, *here)):
                    self.body(body)
            return
        for condition in conditions:
            _, most = bounds(condition, {self.name: (self.least, None)})
            if most is not None and most < 0:
                self.body(statement.orelse)
                return
        self._tile(statement.body)
        self._tile(statement.orelse)

    @contextmanager
    def _inside(self, what: Hashable) -> Iterator[None]:
        before, self.around = self.around, (*self.around, what)
        end, self.end = self.end, 0
        yield
        if self.end != 0 or end != 0:
            raise _Unlike  # loops over rows that go on elsewhere
        self.around = before

    # -- values --------------------------------------------------------------------------------------------------

    def _store(self, store: ir.Store) -> None:
        row, *others = store.indices
        term = self._term(store.value)
        if term.before or self.tile == {self.name} or self._row(term, _Term(0, self._own(row))) != row:
            raise _Unlike
        what = (store.buffer, self.around, self._same(*others), term.number, *self._limits(store))
        self.stored.setdefault((self.tiles, row), Counter())[what] += 1

    def _term(self, value: ir.Expr) -> _Term:
        terms: dict[int, _Term] = {}
        for node in postorder(value):
            terms[id(node)] = self._of(node, [terms[id(operand)] for operand in operands_of(node)])
        return terms[id(value)]

    def _of(self, node: ir.Expr, operands: list[_Term]) -> _Term:
        match node:
            case ir.Read(name=name):
                return self.values[name]
            case ir.Load():
                return self._load(node)
            case ir.Const(value=value):
                what = repr(value)  # which tells -0.0 from 0.0
            case ir.IndexValue(index=index):
                what = self._same(index)
            case _:
                what = getattr(node, "op", None), getattr(node, "lanes", None)
        number = self._number(type(node), what, node.type, *(operand.number for operand in operands))
        before = frozenset[tuple[int, str]]().union(*(operand.before for operand in operands))
        return _Term(number, self._row(*operands), before)

    def _load(self, load: ir.Load) -> _Term:
        row, others = None, load.indices
        if load.buffer in self.rows:
            row, *others = load.indices
            row = self._own(row)
        what = (load.buffer, *self._same(*others, load.stride), *self._limits(load))
        return _Term(self._number("load", *what, load.type, repr(load.other)), row)

    def _limits(self, access: ir.Load | ir.Store) -> tuple[Hashable, ...]:
        """How many lanes an access has, and where it has none."""
        count = None if access.count is None else self._same(access.count)
        return count, self._same(*access.guards)

    def _own(self, row: DimLike) -> DimLike:
        """The index of a row, which nothing but the tile tells."""
        if not dim_symbols(row) <= self.tile:
            raise _Unlike
        return row

    def _row(self, *terms: _Term) -> DimLike | None:
        """The one row that terms read, if they do."""
        rows = {term.row for term in terms} - {None}
        if len(rows) > 1:
            raise _Unlike
        return next(iter(rows), None)

    def _same(self, *sizes: DimLike) -> tuple[DimLike, ...]:
        """The sizes as all tiles have them; raises _Unlike if they depend on where a tile is."""
        if any(dim_symbols(size) & self.tile for size in sizes):
            raise _Unlike
        return tuple(substitute(size, self.steps) for size in sizes)

    def _number(self, *what: Hashable) -> int:
        return self.numbers.setdefault(what, len(self.numbers))
