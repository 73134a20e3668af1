"""Draws loop IR: functions that read and write small buffers with indices that may or may not be in bounds."""

from __future__ import annotations

from hypothesis import strategies as st

from netwright.compiler.loop import ir
from netwright.compiler.loop.builder import Builder
from netwright.compiler.loop.ir import Expr, ValueType
from netwright.specs.dims import Dim, DimLike, dim, dim_max, dim_min

N, T = dim("N"), dim("T")
SHAPES: tuple[tuple[DimLike, ...], ...] = ((N, 8), (T, N), (2 * N + 1,), (N * T,), (T + 2, 3, N))
STOPS: tuple[DimLike, ...] = (N, T, N - 1, T + 1, 4 * (N // 4), (N + 3) // 4, dim_min(N, T), 3, N * T)


@st.composite
def sizes(draw: st.DrawFn, names: list[Dim]) -> DimLike:
    """A size over ``names`` as kernels use them: a variable or two, an offset, now and then a quotient."""
    value: DimLike = draw(st.sampled_from([0, 0, 1, 2, -1]))
    for name in draw(st.lists(st.sampled_from(names), max_size=2)) if names else ():
        value = value + draw(st.sampled_from([1, 1, 1, 2, -1, 4])) * name
    kind = draw(st.integers(0, 9))
    if kind == 0:
        value = value // 2
    elif kind == 1:
        value = dim_max(value, 0)
    return value


@st.composite
def index(draw: st.DrawFn, size: DimLike, names: list[Dim]) -> DimLike:
    """A size that is likely an index of an axis of ``size``."""
    value = draw(sizes(names))
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return size - 1 - value
    if kind == 1:
        return dim_min(dim_max(value, 0), size - 1)
    return value


class Drawer:
    """Draws the body of one function through a builder."""

    def __init__(self, draw: st.DrawFn):
        self.draw = draw
        self.b = Builder("drawn", {"N": 1, "T": draw(st.integers(0, 2))})
        self.buffers = [
            self.b.buffer(f"x{i}", dtype, draw(st.sampled_from(SHAPES)), "readwrite")
            for i, dtype in enumerate(("float32", "float64", "int32"))
        ]
        self.names: list[Dim] = [N, T]

    def choose(self, *options: int) -> int:
        return self.draw(st.sampled_from(options))

    def body(self, depth: int) -> None:
        for _ in range(self.choose(1, 1, 2)):
            kind = self.choose(0, 1, 2, 3) if depth else 3
            if kind < 2:
                stop = self.draw(st.sampled_from(STOPS))
                with self.b.loop("i", 0, stop, step=self.choose(1, 1, 2, 4)) as i:
                    self.names.append(i)
                    self.body(depth - 1)
                    self.names.pop()
            elif kind == 2:
                with self.b.when(self.draw(sizes(self.names))):
                    self.body(depth - 1)
            else:
                self.store()

    def access(self, buffer: ir.Buffer) -> tuple[list[DimLike], int, DimLike | None, list[DimLike]]:
        indices = [self.draw(index(size, self.names)) for size in buffer.shape]
        lanes = self.choose(1, 1, 4)
        count = buffer.shape[-1] - indices[-1] if lanes > 1 and self.choose(0, 1) else None
        guards = []
        if self.choose(0, 1):  # guards that often make it right
            axis = self.choose(*range(len(indices)))
            guards = [indices[axis], buffer.shape[axis] - lanes - indices[axis]]
        return indices, lanes, count, guards

    def store(self) -> None:
        buffer = self.draw(st.sampled_from(self.buffers))
        indices, lanes, count, guards = self.access(buffer)
        value = self.value(ValueType(buffer.dtype, lanes), 2)
        if self.choose(0, 1):
            value = self.b.let("v", value)
        self.b.store(buffer, indices, value, count, guards)

    def value(self, type: ValueType, depth: int) -> Expr:
        b = self.b
        kind = self.choose(*range(9)) if depth else self.choose(0, 1, 2)
        if kind == 0:
            number = st.integers(-9, 9) if type.dtype == "int32" else st.floats()
            return b.const(self.draw(number), type.dtype, type.lanes)
        if kind == 1:
            return b.index_value(self.draw(sizes(self.names)), type.dtype, type.lanes)
        if kind == 2:
            buffer = next(buffer for buffer in self.buffers if buffer.dtype == type.dtype)
            indices, _, count, guards = self.access(buffer)
            stride = self.draw(st.sampled_from([1, 1, 2, -1, N]))
            return b.load(buffer, indices, type.lanes, count, guards, self.choose(0, 7), stride)
        x = self.value(type, depth - 1)
        if kind == 3:
            return b.neg(x)
        if kind == 4:
            return b.select(b.lt(x, self.value(type, 0)), x, b.like(3, x))
        if kind == 5:
            return b.cast(b.cast(x, "float64"), type.dtype)
        if kind == 6 and type.lanes > 1:
            return b.broadcast(b.reduce_lanes("max", x), type.lanes)
        if kind == 7 and type.lanes > 1:
            lanes = st.integers(0, 2 * type.lanes - 1)
            order = self.draw(st.lists(lanes, min_size=type.lanes, max_size=type.lanes))
            return b.shuffle(x, self.value(type, 0), order)
        return b.add(x, self.value(type, 0))


@st.composite
def functions(draw: st.DrawFn) -> ir.Function:
    """A function over dims N and T; its accesses need not be in bounds."""
    drawer = Drawer(draw)
    drawer.body(3)
    return drawer.b.finish()
