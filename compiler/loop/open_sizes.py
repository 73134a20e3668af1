"""Which sizes of a function can be dims that its callers pass: those that loops run over from the first element on.

A loop keeps its bounds if its variable appears elsewhere than as an index of an axis or as what is left of it; if it
runs over few elements, such as the cells of a filter; or if an axis that it runs over is also accessed in another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netwright.specs.dims import Dim, DimLike, coefficient, dim, dim_symbols

from . import ir
from .checks.calls import statements_of
from .expressions import postorder
from .walks import accesses_of, loops_of

#: A loop over elements or rows with fewer iterations keeps its number: those over the cells of filters, above all.
LEAST = 4


@dataclass(frozen=True)
class OpenLoop:
    """A loop that may be open: it runs over ``number`` times ``unit``."""

    loop: ir.For
    number: DimLike
    unit: int


class OpenSizes:
    """Which loops of a function can be open, and which axes run with them.

    ``free`` maps the variable of each loop that can be open to it. Loops over the same axis have the same root.
    """

    def __init__(self, function: ir.Function):
        self._loops = list(loops_of(function.body))
        self._buffers = {buffer.name: buffer for buffer in function.buffers}
        self._axes: dict[tuple[str, int], dict[DimLike, None]] = {}
        self._roots: dict[str, str] = {}
        names = [loop.var for loop in self._loops]
        dims = frozenset(name for name, _ in function.dims)
        self.free = {
            loop.var: free
            for loop in self._loops
            if names.count(loop.var) == 1 and (free := _free(loop, dims)) is not None
        }
        self._fix_bounds()
        self._fix_uses(function.body)
        self._fix_small()
        self._join()

    def root(self, var: str) -> str:
        """The loop that stands for all that run over the same sizes as that of ``var``."""
        while (above := self._roots.get(var, var)) != var:
            var = above
        return var

    def shape(self, buffer: ir.Buffer, grown: Mapping[str, DimLike]) -> tuple[DimLike, ...]:
        """The shape of a buffer; ``grown`` is by how much each loop's end grows."""
        sizes: list[DimLike] = []
        for axis, size in enumerate(buffer.shape):
            index, var = self._moving(buffer.name, axis)
            sizes.append(size + grown[var] * (coefficient(index, var) or 0) if var else size)
        return tuple(sizes)

    # -- what has to keep its size ---------------------------------------------------------------------------------

    def _fix(self, symbols: Iterable[str]) -> None:
        for name in symbols:
            self.free.pop(name, None)

    def _fix_bounds(self) -> None:
        for loop in self._loops:
            self._fix(dim_symbols(loop.start) | dim_symbols(loop.stop))

    def _fix_uses(self, body: Sequence[ir.Stmt]) -> None:
        """Fixes all loops whose variable is used otherwise than as an index of an axis, or as what is left of it."""
        for symbols in _other_uses(body):
            self._fix(symbols)
        for buffer, indices, count in accesses_of(body):
            for axis, index in enumerate(indices):
                self._axes.setdefault((buffer, axis), {})[index] = None
            if count is not None and not isinstance(count, int):
                self._fix(var for var in self._free_of(count) if not self._is_left(count, var))

    def _is_left(self, count: Dim, var: str) -> bool:
        """Whether ``count`` is what is left, at the loop's variable, of what the loop runs over."""
        factor = coefficient(count, var)
        return (
            factor is not None
            and len(self._free_of(count)) == 1
            and isinstance(count - factor * (dim(var) - self.free[var].loop.stop), int)
        )

    def _fix_small(self) -> None:
        """Fixes loops over few elements, but not over few vectors: those run along axes that layers differ in."""
        vectors = {
            var
            for indices in self._axes.values()
            for index in indices
            for var in self._free_of(index)
            if (coefficient(index, var) or 0) * self.free[var].unit > 1
        }
        self._fix(
            [
                var
                for var, free in self.free.items()
                if isinstance(free.number, int) and free.number < (2 if var in vectors else LEAST)
            ]
        )

    def _free_of(self, index: DimLike) -> list[str]:
        return [name for name in sorted(dim_symbols(index)) if name in self.free]

    # -- axes ------------------------------------------------------------------------------------------------------

    def _join(self) -> None:
        """Joins the loops that run over one axis, and fixes those for which an axis has no size."""
        before = None
        while before != len(self.free):
            before, self._roots = len(self.free), {}
            for buffer, axis in self._axes:
                self._fix(self._misfits(buffer, axis))

    def _misfits(self, buffer: str, axis: int) -> list[str]:
        """The loops that cannot be open because of an axis; joins those that can."""
        indices = self._axes[buffer, axis]
        own = list(dict.fromkeys(var for index in indices for var in self._free_of(index)))
        if not own:
            return []
        sizes: set[tuple[DimLike, DimLike]] = set()
        for index in indices:
            vars = self._free_of(index)
            factor = coefficient(index, vars[0]) if vars else None
            if len(vars) > 1 or (vars and (factor is None or factor <= 0)):
                return own
            if vars and factor is not None:
                sizes.add((self.free[vars[0]].number, factor * self.free[vars[0]].unit))
            elif not isinstance(index, int):  # another loop, up to an end that does not move
                return own
        if len(sizes) > 1 or self._buffers[buffer].local:
            return own
        for var in own[1:]:
            if (root := self.root(var)) != (first := self.root(own[0])):
                self._roots[root] = first
        return []

    def _moving(self, buffer: str, axis: int) -> tuple[DimLike, str]:
        """An index of an axis that moves with an open loop, and the loop's variable."""
        for index in self._axes.get((buffer, axis), ()):
            for var in self._free_of(index):
                return index, var
        return 0, ""


def _free(loop: ir.For, dims: frozenset[str]) -> OpenLoop | None:
    """``loop`` as one that may be open: from 0 to a size that is not a dim already."""
    stop = loop.stop
    if loop.start != 0 or loop.kind == "unrolled" or not dim_symbols(stop) <= dims:
        return None
    if isinstance(stop, Dim) and str(stop) in dims:
        return None
    number = stop // loop.step
    return OpenLoop(loop, number, loop.step) if number * loop.step == stop else OpenLoop(loop, stop, 1)


def _other_uses(body: Sequence[ir.Stmt]) -> Iterator[frozenset[str]]:
    """The names in all sizes that are neither bounds of loops nor indices nor counts."""
    for statement in statements_of(body):
        match statement:
            case ir.If():
                yield from map(dim_symbols, statement.conditions)
            case ir.Declare() | ir.Assign() | ir.Store() | ir.LetIndex():
                if isinstance(statement, ir.Store):
                    yield from map(dim_symbols, statement.guards)
                elif isinstance(statement, ir.LetIndex):
                    yield dim_symbols(statement.low) | dim_symbols(statement.high)
                for node in postorder(statement.value):
                    if isinstance(node, ir.Load):
                        yield from map(dim_symbols, (*node.guards, node.stride))
                    elif isinstance(node, ir.IndexValue):
                        yield dim_symbols(node.index)
            case _:
                pass
