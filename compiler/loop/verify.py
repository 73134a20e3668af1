"""Checks loop IR: names, types, access rights, calls, and that every access is in bounds for all admitted dims.

Indices are sizes, so bounds are proved symbolically, axis by axis (see ``prover``); what cannot be proved is an
error, which says what could not be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from netwright.specs.dims import DimLike, dim, dim_symbols, product, substitute

from . import ir
from .partition import Partition
from .prover import Prover
from .typing import VerifyError, check_const, check_dtype, check_expr

LARGEST_LOCAL_BYTES = 1 << 20


def verify_program(program: ir.Program) -> None:
    """Checks a program's kernels and entries. Raises VerifyError."""
    for name, kernel in program.kernels.items():
        if name != kernel.name:
            raise VerifyError(f"kernel {kernel.name} is listed as {name}")
        verify_function(kernel, program.kernels)
    table = {buffer.name: buffer for buffer in program.table}
    if len(table) != len(program.table):
        raise VerifyError("two buffers of the table have one name")
    for name, entry in program.entries.items():
        if name != entry.name:
            raise VerifyError(f"entry {entry.name} is listed as {name}")
        _verify_entry(program, entry, table)


def _verify_entry(program: ir.Program, entry: ir.Entry, table: Mapping[str, ir.Buffer]) -> None:
    where = f"entry {entry.name}"
    function = entry.function
    if function.dims != program.dims:
        raise VerifyError(f"{where}: its dims are not the program's")
    arena = {slot.name: slot for slot in entry.arena}
    if len(arena) != len(entry.arena):
        raise VerifyError(f"{where}: two arena buffers have one name")
    for buffer in function.buffers:
        if buffer.name in arena:
            prover = Prover(function.dims)
            nbytes = product(buffer.shape) * np.dtype(buffer.dtype).itemsize
            if not prover.proves(arena[buffer.name].nbytes - nbytes):
                raise VerifyError(
                    f"{where}: {arena[buffer.name].nbytes} bytes may be too few for {buffer.name}"
                )
        elif buffer.name not in table:
            raise VerifyError(f"{where}: {buffer.name} is neither in the table nor in the arena")
        elif (table[buffer.name].dtype, table[buffer.name].shape) != (buffer.dtype, buffer.shape):
            raise VerifyError(f"{where}: {buffer.name} differs from the table's")
    for statement in _statements(function.body):
        if not isinstance(statement, ir.For | ir.If | ir.Call | ir.Barrier):
            raise VerifyError(f"{where}: {type(statement).__name__} has no place in an entry")
    verify_function(function, program.kernels)


def _statements(body: Iterable[ir.Stmt]) -> Iterator[ir.Stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, ir.For):
            yield from _statements(statement.body)
        elif isinstance(statement, ir.If):
            yield from _statements(statement.body)
            yield from _statements(statement.orelse)


def verify_function(function: ir.Function, functions: Mapping[str, ir.Function] | None = None) -> None:
    """Checks one function; ``functions`` holds what it calls (they are not checked). Raises VerifyError."""
    try:
        _Verifier(function, functions or {}).run()
    except VerifyError as error:
        raise VerifyError(f"{function.name}: {error}") from None


class _Verifier:
    def __init__(self, function: ir.Function, functions: Mapping[str, ir.Function]):
        self.function = function
        self.functions = functions
        self.prover = Prover(function.dims)
        self.buffers = {buffer.name: buffer for buffer in function.buffers}
        self.registers: list[dict[str, ir.ValueType]] = [{}]
        self.partition: Partition | None = None  # inside a parallel loop
        self.shared = 0  # how many scopes of registers there are outside of it
        self.checked: list[dict[int, ir.Expr]] = [{}]  # shared expressions are checked once a scope

    def run(self) -> None:
        function = self.function
        names = [name for name, _ in function.dims]
        if len(set(names)) != len(names) or len(self.buffers) != len(function.buffers):
            raise VerifyError("a dim or buffer is declared twice")
        for buffer in function.buffers:
            check_dtype(buffer.dtype)
            for extent in buffer.shape:
                self._sizes(f"the shape of {buffer.name}", extent)
                self._prove(extent, f"the shape of {buffer.name}")
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
        self.registers.append({})
        self.checked.append({})
        with self.prover.scope():
            yield
        self.registers.pop()
        self.checked.pop()

    def _sizes(self, what: str, *values: DimLike | None) -> None:
        for value in values:
            if value is not None and not self.prover.known(value):
                unknown = sorted(name for name in dim_symbols(value) if not self.prover.declared(name))
                raise VerifyError(f"{what}: {', '.join(unknown)} is not in scope")

    def _prove(self, value: DimLike, what: str) -> None:
        if not self.prover.proves(value):
            raise VerifyError(f"{what}: cannot show that {value} ≥ 0")

    def _buffer(self, name: str, reads: bool, writes: bool) -> ir.Buffer:
        buffer = self.buffers.get(name)
        if buffer is None:
            raise VerifyError(f"there is no buffer {name}")
        if not buffer.local:
            if writes and buffer.access == "read":
                raise VerifyError(f"{name} is written, but its access is read")
            if reads and buffer.access == "write":
                raise VerifyError(f"{name} is read, but its access is write")
        return buffer

    # -- statements ---------------------------------------------------------------------------------------------

    def _body(self, body: Iterable[ir.Stmt]) -> None:
        with self._scope():
            for statement in body:
                self._statement(statement)

    def _statement(self, statement: ir.Stmt) -> None:
        match statement:
            case ir.Declare(name, value):
                if any(name in scope for scope in self.registers):
                    raise VerifyError(f"register {name} is declared twice")
                self.registers[-1][name] = self._expr(value)
            case ir.Assign(name, value):
                self._assign(name, self._expr(value))
            case ir.Store():
                buffer = self._buffer(statement.buffer, reads=False, writes=True)
                type = self._expr(statement.value)
                if type.dtype != buffer.dtype:
                    raise VerifyError(f"store of {type} to {buffer.name}, which is {buffer.dtype}")
                self._access(f"store to {buffer.name}", buffer, statement, type.lanes, 1)
            case ir.LetIndex(name, value, low, high, error):
                self._sizes(f"the range of {name}", low, high)
                if self._expr(value) != ir.ValueType("int64"):
                    raise VerifyError(f"{name} is not an int64 scalar")
                if error == 0:
                    raise VerifyError(f"{name}: 0 is not an error code")
                self._declare(name)
                self.prover.variable(name, low, high - 1)
            case ir.For():
                self._loop(statement)
            case ir.If(conditions, body, orelse):
                self._sizes("a condition", *conditions)
                with self.prover.scope():
                    for condition in conditions:
                        self.prover.assume(condition)
                    self._body(body)
                with self.prover.scope():
                    if len(conditions) == 1:
                        self.prover.assume(-1 - conditions[0])
                    self._body(orelse)
            case ir.Call():
                self._call(statement)
            case ir.Barrier():
                if self.partition is not None:
                    raise VerifyError("a barrier inside a parallel loop")

    def _assign(self, name: str, type: ir.ValueType) -> None:
        for depth, scope in enumerate(self.registers):
            if name in scope:
                if scope[name] != type:
                    raise VerifyError(f"register {name} holds {scope[name]}, not {type}")
                if self.partition is not None and depth < self.shared:
                    raise VerifyError(f"register {name} is shared by the iterations of a parallel loop")
                return
        raise VerifyError(f"register {name} is not declared")

    def _declare(self, name: str) -> None:
        if self.prover.declared(name):
            raise VerifyError(f"{name} is declared twice")

    def _loop(self, loop: ir.For) -> None:
        what = f"loop over {loop.var}"
        self._sizes(what, loop.start, loop.stop)
        self._declare(loop.var)
        if loop.step < 1:
            raise VerifyError(f"{what}: its step is {loop.step}")
        if loop.kind == "unrolled" and not (isinstance(loop.start, int) and isinstance(loop.stop, int)):
            raise VerifyError(f"{what}: it is unrolled, but its bounds are not constant")
        if isinstance(loop.start, int) and isinstance(loop.stop, int) and loop.start >= loop.stop:
            return
        outside = self.partition
        with self._scope():
            # With n steps done, var = start + n·step and n ≤ (stop - 1 - start) // step.
            steps = (loop.stop - 1 - loop.start) // loop.step
            self.prover.variable(loop.var, loop.start, loop.start + loop.step * steps)
            self.prover.assume(loop.stop - 1 - dim(loop.var))
            self.prover.assume(loop.stop - 1 - loop.start)
            if loop.kind == "parallel":
                if outside is not None:
                    raise VerifyError(f"{what}: a parallel loop inside another")
                self.partition, self.shared = Partition(loop.var, loop.step), len(self.registers)
            self._body(loop.body)
        if self.partition is not outside:
            assert self.partition is not None
            if not self.prover.proves(loop.start + loop.step - loop.stop):  # more than one iteration
                self.partition.check()
            self.partition = outside

    # -- accesses -----------------------------------------------------------------------------------------------

    def _access(
        self, what: str, buffer: ir.Buffer, access: ir.Load | ir.Store, lanes: int, stride: DimLike
    ) -> None:
        self._sizes(what, *access.indices, access.count, stride, *access.guards)
        if len(access.indices) != len(buffer.shape):
            raise VerifyError(f"{what}: {len(access.indices)} indices for {len(buffer.shape)} axes")
        if lanes > 1 and not buffer.shape:
            raise VerifyError(f"{what}: a vector of a buffer without axes")
        with self.prover.scope():
            for guard in access.guards:
                self.prover.assume(guard)
            if access.count is not None:
                self.prover.assume(access.count - 1)
            for axis, (index, size) in enumerate(zip(access.indices, buffer.shape, strict=True)):
                where = f"{what}, axis {axis} (index {index}, size {size})"
                last = axis == len(buffer.shape) - 1
                if last and lanes > 1 and self.prover.proves(-stride):
                    self._prove(size - 1 - index, where)
                    self._prove(index + (lanes - 1) * stride, where)
                    continue
                self._prove(index, where)
                if last and lanes > 1:
                    self._prove(stride, f"{where}: stride")
                    reach = index + (lanes - 1) * stride
                    if access.count is not None and self.prover.proves(
                        size - 1 - index - (access.count - 1) * stride
                    ):
                        continue
                    self._prove(size - 1 - reach, where)
                else:
                    self._prove(size - 1 - index, where)
            if self.partition is not None and not buffer.local:
                reaches = [(lanes - 1) * stride]
                if access.count is not None:
                    reaches.append((access.count - 1) * stride)
                writes = isinstance(access, ir.Store)
                self.partition.access(self.prover, buffer.name, buffer.shape, access.indices, writes, reaches)

    def _call(self, call: ir.Call) -> None:
        what = f"call of {call.function}"
        callee = self.functions.get(call.function)
        if callee is None:
            raise VerifyError(f"{what}: there is no such function")
        if callee.name == self.function.name:
            raise VerifyError(f"{what}: a function that calls itself")
        self._sizes(what, *call.dims)
        if len(call.dims) != len(callee.dims):
            raise VerifyError(f"{what}: {len(call.dims)} dims for {len(callee.dims)}")
        binding = {name: value for (name, _), value in zip(callee.dims, call.dims, strict=True)}
        for (name, least), value in zip(callee.dims, call.dims, strict=True):
            self._prove(value - least, f"{what}: {name} = {value}")
        parameters = [buffer for buffer in callee.buffers if not buffer.local]
        if len(call.buffers) != len(parameters):
            raise VerifyError(f"{what}: {len(call.buffers)} buffers for {len(parameters)}")
        for slice, parameter in zip(call.buffers, parameters, strict=True):
            self._slice(f"{what}, {parameter.name}", slice, parameter, binding)
        for position, (slice, parameter) in enumerate(zip(call.buffers, parameters, strict=True)):
            for other, second in zip(call.buffers[:position], parameters, strict=False):
                if {parameter.access, second.access} != {"read"} and not _disjoint(slice, other):
                    raise VerifyError(f"{what}: {parameter.name} and {second.name} may be the same memory")
        if self.partition is not None and _has_threads(callee, self.functions):
            raise VerifyError(f"{what}: it divides work over threads, inside a parallel loop")

    def _slice(
        self, what: str, slice: ir.Slice, parameter: ir.Buffer, binding: Mapping[str, DimLike]
    ) -> None:
        access = parameter.access
        buffer = self._buffer(slice.buffer, access != "write", access != "read")
        self._sizes(what, *slice.leading, *(slice.shape or ()))
        if buffer.dtype != parameter.dtype:
            raise VerifyError(f"{what}: {slice.buffer} is {buffer.dtype}, not {parameter.dtype}")
        shape = buffer.shape if slice.shape is None else slice.shape
        if product(shape) != product(buffer.shape):
            raise VerifyError(f"{what}: {slice.buffer} has no shape {_shape(shape)}")
        if len(slice.leading) > len(shape):
            raise VerifyError(f"{what}: {len(slice.leading)} indices for {len(shape)} axes")
        for axis, (index, size) in enumerate(zip(slice.leading, shape, strict=False)):
            where = f"{what}: {slice.buffer}, axis {axis} (index {index}, size {size})"
            self._prove(index, where)
            self._prove(size - 1 - index, where)
        given = product(shape[len(slice.leading) :])
        wanted = product(substitute(extent, binding) for extent in parameter.shape)
        if given != wanted:
            raise VerifyError(f"{what}: it wants {wanted} elements and gets {given}")
        if self.partition is not None and not buffer.local:
            self.partition.access(self.prover, buffer.name, shape, slice.leading, access != "read")

    # -- expressions --------------------------------------------------------------------------------------------

    def _expr(self, expr: ir.Expr) -> ir.ValueType:
        if any(id(expr) in scope for scope in self.checked):
            return expr.type
        match expr:
            case ir.Read(name, type):
                declared = next((scope[name] for scope in self.registers if name in scope), None)
                if declared is None:
                    raise VerifyError(f"register {name} is not declared")
                if declared != type:
                    raise VerifyError(f"register {name} holds {declared}, not {type}")
            case ir.Load():
                buffer = self._buffer(expr.buffer, reads=True, writes=False)
                if expr.type.dtype != buffer.dtype:
                    raise VerifyError(f"load of {expr.type} from {buffer.name}, which is {buffer.dtype}")
                check_const(expr.other, expr.type)
                self._access(f"load of {buffer.name}", buffer, expr, expr.type.lanes, expr.stride)
            case ir.IndexValue(index, _):
                self._sizes("an index value", index)
                check_expr(expr, ())
            case _:
                operands = tuple(self._expr(operand) for operand in operands_of(expr))
                check_expr(expr, operands)
        self.checked[-1][id(expr)] = expr
        return expr.type


def operands_of(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """The expressions an expression is made of."""
    match expr:
        case ir.Unary(_, x) | ir.Cast(x) | ir.Bitcast(x) | ir.Broadcast(x) | ir.ReduceLanes(_, x):
            return (x,)
        case ir.Binary(_, a, b) | ir.Compare(_, a, b):
            return a, b
        case ir.Fma(a, b, c) | ir.Select(a, b, c):
            return a, b, c
    return ()


def _disjoint(a: ir.Slice, b: ir.Slice) -> bool:
    """Whether two slices have no element in common: other buffers, or an index that always differs."""
    if a.buffer != b.buffer:
        return True
    if a.shape != b.shape:
        return False
    for left, right in zip(a.leading, b.leading, strict=False):
        difference = left - right
        if isinstance(difference, int):
            if difference:
                return True
            continue
        constant = sum(factor for monomial, factor in difference.terms if not monomial)
        common = np.gcd.reduce([factor for monomial, factor in difference.terms if monomial])
        if constant % common:
            return True
    return False


def _has_threads(function: ir.Function, functions: Mapping[str, ir.Function]) -> bool:
    """Whether a function, or what it calls, divides work over threads or waits for them."""
    for statement in _statements(function.body):
        if isinstance(statement, ir.Barrier) or (
            isinstance(statement, ir.For) and statement.kind == "parallel"
        ):
            return True
        if isinstance(statement, ir.Call) and _has_threads(functions[statement.function], functions):
            return True
    return False


def _shape(shape: Iterable[DimLike]) -> str:
    return f"[{', '.join(map(str, shape))}]"
