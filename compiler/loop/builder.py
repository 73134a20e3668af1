"""Builds loop IR with context managers, so that structure in Python is structure in the IR.

    b = Builder("axpy", dims={"N": 1})
    x = b.buffer("x", "float32", (dim("N"),)); y = b.buffer("y", "float32", (dim("N"),), "readwrite")
    with b.loop("i", 0, dim("N"), step=16) as i:
        b.store(y, (i,), b.fma(a, b.load(x, (i,), lanes=16, count=N - i), …), count=N - i)
    function = b.finish()

Arithmetic helpers check types, fold constants, and are named like the primitives they implement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Literal

from netwright.specs.dims import Dim, DimLike, Shape, dim

from . import ir
from .expressions import operands_of, postorder, shared_nodes, with_operands
from .ir import Expr, Index, ValueType


class Builder:
    """Collects the statements of one function."""

    def __init__(self, name: str, dims: Mapping[str, int]):
        self.name = name
        self._dims = tuple(dims.items())
        self._buffers: dict[str, ir.Buffer] = {}
        self._stack: list[list[ir.Stmt]] = [[]]
        self._counts: dict[str, int] = {}
        self._taken = set(dims)
        #: The least and greatest value of each loop variable whose loop has fixed bounds.
        self.ranges: dict[str, tuple[int, int]] = {}

    # -- structure ----------------------------------------------------------------------------------------------

    def fresh(self, stem: str) -> str:
        """A name not used before in this function, nor by its dims."""
        name = stem
        while name in self._taken:
            self._counts[stem] = self._counts.get(stem, 0) + 1
            name = f"{stem}_{self._counts[stem]}"
        self._taken.add(name)
        return name

    def buffer(
        self,
        name: str,
        dtype: str,
        shape: Shape,
        access: Literal["read", "write", "readwrite"] = "read",
        local: bool = False,
    ) -> ir.Buffer:
        if name in self._buffers:
            raise ValueError(f"buffer {name!r} exists")
        self._buffers[name] = ir.Buffer(name, dtype, tuple(shape), access, local)
        return self._buffers[name]

    def set_access(self, buffer: ir.Buffer, access: Literal["read", "write", "readwrite"]) -> ir.Buffer:
        """Replaces the declaration of ``buffer`` by one with another access, and returns it."""
        self._buffers[buffer.name] = replace(buffer, access=access)
        return self._buffers[buffer.name]

    def emit(self, statement: ir.Stmt) -> None:
        if isinstance(statement, ir.Declare | ir.Assign | ir.Store | ir.LetIndex):
            value = self._with_names(statement.value)
            if value is not statement.value:
                statement = replace(statement, value=value)
        self._stack[-1].append(statement)

    def _with_names(self, expr: Expr) -> Expr:
        """``expr`` as a tree: nodes that are read twice get a name first, so that the text does not grow
        exponentially."""
        shared = shared_nodes(expr)
        if not shared:
            return expr
        made: dict[int, Expr] = {}
        for node in postorder(expr):
            value = with_operands(node, [made[id(operand)] for operand in operands_of(node)])
            if id(node) in shared:
                name = self.fresh("x")
                self._stack[-1].append(ir.Declare(name, value))
                value = ir.Read(name, value.type)
            made[id(node)] = value
        return made[id(expr)]

    @contextmanager
    def loop(
        self,
        stem: str,
        start: Index,
        stop: Index,
        step: int = 1,
        kind: Literal["serial", "parallel", "unrolled"] = "serial",
    ) -> Iterator[Dim]:
        """A for loop; yields its variable as an index."""
        var = self.fresh(stem)
        if isinstance(start, int) and isinstance(stop, int):
            self.ranges[var] = (start, start + max(0, stop - 1 - start) // step * step)
        self._stack.append([])
        yield dim(var)
        body = tuple(self._stack.pop())
        if body:
            self.emit(ir.For(var, start, stop, body, step, kind))

    @contextmanager
    def nest(
        self, shape: Shape, lanes: int = 1, kind: Literal["serial", "parallel"] = "serial"
    ) -> Iterator[tuple[tuple[Index, ...], int, Index | None]]:
        """Loops over all of ``shape``, ``lanes`` elements of the last axis at a time; ``kind`` is the outermost
        loop's.

        Yields the index, the number of lanes (1 if there is no axis) and how many of them exist (None: all).
        """
        with ExitStack() as stack:
            index: list[Index] = []
            for axis, size in enumerate(shape):
                step = lanes if axis == len(shape) - 1 else 1
                index.append(stack.enter_context(self.loop("i", 0, size, step, "serial" if index else kind)))
            if not index:
                if kind == "parallel":  # nothing to divide: one thread runs it
                    stack.enter_context(self.loop("i", 0, 1, kind=kind))
                yield (), 1, None
                return
            size = shape[-1]
            whole = lanes == 1 or (isinstance(size, int) and size % lanes == 0)
            yield tuple(index), lanes, None if whole else size - index[-1]

    @contextmanager
    def when(self, *conditions: Index) -> Iterator[None]:
        """Runs the body if every condition is ≥ 0. No code checks conditions that are constant."""
        self._stack.append([])
        yield
        body = tuple(self._stack.pop())
        left = tuple(c for c in conditions if not isinstance(c, int))
        if any(isinstance(c, int) and c < 0 for c in conditions):
            return
        if not left:
            for statement in body:
                self.emit(statement)
        elif body:
            self.emit(ir.If(left, body))

    @contextmanager
    def otherwise(self) -> Iterator[None]:
        """Runs the body if the condition of the ``when`` just before does not hold; it must be a single one."""
        before = self._stack[-1].pop()
        assert isinstance(before, ir.If)
        assert len(before.conditions) == 1
        self._stack.append([])
        yield
        orelse = tuple(self._stack.pop())
        self.emit(ir.If(before.conditions, before.body, orelse))

    @property
    def last(self) -> ir.Stmt | None:
        """The last statement of the present body."""
        return self._stack[-1][-1] if self._stack[-1] else None

    def replace_last(self, statement: ir.Stmt) -> None:
        """Puts ``statement`` in place of the last one of the present body."""
        self._stack[-1][-1] = statement

    def finish(self) -> ir.Function:
        (body,) = self._stack
        return ir.Function(self.name, self._dims, tuple(self._buffers.values()), tuple(body))

    # -- memory and registers -----------------------------------------------------------------------------------

    def load(
        self,
        buffer: ir.Buffer,
        indices: Sequence[Index],
        lanes: int = 1,
        count: Index | None = None,
        guards: Sequence[Index] = (),
        other: float | int | bool = 0,
        stride: Index = 1,
    ) -> Expr:
        if isinstance(count, int) and count >= lanes:
            count = None
        guards = tuple(g for g in guards if not (isinstance(g, int) and g >= 0))
        type = ValueType(buffer.dtype, lanes)
        if any(isinstance(g, int) for g in guards):
            return ir.Const(other, type)
        return ir.Load(buffer.name, tuple(indices), type, count, guards, other, stride)

    def store(
        self,
        buffer: ir.Buffer,
        indices: Sequence[Index],
        value: Expr,
        count: Index | None = None,
        guards: Sequence[Index] = (),
    ) -> None:
        if isinstance(count, int) and count >= value.type.lanes:
            count = None
        guards = tuple(g for g in guards if not (isinstance(g, int) and g >= 0))
        if any(isinstance(g, int) for g in guards):
            return
        self.emit(ir.Store(buffer.name, tuple(indices), value, count, guards))

    def prefetch(self, buffer: ir.Buffer, indices: Sequence[Index]) -> None:
        self.emit(ir.Prefetch(buffer.name, tuple(indices)))

    def let(self, stem: str, value: Expr) -> Expr:
        """Names a value, so that it is computed once; constants and names are returned as they are."""
        if isinstance(value, ir.Const | ir.Read):
            return value
        return self.register(stem, value)

    def register(self, stem: str, value: Expr) -> ir.Read:
        """Declares a mutable register with its first value."""
        name = self.fresh(stem)
        self.emit(ir.Declare(name, value))
        return ir.Read(name, value.type)

    def assign(self, register: ir.Read, value: Expr) -> None:
        if value.type != register.type:
            raise TypeError(f"register {register.name} holds {register.type}, not {value.type}")
        self.emit(ir.Assign(register.name, value))

    def let_index(self, stem: str, value: Expr, low: Index, high: Index, error: int) -> Dim:
        """An index from data, checked: the function returns ``error`` unless low ≤ value < high."""
        name = self.fresh(stem)
        self.emit(ir.LetIndex(name, self.cast(value, "int64"), low, high, error))
        return dim(name)

    def call(
        self,
        function: str,
        buffers: Sequence[ir.Slice],
        dims: Sequence[DimLike],
        info: ir.CallInfo | None = None,
    ) -> None:
        self.emit(ir.Call(function, tuple(buffers), tuple(dims), info or ir.CallInfo()))

    def barrier(self) -> None:
        self.emit(ir.Barrier())

    # -- values -------------------------------------------------------------------------------------------------

    def const(self, value: float | int | bool, dtype: str, lanes: int = 1) -> Expr:
        return ir.Const(value, ValueType(dtype, lanes))

    def like(self, value: float | int | bool, x: Expr) -> Expr:
        """The constant ``value`` in the type of ``x``."""
        return ir.Const(value, x.type)

    def index_value(self, index: Index, dtype: str, lanes: int = 1) -> Expr:
        type = ValueType(dtype, lanes)
        return ir.Const(index, type) if isinstance(index, int) else ir.IndexValue(index, type)

    def ramp(self, dtype: str, lanes: int) -> Expr:
        return ir.Const(0, ValueType(dtype)) if lanes == 1 else ir.Ramp(ValueType(dtype, lanes))

    def broadcast(self, x: Expr, lanes: int) -> Expr:
        if x.type.lanes == lanes:
            return x
        if x.type.lanes != 1:
            raise TypeError(f"cannot broadcast {x.type} to {lanes} lanes")
        type = ValueType(x.type.dtype, lanes)
        return ir.Const(x.value, type) if isinstance(x, ir.Const) else ir.Broadcast(x, type)

    def cast(self, x: Expr, dtype: str) -> Expr:
        return x if x.type.dtype == dtype else ir.Cast(x, ValueType(dtype, x.type.lanes))

    def bitcast(self, x: Expr, dtype: str) -> Expr:
        return x if x.type.dtype == dtype else ir.Bitcast(x, ValueType(dtype, x.type.lanes))

    def reduce_lanes(self, op: str, x: Expr) -> Expr:
        return x if x.type.lanes == 1 else ir.ReduceLanes(op, x, ValueType(x.type.dtype))

    def shuffle(self, a: Expr, b: Expr, lanes: Sequence[int]) -> Expr:
        """The vector of the given lanes, which are numbered through ``a`` and then ``b``."""
        self._same(a, b)
        return ir.Shuffle(tuple(lanes), a, b, ValueType(a.type.dtype, len(lanes)))

    def fma(self, a: Expr, b: Expr, c: Expr) -> Expr:
        self._same(a, b)
        self._same(a, c)
        return ir.Fma(a, b, c, a.type)

    def dot4(self, a: Expr, b: Expr, c: Expr) -> Expr:
        """``c`` plus the sums of four products each of bytes of ``a`` and ``b``."""
        return ir.Dot4(a, b, c, c.type)

    def select(self, condition: Expr, a: Expr, b: Expr) -> Expr:
        self._same(a, b)
        if isinstance(condition, ir.Const):
            return a if condition.value else b
        return ir.Select(condition, a, b, a.type)

    def _same(self, a: Expr, b: Expr) -> None:
        if a.type != b.type:
            raise TypeError(f"operands of {a.type} and {b.type}")

    def _unary(self, op: str, x: Expr) -> Expr:
        return ir.Unary(op, x, x.type)

    def _binary(self, op: str, a: Expr, b: Expr) -> Expr:
        self._same(a, b)
        return ir.Binary(op, a, b, a.type)

    def _compare(self, op: str, a: Expr, b: Expr) -> Expr:
        self._same(a, b)
        return ir.Compare(op, a, b, ValueType("bool", a.type.lanes))

    def neg(self, x: Expr) -> Expr:
        return self._unary("neg", x)

    def abs(self, x: Expr) -> Expr:
        return self._unary("abs", x)

    def sqrt(self, x: Expr) -> Expr:
        return self._unary("sqrt", x)

    def floor(self, x: Expr) -> Expr:
        return self._unary("floor", x)

    def sin_far(self, x: Expr, quadrants: int = 0) -> Expr:
        """sin x where |x| is beyond ``ir.FAR``, else 0; the same of cos x if ``quadrants`` is 1."""
        return self._unary("cos_far" if quadrants else "sin_far", x)

    def round(self, x: Expr) -> Expr:
        return self._unary("round", x)

    def logical_not(self, x: Expr) -> Expr:
        return self._unary("not", x)

    def add(self, a: Expr, b: Expr) -> Expr:
        return self._binary("add", a, b)

    def sub(self, a: Expr, b: Expr) -> Expr:
        return self._binary("sub", a, b)

    def mul(self, a: Expr, b: Expr) -> Expr:
        return self._binary("mul", a, b)

    def div(self, a: Expr, b: Expr) -> Expr:
        return self._binary("div", a, b)

    def rem(self, a: Expr, b: Expr) -> Expr:
        return self._binary("rem", a, b)

    def max(self, a: Expr, b: Expr) -> Expr:
        return self._binary("max", a, b)

    def min(self, a: Expr, b: Expr) -> Expr:
        return self._binary("min", a, b)

    def bit_and(self, a: Expr, b: Expr) -> Expr:
        return self._binary("and", a, b)

    def bit_or(self, a: Expr, b: Expr) -> Expr:
        return self._binary("or", a, b)

    def bit_xor(self, a: Expr, b: Expr) -> Expr:
        return self._binary("xor", a, b)

    def shl(self, a: Expr, b: Expr) -> Expr:
        return self._binary("shl", a, b)

    def shr(self, a: Expr, b: Expr) -> Expr:
        return self._binary("shr", a, b)

    logical_and, logical_or = bit_and, bit_or

    def eq(self, a: Expr, b: Expr) -> Expr:
        return self._compare("eq", a, b)

    def ne(self, a: Expr, b: Expr) -> Expr:
        return self._compare("ne", a, b)

    def lt(self, a: Expr, b: Expr) -> Expr:
        return self._compare("lt", a, b)

    def le(self, a: Expr, b: Expr) -> Expr:
        return self._compare("le", a, b)

    def gt(self, a: Expr, b: Expr) -> Expr:
        return self._compare("gt", a, b)

    def ge(self, a: Expr, b: Expr) -> Expr:
        return self._compare("ge", a, b)
