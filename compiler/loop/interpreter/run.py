"""Runs loop IR slowly, checking every access: the reference between the graph's interpreter and native code.

Checked are bounds, initialization and, with several threads, races between barriers. Threads are generators that
yield at barriers; between barriers they run one after another.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod
from typing import TypeAlias

import numpy as np

from netwright.specs.dims import Atom, Dim, DimLike, constant_term

from .. import ir
from ..checks.divided import groups_of, most_shares, rows_of
from ..walks import parallel_nest
from .memory import InterpreterError, Memory, View
from .numeric import Lanes, cast
from .tapes import Leaf, Tapes

Sizes: TypeAlias = dict[str, int]
Iterations: TypeAlias = Callable[[ir.For, range], Iterable[int]]
Steps: TypeAlias = Generator[None, None, int]  # yields at barriers, returns the error code


def run_function(
    function: ir.Function,
    buffers: Mapping[str, np.ndarray],
    dims: Mapping[str, int],
    functions: Mapping[str, ir.Function] | None = None,
    nthreads: int = 1,
    iterations: Iterations | None = None,
) -> int:
    """Runs ``function`` on arrays, which it changes in place; returns its error code (0: success).

    ``functions`` holds what it calls; ``iterations`` says which iterations of a loop to run, by default all. Raises
    InterpreterError for an access that is out of bounds, uninitialized or a race.
    """
    memories = {}
    for buffer in function.buffers:
        if not buffer.local:
            array = buffers[buffer.name]
            if array.dtype != buffer.dtype:
                raise InterpreterError(f"{buffer.name} is {buffer.dtype}, not {array.dtype}")
            memories[buffer.name] = Memory.of(array, buffer.access != "write", nthreads > 1)
    return _run(function, memories, dims, functions or {}, nthreads, iterations)


def run_entry(
    program: ir.Program,
    entry: str,
    table: Mapping[str, np.ndarray],
    dims: Mapping[str, int],
    nthreads: int = 1,
) -> int:
    """Runs an entry on the caller-owned arrays of ``table``; every buffer of the arena gets memory of its own."""
    function = program.entries[entry].function
    planned = {buffer.name: buffer for buffer in program.entries[entry].arena}
    sizes = dict(dims)
    memories = {}
    for buffer in function.buffers:
        if buffer.name in planned:
            size = prod(size_of(extent, sizes) for extent in buffer.shape)
            if size_of(planned[buffer.name].nbytes, sizes) < size * np.dtype(buffer.dtype).itemsize:
                raise InterpreterError(f"the arena's slot for {buffer.name} is too small")
            memories[buffer.name] = Memory.uninitialized(buffer.dtype, size, nthreads > 1)
        else:
            memories[buffer.name] = Memory.of(table[buffer.name], buffer.access != "write", nthreads > 1)
    return _run(function, memories, dims, program.kernels, nthreads)


def _run(
    function: ir.Function,
    memories: Mapping[str, Memory],
    dims: Mapping[str, int],
    functions: Mapping[str, ir.Function],
    nthreads: int,
    iterations: Iterations | None = None,
) -> int:
    views = {name: View(name, memory, (memory.elements.size,)) for name, memory in memories.items()}
    values = [dims[name] for name, _ in function.dims]
    parameters = [views[buffer.name] for buffer in function.parameters]
    tapes = Tapes()
    threads = [
        _Thread(functions, tid, nthreads, tid, nthreads, tapes, iterations).call(function, parameters, values)
        for tid in range(nthreads)
    ]
    with np.errstate(all="ignore"):
        while True:
            codes = [_advance(thread) for thread in threads]
            if any(code not in (0, None) for code in codes):
                return next(code for code in codes if code)
            if all(code == 0 for code in codes):
                return 0
            if 0 in codes:
                raise InterpreterError(f"in {function.name}: not every thread arrives at a barrier")
            for memory in memories.values():
                memory.barrier()


def _advance(thread: Steps) -> int | None:
    """Runs a thread to its next barrier (returns None) or to its end (returns its error code)."""
    try:
        next(thread)
    except StopIteration as end:
        return end.value
    return None


@lru_cache(maxsize=65536)
def _compiled(value: Dim) -> Callable[[Sizes], int]:
    """A function that evaluates ``value`` under a binding."""

    def atom(of: Atom) -> Callable[[Sizes], int]:
        if isinstance(of, str):
            return lambda sizes: sizes[of]
        arguments = of.arguments
        if of.function == "floordiv":
            numerator, divisor = arguments
            return lambda sizes: size_of(numerator, sizes) // size_of(divisor, sizes)
        choose = min if of.function == "min" else max
        return lambda sizes: choose(size_of(argument, sizes) for argument in arguments)

    constant = constant_term(value)
    match [
        (monomial, factor) for monomial, factor in value.terms if monomial
    ]:  # nearly all indices are of the first kinds
        case [((str() as name,), 1)]:
            return lambda sizes: sizes[name] + constant
        case [((str() as name,), factor)]:
            return lambda sizes: factor * sizes[name] + constant
        case [((str() as left,), first), ((str() as right,), second)]:
            return lambda sizes: first * sizes[left] + second * sizes[right] + constant
    terms = [(factor, [atom(of) for of in monomial]) for monomial, factor in value.terms]
    return lambda sizes: sum(factor * prod(of(sizes) for of in atoms) for factor, atoms in terms)


def size_of(value: DimLike, sizes: Sizes) -> int:
    """``value`` evaluated under a binding."""
    return value if isinstance(value, int) else _compiled(value)(sizes)


@dataclass
class _Share:
    """The samples along ``dim`` that a thread runs a part of an entry for."""

    dim: str
    first: int
    count: int


@dataclass
class _Frame:
    function: ir.Function
    views: dict[str, View]
    sizes: Sizes
    registers: dict[str, Lanes] = field(default_factory=dict)
    share: _Share | None = None

    def size(self, value: DimLike) -> int:
        return size_of(value, self.sizes)

    def all(self, conditions: Iterable[DimLike]) -> bool:
        return all(self.size(condition) >= 0 for condition in conditions)


@dataclass
class _Thread:
    """A thread, and the part of parallel loops that it runs."""

    functions: Mapping[str, ir.Function]
    tid: int
    nthreads: int
    part: int
    parts: int
    tapes: Tapes
    iterations: Iterations | None = None

    def call(self, function: ir.Function, parameters: list[View], dims: list[int]) -> Steps:
        sizes: Sizes = {}
        for (name, least), value in zip(function.dims, dims, strict=True):
            if value < least:
                raise InterpreterError(f"{function.name}: {name} = {value} is below {least}")
            sizes[name] = value
        views: dict[str, View] = {}
        given = iter(parameters)
        for buffer in function.buffers:
            shape = tuple(size_of(extent, sizes) for extent in buffer.shape)
            if buffer.local:
                memory = Memory.uninitialized(buffer.dtype, prod(shape), False)
                views[buffer.name] = View(buffer.name, memory, shape)
                continue
            view = next(given)
            if prod(view.shape) != prod(shape):
                raise InterpreterError(
                    f"{function.name}: {buffer.name} {list(shape)} gets {list(view.shape)}"
                )
            views[buffer.name] = View(buffer.name, view.memory, shape, view.offset)
        frame = _Frame(function, views, sizes)
        try:
            return (yield from self._body(frame, function.body))
        except InterpreterError as error:
            raise InterpreterError(f"in {function.name}: {error}") from None

    def _body(self, frame: _Frame, body: Iterable[ir.Stmt]) -> Steps:
        for statement in body:
            code = 0
            match statement:
                case ir.Declare(name, value) | ir.Assign(name, value):
                    frame.registers[name] = self._value(frame, value)
                case ir.Store():
                    self._store(frame, statement)
                case ir.LetIndex(name, value, low, high, error):
                    index = int(self._value(frame, value)[0])
                    if not frame.size(low) <= index < frame.size(high):
                        return error
                    frame.sizes[name] = index
                case ir.For():
                    code = yield from self._loop(frame, statement)
                case ir.If(conditions, inside, orelse):
                    code = yield from self._body(frame, inside if frame.all(conditions) else orelse)
                case ir.Call(name, slices, dims):
                    parameters = [self._slice(frame, slice) for slice in slices]
                    values = [size_of(value, self._sizes_of_share(frame)) for value in dims]
                    code = yield from self.call(self.functions[name], parameters, values)
                case ir.Divide():
                    code = yield from self._divide(frame, statement)
                case ir.Barrier():
                    if frame.share is None:
                        yield
            if code:
                return code
        return 0

    def _loop(self, frame: _Frame, loop: ir.For) -> Steps:
        if loop.kind == "parallel":
            return (yield from self._nest(frame, parallel_nest(loop)))
        span = range(frame.size(loop.start), frame.size(loop.stop), loop.step)
        for value in span if self.iterations is None else self.iterations(loop, span):
            frame.sizes[loop.var] = value
            code = yield from self._body(frame, loop.body)
            if code:
                return code
        return 0

    def _nest(self, frame: _Frame, loops: tuple[ir.For, ...]) -> Steps:
        spans = [range(frame.size(loop.start), frame.size(loop.stop), loop.step) for loop in loops]
        count = prod(map(len, spans))
        own = range(count)[count * self.part // self.parts : count * (self.part + 1) // self.parts]
        chosen = spans if self.iterations is None else list(map(self.iterations, loops, spans))
        for iteration in itertools.product(*chosen):
            number = 0
            for value, loop, span in zip(iteration, loops, spans, strict=True):
                number = number * len(span) + (value - span.start) // span.step
                frame.sizes[loop.var] = value
            if number in own:
                code = yield from self._body(frame, loops[-1].body)
                if code:
                    return code
        return 0

    def _divide(self, frame: _Frame, divide: ir.Divide) -> Steps:
        samples = frame.sizes[divide.dim]
        groups = frame.size(groups_of(divide))
        shares = min(self.nthreads, frame.size(most_shares(divide)))
        if shares <= 1:
            return (yield from self._body(frame, divide.body))
        if self.tid >= shares:
            return 0
        first, last = (min(samples, divide.rows * (groups * n // shares)) for n in (self.tid, self.tid + 1))
        frame.share = _Share(divide.dim, first, last - first)
        code = yield from replace(self, part=0, parts=1)._body(frame, divide.body)
        frame.share = None
        return code

    def _sizes_of_share(self, frame: _Frame) -> Sizes:
        return frame.sizes if frame.share is None else {**frame.sizes, frame.share.dim: frame.share.count}

    def _slice(self, frame: _Frame, slice: ir.Slice) -> View:
        view = frame.views[slice.buffer]
        shape = view.shape
        if slice.shape is not None:
            shape = tuple(frame.size(extent) for extent in slice.shape)
            if prod(shape) != prod(view.shape):
                raise InterpreterError(f"{slice.buffer} {list(view.shape)} seen as {list(shape)}")
        offset = 0
        for axis, (index, size) in enumerate(zip(slice.leading, shape, strict=False)):
            value = frame.size(index)
            if not 0 <= value < size:
                raise InterpreterError(f"{slice.buffer}: index {value} on axis {axis} of size {size}")
            offset = offset * size + value
        rest = shape[len(slice.leading) :]
        start = view.offset + offset * prod(rest)
        if (share := frame.share) is not None:
            declared = next(buffer.shape for buffer in frame.function.buffers if buffer.name == slice.buffer)
            rows = rows_of(slice, declared, share.dim)
            if rows is not None:
                start += share.first * rows.each * prod(rest[1:])
                rest = (share.count * rows.each, *rest[1:])
        return View(slice.buffer, view.memory, rest, start)

    def _active(self, frame: _Frame, access: ir.Load | ir.Store, lanes: int) -> int:
        if not frame.all(access.guards):
            return 0
        return lanes if access.count is None else min(max(frame.size(access.count), 0), lanes)

    def _store(self, frame: _Frame, store: ir.Store) -> None:
        value = self._value(frame, store.value)
        view = frame.views[store.buffer]
        active = self._active(frame, store, value.size)
        positions = view.positions([frame.size(index) for index in store.indices], active, 1)
        view.store(positions, value[:active], self.tid)

    def _load(self, frame: _Frame, load: ir.Load) -> Lanes:
        view, lanes = frame.views[load.buffer], load.type.lanes
        active = self._active(frame, load, lanes)
        indices = [frame.size(index) for index in load.indices]
        loaded = view.load(view.positions(indices, active, frame.size(load.stride)), self.tid)
        if active == lanes:
            return loaded.copy()  # later stores must not change it
        result = np.full(lanes, load.other, load.type.dtype)
        result[:active] = loaded
        return result

    def _value(self, frame: _Frame, expr: ir.Expr) -> Lanes:
        """The value of an expression."""
        values: list[Lanes] = []
        for operation, leaf, at, dtype, lanes in self.tapes.of(expr):
            result = (
                operation(*[values[position] for position in at]) if operation else self._leaf(frame, leaf)
            )
            if (result.dtype is not dtype and result.dtype != dtype) or result.size != lanes:
                raise InterpreterError(f"a step gives {result.dtype}x{result.size}, not {dtype}x{lanes}")
            values.append(result)
        return values[-1]

    def _leaf(self, frame: _Frame, leaf: Leaf | None) -> Lanes:
        match leaf:
            case ir.Read(name):
                if name not in frame.registers:
                    raise InterpreterError(f"register {name} is read before it is declared")
                return frame.registers[name]
            case ir.IndexValue(index, type):
                return cast(np.full(type.lanes, frame.size(index), np.int64), type.dtype)
            case _:
                assert isinstance(leaf, ir.Load)
                return self._load(frame, leaf)
