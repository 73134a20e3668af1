"""Checks one function: names, types, access rights, and that every access is in bounds for all admitted dims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import numpy as np

from netwright.specs.dims import DimLike, dim, dim_symbols, product

from .. import ir
from ..expressions import operands_of, postorder
from ..typing import VerifyError, check_const, check_dtype, check_expr, check_name
from .calls import check_call
from .context import Context
from .divided import check_divide
from .partition import Partition

LARGEST_LOCAL_BYTES = 1 << 20


class FunctionChecker:
    """Walks through a function statement by statement, with what is in scope at each."""

    def __init__(self, function: ir.Function, functions: Mapping[str, ir.Function]):
        self.functions = functions
        self.context = Context.of(function)
        self.prover = self.context.prover
        self.registers: dict[str, tuple[ir.ValueType, int]] = {}  # with the number of scopes around each
        self.nest: ir.Stmt | None = None  # the only statement in the innermost parallel loop
        self.shared = 0  # how many register scopes are outside of the parallel loop
        self.checked: dict[int, ir.Expr] = {}  # shared expressions are checked once per scope, by id
        self.accessed: set[object] = set()  # equal accesses, too, and equal indices of axes
        # What each scope adds: checked expressions, accesses, and registers.
        self.added: list[tuple[list[int], list[object], list[str]]] = [([], [], [])]

    def run(self) -> None:
        function = self.context.function
        names = [name for name, _ in function.dims]
        for name in (function.name, *names, *self.context.buffers):
            check_name(name)
        if len(set(names)) != len(names) or len(self.context.buffers) != len(function.buffers):
            raise VerifyError("a dim or buffer is declared twice")
        for buffer in function.buffers:
            check_dtype(buffer.dtype)
            for extent in buffer.shape:
                self.context.sizes(f"the shape of {buffer.name}", extent)
                self.context.prove(extent, f"the shape of {buffer.name}")
            if buffer.local:
                elements = product(buffer.shape)
                if not isinstance(elements, int):
                    raise VerifyError(f"local buffer {buffer.name} has no static size")
                if elements * np.dtype(buffer.dtype).itemsize > LARGEST_LOCAL_BYTES:
                    raise VerifyError(
                        f"local buffer {buffer.name} is larger than {LARGEST_LOCAL_BYTES} bytes"
                    )
        self._body(function.body)

    # -- scopes -------------------------------------------------------------------------------------------------

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self.added.append(([], [], []))
        with self.prover.scope():
            yield
        nodes, accesses, registers = self.added.pop()
        for node in nodes:
            del self.checked[node]
        self.accessed.difference_update(accesses)
        for name in registers:
            del self.registers[name]

    # -- statements ---------------------------------------------------------------------------------------------

    def _body(self, body: Iterable[ir.Stmt]) -> None:
        with self._scope():
            for statement in body:
                self._statement(statement)

    def _statement(self, statement: ir.Stmt) -> None:
        match statement:
            case ir.Declare(name, value):
                if name in self.registers:
                    raise VerifyError(f"register {name} is declared twice")
                check_name(name)
                self.registers[name] = self._expr(value), len(self.added)
                self.added[-1][2].append(name)
            case ir.Assign(name, value):
                self._assign(name, self._expr(value))
            case ir.Store():
                buffer = self.context.buffer(statement.buffer, reads=False, writes=True)
                type = self._expr(statement.value)
                if type.dtype != buffer.dtype:
                    raise VerifyError(f"store of {type} to {buffer.name}, which is {buffer.dtype}")
                self._access(f"store to {buffer.name}", buffer, statement, type.lanes, 1)
            case ir.Prefetch(buffer, indices):
                self.context.buffer(buffer, reads=True, writes=False)
                self.context.sizes(f"the indices of a prefetch of {buffer}", *indices)
            case ir.LetIndex(name, value, low, high, error):
                self.context.sizes(f"the range of {name}", low, high)
                if self._expr(value) != ir.ValueType("int64"):
                    raise VerifyError(f"{name} is not an int64 scalar")
                if error == 0:
                    raise VerifyError(f"{name}: 0 is not an error code")
                self._declare(name)
                self.prover.variable(name, low, high - 1)
            case ir.For():
                self._loop(statement)
            case ir.If(conditions, body, orelse):
                self.context.sizes("a condition", *conditions)
                with self.prover.scope():
                    for condition in conditions:
                        self.prover.assume(condition)
                    self._body(body)
                with self.prover.scope():
                    if len(conditions) == 1:
                        self.prover.assume(-1 - conditions[0])
                    self._body(orelse)
            case ir.Call():
                check_call(self.context, statement, self.functions)
            case ir.Divide():
                self._body(statement.body)
                function = self.context.function
                shapes = {buffer.name: buffer.shape for buffer in function.buffers}
                check_divide(statement, function.dims, shapes, self.functions)
            case ir.Barrier():
                if self.context.partition is not None:
                    raise VerifyError("a barrier inside a parallel loop")

    def _assign(self, name: str, type: ir.ValueType) -> None:
        if name not in self.registers:
            raise VerifyError(f"register {name} is not declared")
        declared, depth = self.registers[name]
        if declared != type:
            raise VerifyError(f"register {name} holds {declared}, not {type}")
        if self.context.partition is not None and depth <= self.shared:
            raise VerifyError(f"register {name} is shared by the iterations of a parallel loop")

    def _declare(self, name: str) -> None:
        check_name(name)
        if self.prover.declared(name):
            raise VerifyError(f"{name} is declared twice")

    def _loop(self, loop: ir.For) -> None:
        what = f"loop over {loop.var}"
        self.context.sizes(what, loop.start, loop.stop)
        self._declare(loop.var)
        if loop.step < 1:
            raise VerifyError(f"{what}: its step is {loop.step}")
        if loop.kind == "unrolled" and not (isinstance(loop.start, int) and isinstance(loop.stop, int)):
            raise VerifyError(f"{what}: it is unrolled, but its bounds are not constant")
        if isinstance(loop.start, int) and isinstance(loop.stop, int) and loop.start >= loop.stop:
            return
        outside = self.context.partition
        with self._scope():
            # After n steps, var = start + n·step and n ≤ (stop - 1 - start) // step.
            steps = (loop.stop - 1 - loop.start) // loop.step
            self.prover.variable(loop.var, loop.start, loop.start + loop.step * steps)
            self.prover.assume(loop.stop - 1 - dim(loop.var))
            self.prover.assume(loop.stop - 1 - loop.start)
            if loop.kind == "parallel":
                self.context.partition = self._partition(loop, outside)
                self.nest = loop.body[0] if len(loop.body) == 1 else None
                self.shared = len(self.added)
            self._body(loop.body)
        if self.context.partition is not outside:
            assert self.context.partition is not None
            if not self.prover.proves(loop.start + loop.step - loop.stop):  # more than one iteration
                self.context.partition.check()
            self.context.partition = outside

    def _partition(self, loop: ir.For, outside: Partition | None) -> Partition:
        """The partition that collects the accesses of a parallel loop.

        In a nest, the iterations of each loop must be disjoint for any fixed iteration of the loops around it.
        """
        dims = frozenset(name for name, _ in self.context.function.dims)
        if outside is None:
            return Partition(loop.var, loop.step, dims)
        if self.nest is not loop:
            raise VerifyError(
                f"loop over {loop.var}: a parallel loop inside another, of which it is not all the body"
            )
        if not dim_symbols(loop.start) | dim_symbols(loop.stop) <= dims:
            raise VerifyError(
                f"loop over {loop.var}: a parallel loop inside another, on which its bounds depend"
            )
        return Partition(loop.var, loop.step, outside.dims | {outside.var}, outside)

    # -- accesses -----------------------------------------------------------------------------------------------

    def _access(
        self, what: str, buffer: ir.Buffer, access: ir.Load | ir.Store, lanes: int, stride: DimLike
    ) -> None:
        """Checks an access, once per scope: what is known there holds in all that the scope contains."""
        partition = None if buffer.local else self.context.partition
        key = (
            partition and partition.var,
            buffer.name,
            access.indices,
            lanes,
            stride,
            access.count,
            access.guards,
        )
        if key in self.accessed:
            if partition is not None and isinstance(access, ir.Store):
                partition.write(buffer.name)
            return
        self._check_access(what, buffer, access, lanes, stride, partition)
        self._remember(key)

    def _remember(self, key: object) -> None:
        self.accessed.add(key)
        self.added[-1][1].append(key)

    def _check_access(
        self,
        what: str,
        buffer: ir.Buffer,
        access: ir.Load | ir.Store,
        lanes: int,
        stride: DimLike,
        partition: Partition | None,
    ) -> None:
        self.context.sizes(what, *access.indices, access.count, stride, *access.guards)
        if len(access.indices) != len(buffer.shape):
            raise VerifyError(f"{what}: {len(access.indices)} indices for {len(buffer.shape)} axes")
        if lanes > 1 and not buffer.shape:
            raise VerifyError(f"{what}: a vector of a buffer without axes")
        conditions = access.guards if access.count is None else (*access.guards, access.count - 1)
        # Without conditions of its own, an access adds no facts, and its proofs are kept for the next one.
        with self.prover.scope() if conditions else nullcontext():
            for condition in conditions:
                self.prover.assume(condition)
            last = len(buffer.shape) - 1
            for axis, (index, size) in enumerate(zip(access.indices, buffer.shape, strict=True)):
                vector = (lanes, stride, access.count) if axis == last and lanes > 1 else None
                if (key := (index, size, vector)) in self.accessed:
                    continue
                for alternatives in self._goals(index, size, access, lanes, stride, vector is not None):
                    if not self.context.proves_one(alternatives):
                        where = f"{what}, axis {axis} (index {index}, size {size})"
                        where += ": stride" if alternatives == (stride,) else ""
                        raise VerifyError(f"{where}: cannot show that {alternatives[-1]} ≥ 0")
                if not conditions:
                    self._remember(key)
            if partition is not None:
                reaches = [(lanes - 1) * stride]
                if access.count is not None:
                    reaches.append((access.count - 1) * stride)
                writes = isinstance(access, ir.Store)
                partition.access(self.prover, buffer.name, buffer.shape, access.indices, writes, reaches)

    def _goals(
        self,
        index: DimLike,
        size: DimLike,
        access: ir.Load | ir.Store,
        lanes: int,
        stride: DimLike,
        vector: bool,
    ) -> list[tuple[DimLike, ...]]:
        """What has to be proved of an index into an axis of ``size``: of each tuple, that one element is ≥ 0."""
        room = size - 1 - index
        if not vector:
            return [(index,), (room,)]
        if self.prover.proves(-stride):
            return [(room,), (index + (lanes - 1) * stride,)]
        whole = room - (lanes - 1) * stride
        ends = (whole,) if access.count is None else (room - (access.count - 1) * stride, whole)
        return [(index,), (stride,), ends]

    # -- expressions --------------------------------------------------------------------------------------------

    def _expr(self, expr: ir.Expr) -> ir.ValueType:
        """Checks an expression: each node once, operands first."""
        for node in postorder(expr):
            if id(node) not in self.checked:
                self._node(node)
                self.checked[id(node)] = node
                self.added[-1][0].append(id(node))
        return expr.type

    def _node(self, expr: ir.Expr) -> None:
        match expr:
            case ir.Read(name, type):
                if name not in self.registers:
                    raise VerifyError(f"register {name} is not declared")
                declared, _ = self.registers[name]
                if declared != type:
                    raise VerifyError(f"register {name} holds {declared}, not {type}")
            case ir.Load():
                buffer = self.context.buffer(expr.buffer, reads=True, writes=False)
                if expr.type.dtype != buffer.dtype:
                    raise VerifyError(f"load of {expr.type} from {buffer.name}, which is {buffer.dtype}")
                check_const(expr.other, expr.type)
                self._access(f"load of {buffer.name}", buffer, expr, expr.type.lanes, expr.stride)
            case ir.IndexValue(index, _):
                self.context.sizes("an index value", index)
                check_expr(expr, ())
            case _:
                check_expr(expr, tuple(operand.type for operand in operands_of(expr)))
