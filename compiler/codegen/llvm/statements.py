"""Statements of the loop IR as LLVM blocks, and whole kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from netwright.specs.dims import DimLike, Range, ceil_div, dim, dim_max, product

from ...loop import ir
from ...loop.changes import changes
from ...loop.walks import parallel_nest
from ..targets.target import Target, attributes, header
from ..text.types import memory_type, symbol
from ..text.writer import Writer
from .begins import begins
from .expressions import Values
from .features import has_feature
from .indices import Indices, fits, narrowed
from .memory import Memory


class Statements:
    """Writes the body of a kernel or entry.

    ``fail`` ends the function with an i32 error code. ``call`` is given for entries only: after a call that it
    writes, all threads have passed the call, so barriers need no code. Where ``indices`` are narrow,
    loops count in 32 bits, if that is enough. ``alone`` says that there is one thread, which runs all iterations of
    parallel loops.
    """

    def __init__(
        self,
        writer: Writer,
        indices: Indices,
        memory: Memory,
        values: Values,
        fail: Callable[[str], None],
        call: Callable[[ir.Call], None] | None = None,
        alone: bool = False,
    ):
        self._writer = writer
        self._indices = indices
        self._memory = memory
        self._values = values
        self._fail = fail
        self._call = call
        self._alone = alone

    def body(self, statements: tuple[ir.Stmt, ...]) -> None:
        depth = self._indices.depth
        for statement in statements:
            self._statement(statement)
        self._indices.close(depth)

    def _statement(self, statement: ir.Stmt) -> None:
        match statement:
            case ir.Assign():
                self._values.assign(statement.name, self._values.statement(statement.value))
            case ir.Declare():
                operand = self._values.statement(statement.value)
                self._values.declare(statement.name, statement.value.type, operand)
            case ir.Store():
                self._memory.store(statement, self._values.statement(statement.value))
            case ir.Prefetch(buffer, indices):
                self._memory.prefetch(buffer, indices)
            case ir.For():
                self._for(statement)
            case ir.If():
                self._if(statement)
            case ir.LetIndex():
                self._let_index(statement)
            case ir.Call() if self._call is not None:
                self._call(statement)
            case ir.Barrier() if self._call is not None:
                pass
            case _:
                raise TypeError(f"a kernel cannot hold {statement}")

    def _leave_if(self, condition: str, code: str) -> None:
        leave, stay = self._writer.label("leave"), self._writer.label("stay")
        self._writer.branch_if(condition, leave, stay)
        self._writer.start(leave)
        self._fail(code)
        self._writer.start(stay)

    def _for(self, loop: ir.For) -> None:
        resolve = self._indices.resolve
        start, stop = resolve(loop.start), resolve(loop.stop)
        if loop.kind == "unrolled":
            if not (isinstance(start, int) and isinstance(stop, int)):
                raise TypeError(f"loop {loop.var} is unrolled and has bounds {start} and {stop}")
            for value in range(start, stop, loop.step):
                self._indices.fix(loop.var, value)
                self.body(loop.body)
                self._indices.unfix(loop.var)
            return
        if loop.kind == "parallel" and not self._alone:
            self._nest(parallel_nest(loop))
            return
        first, last = self._indices.value(start), self._indices.value(stop)
        low, _ = self._indices.bounds(stop - start)
        runs = low is not None and low > 0
        self._loop(loop, first, last, None if runs else self._less(first, last), lambda: self.body(loop.body))

    def _less(self, first: str, last: str) -> str:
        return self._writer.value(f"icmp slt i64 {first}, {last}")

    def _nest(self, loops: tuple[ir.For, ...]) -> None:
        """This thread's share of the iterations of a nest of parallel loops, as loop IR defines it."""
        write, resolve = self._writer.value, self._indices.resolve
        counts = [dim_max(0, ceil_div(resolve(loop.stop - loop.start), loop.step)) for loop in loops]
        count = self._indices.value(product(counts))
        shares = [
            write(f"udiv i64 {write(f'mul i64 {count}, {tid}')}, %nthreads.wide")
            for tid in ("%tid.wide", write("add i64 %tid.wide, 1"))
        ]
        self._iterations(loops, counts, shares[0], shares[1], self._less(shares[0], shares[1]))

    def _iterations(
        self,
        loops: tuple[ir.For, ...],
        counts: Sequence[DimLike],
        first: str,
        last: str,
        condition: str | None = None,
    ) -> None:
        """The iterations of a nest from number ``first`` up to, not including, ``last``, if ``condition`` holds.

        The condition says that there are some iterations; then each loop inside has some, too.
        """
        write, loop = self._writer.value, loops[0]
        start = self._indices.value(self._indices.resolve(loop.start))

        def place(number: str) -> str:
            steps = number if loop.step == 1 else write(f"mul i64 {number}, {loop.step}")
            return steps if start == "0" else write(f"add i64 {steps}, {start}")

        if len(loops) == 1:
            self._loop(loop, place(first), place(last), condition, lambda: self.body(loop.body))
            return
        inner = self._indices.value(product(counts[1:]))
        most = write(f"sub i64 {write(f'add i64 {last}, {inner}')}, 1")
        least, _ = self._indices.bounds(product(counts[1:]))
        divisor = inner
        if least is None or least < 1:  # the division is reached even if the loops inside are empty
            divisor = self._writer.call("i64", "llvm.smax.i64", ("i64", inner), ("i64", "1"))
        edges = [place(write(f"udiv i64 {number}, {divisor}")) for number in (first, most)]

        def inside() -> None:
            offset = self._indices.value(dim(loop.var) - self._indices.resolve(loop.start))
            number = offset if loop.step == 1 else write(f"udiv i64 {offset}, {loop.step}")
            before = write(f"mul i64 {number}, {inner}")
            begin, end = (write(f"sub i64 {edge}, {before}") for edge in (first, last))
            begin = self._writer.call("i64", "llvm.smax.i64", ("i64", begin), ("i64", "0"))
            end = self._writer.call("i64", "llvm.smin.i64", ("i64", end), ("i64", inner))
            self._iterations(loops[1:], counts[1:], begin, end)

        self._loop(loop, edges[0], edges[1], condition, inside)

    def _loop(
        self, loop: ir.For, first: str, last: str, condition: str | None, body_of: Callable[[], None]
    ) -> None:
        """A loop with its test at the end, behind a condition unless it is known to run; ``body_of`` writes its
        body."""
        writer = self._writer
        body, after, variable, following = (
            writer.label(loop.var),
            writer.label("after"),
            writer.name(),
            writer.name(),
        )
        start, stop = self._indices.resolve(loop.start), self._indices.resolve(loop.stop)
        range_ = self._loop_range(start, stop, loop.step)
        counted, type = variable, "i64"
        low, high = range_
        if self._indices.narrow and fits((low, None if high is None else high + loop.step)):
            counted, type = writer.name(), "i32"
            first, last = (narrowed(writer, edge, type) for edge in (first, last))
        if condition is None:
            writer.branch(body)
        else:
            writer.branch_if(condition, body, after)
        before = writer.block
        writer.start(body)
        phi = writer.spot()
        depth = self._indices.depth
        changed = changes(loop.body)
        # An iteration reads what the previous one wrote: what was known before the loop no longer holds.
        self._memory.changed(changed.buffers)
        self._values.changed(changed.registers)
        self._indices.open(loop.var, variable, range_)
        body_of()
        self._indices.close(depth)
        phi.append(f"  {counted} = phi {type} [ {first}, %{before} ], [ {following}, %{writer.block} ]")
        if counted != variable:
            phi.append(f"  {variable} = {'zext' if (low or 0) >= 0 else 'sext'} i32 {counted} to i64")
        writer.line(f"{following} = add nsw {type} {counted}, {loop.step}")
        test = "ne" if type == "i32" and _is_met(start, stop, loop.step) else "slt"
        writer.branch_if(writer.result(f"icmp {test} {type} {following}, {last}"), body, after)
        writer.start(after)

    def _loop_range(self, start: DimLike, stop: DimLike, step: int) -> Range:
        low = self._indices.bounds(start)[0]
        high = self._indices.bounds(stop - 1)[1]
        if low is not None and low == start and high is not None and high >= low:
            high = low + (high - low) // step * step
        return low, high

    def _if(self, statement: ir.If) -> None:
        writer = self._writer
        holds = self._memory.all_hold(statement.conditions)
        if holds is None:
            self.body(statement.body)
            return
        yes, after = writer.label("then"), writer.label("after")
        no = writer.label("else") if statement.orelse else after
        writer.branch_if(holds, yes, no)
        regions = writer.regions
        for label, body in ((yes, statement.body), (no, statement.orelse)):
            if label != after:
                writer.start(label)
                writer.enter()
                self.body(body)
                writer.leave(regions)
                writer.branch(after)
        writer.start(after)

    def _let_index(self, let: ir.LetIndex) -> None:
        write = self._writer.value
        operand = self._values.statement(let.value)
        below = write(f"icmp slt i64 {operand}, {self._indices.value(let.low)}")
        above = write(f"icmp sge i64 {operand}, {self._indices.value(let.high)}")
        self._leave_if(write(f"or i1 {below}, {above}"), str(let.error))
        resolve, bounds = self._indices.resolve, self._indices.bounds
        range_ = bounds(resolve(let.low))[0], bounds(resolve(let.high - 1))[1]
        self._indices.open(let.name, operand, range_)


def _is_met(start: DimLike, stop: DimLike, step: int) -> bool:
    """Whether a loop's variable becomes its end: with a test for that, LLVM counts down to 0 where this is shorter."""
    return isinstance(start, int) and isinstance(stop, int) and stop > start and (stop - start) % step == 0


def write_kernel(function: ir.Function, kernel: str, target: Target) -> str:
    """The LLVM module of one kernel: ``i32 name(ptr…, i64 dims…, i32 tid, i32 nthreads)``, the last two not on bare
    machines. The pointers are those of where the kernel ``begins`` in its buffers."""
    writer = Writer()
    arguments = [f"ptr noalias {symbol('buffer.' + buffer.name, '%')}" for buffer in function.parameters]
    dims: dict[str, tuple[str, Range]] = {
        dim: (symbol("dim." + dim, "%"), (low, None)) for dim, low in function.dims
    }
    arguments += [f"i64 {value}" for value, _ in dims.values()]
    arguments += [] if target.is_bare else ["i32 %tid", "i32 %nthreads"]
    alone = not target.is_posix
    for name in () if alone else ("tid", "nthreads"):
        writer.line(f"%{name}.wide = zext i32 %{name} to i64")
    indices = Indices(writer, dims, narrow=not target.is_64_bit)
    buffers: list[tuple[ir.Buffer, str | None]] = []
    for buffer in function.buffers:
        pointer = symbol("buffer." + buffer.name, "%")
        if buffer.local:
            count = 1
            for size in buffer.shape:
                if not isinstance(size, int):
                    raise TypeError(
                        f"local buffer {buffer.name} of {function.name} has no static size: {size}"
                    )
                count *= size
            pointer = writer.slot(f"[{count} x {memory_type(buffer.dtype)}]", align=64)
        buffers.append((buffer, pointer))
    pieces = target.family.store_pieces(partial(has_feature, target))
    memory = Memory(writer, indices, buffers, begins(function), pieces)
    values = Values(writer, indices, memory, target, changes(function.body).registers)
    statements = Statements(
        writer, indices, memory, values, fail=lambda code: writer.line(f"ret i32 {code}"), alone=alone
    )
    statements.body(function.body)
    writer.line("ret i32 0")
    return module(
        target,
        writer.declarations,
        f"define i32 {symbol(kernel)}({', '.join(arguments)}) #0 {{\nentry:\n{writer.text()}\n}}\n",
        *sorted(writer.definitions),
    )


def module(target: Target, declarations: set[str], *definitions: str, small: bool = False) -> str:
    """The text of a module; ``small`` if its functions should rather be short than fast."""
    size = " minsize optsize" if small else ""
    return "\n".join(
        [
            header(target),
            *definitions,
            *sorted(declarations),
            f"\nattributes #0 = {{ {attributes(target)}{size} }}\n",
        ]
    )
