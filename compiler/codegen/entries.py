"""Entries as LLVM functions: the context, the arena, threads and error codes around a body that calls
kernels.

Threads: every call of a kernel is a region that the threads divide (ll/shares.ll), into as many shares as its work pays
for. All threads walk through the same regions in the same order, since that depends on dims alone, never on data. An
error in the data is noted in the shared block, and latched at the end of the region: all threads leave with it there.
"""

from __future__ import annotations

from collections.abc import Mapping

from netwright.specs.dims import Range

from ..loop import ir
from ..loop.work import WorkEstimates
from .features import attributes_of_all, missing_symbol, write_missing
from .guards import write_guard
from .indices import Indices
from .memory import Memory
from .planner import PLAN_DECLARATION, PLANNER_DECLARATIONS, write_plan
from .regions import SHARE_DECLARATIONS, Regions
from .statements import Statements, module
from .target import Target
from .types import symbol
from .values import Values
from .writer import Writer

_CONTEXT = "{ ptr, ptr, ptr, ptr, ptr }"
_DIMS, _BUFFERS, _ARENA, _OFFSETS, _BARRIER = range(5)


def entry_symbol(model: str, entry: str) -> str:
    """The C symbol of an entry."""
    return f"{model}_{entry}"


def plan_symbol(model: str, entry: str) -> str:
    """The C symbol of an entry's planner."""
    return f"{model}_{entry}_plan"


def write_entries(
    program: ir.Program,
    kernel_symbols: Mapping[str, str],
    target: Target,
    contents: str | None = None,
    multiples: Mapping[str, int] | None = None,
) -> str:
    """The LLVM module of all entries of a program, their guards and their planners; kernels and support are declared.

    ``contents`` is the symbol of the contents that the program is linked with, if any, ``multiples`` what dims are
    multiples of: callers in C may be wrong about it.
    """
    definitions = [
        attributes_of_all(target),
        write_missing(missing_symbol(program.model), target),
    ]
    if contents is not None:
        definitions += [
            f"{symbol(name)} = external hidden constant i8" for name in (contents, f"{contents}_end")
        ]
    declarations = {*PLANNER_DECLARATIONS, PLAN_DECLARATION, *SHARE_DECLARATIONS}
    works = WorkEstimates(program.kernels)
    for entry in program.entries.values():
        writer = _Entry(program, entry, kernel_symbols, target, works)
        name = entry_symbol(program.model, entry.name)
        definitions += [
            writer.text(),
            write_guard(program, entry, name, _entered(name), contents, multiples or {}),
            write_plan(program, entry, plan_symbol(program.model, entry.name)),
        ]
        declarations |= writer.declarations
    return module(target, declarations, *definitions)


def _entered(entry: str) -> str:
    """The symbol of what the guard calls."""
    return f"{entry}.entered"


class _Entry:
    """Writes one entry."""

    def __init__(
        self,
        program: ir.Program,
        entry: ir.Entry,
        kernel_symbols: Mapping[str, str],
        target: Target,
        works: WorkEstimates,
    ):
        self._program = program
        self._entry = entry
        self._kernel_symbols = kernel_symbols
        self._target = target
        self._writer = writer = Writer()
        self._result = writer.slot("i32")
        block = self._field(_BARRIER)
        # Denormals are a hundred times slower, and mean nothing in a network.
        self._status = target.family.flush_denormals(writer)
        dims, buffers = self._dims(), self._buffers()
        regions = Regions(writer, block)
        self._indices = Indices(writer, dims)
        self._regions = regions.of_entry(self._indices, works, entry.function.body)
        self._memory = Memory(writer, self._indices, buffers)
        values = Values(writer, self._indices, self._memory, target)
        statements = Statements(writer, self._indices, self._memory, values, self._fail, self._call)
        statements.body(entry.function.body)
        writer.line(f"store i32 0, ptr {self._result}")
        writer.branch("finish")
        self._finish()

    @property
    def declarations(self) -> set[str]:
        return self._writer.declarations

    def text(self) -> str:
        name = symbol(_entered(entry_symbol(self._program.model, self._entry.name)))
        head = f"define i32 {name}(ptr %context, i32 %tid, i32 %nthreads) #0 {{\nentry:\n"
        return head + self._writer.text() + "\n}\n"

    # -- the context ---------------------------------------------------------------------------------------

    def _field(self, number: int) -> str:
        at = self._writer.value(f"getelementptr {_CONTEXT}, ptr %context, i32 0, i32 {number}")
        return self._writer.result(f"load ptr, ptr {at}")

    def _dims(self) -> dict[str, tuple[str, Range]]:
        write, positions = self._writer.value, {name: i for i, (name, _) in enumerate(self._program.dims)}
        if not self._entry.function.dims:
            return {}
        base = self._field(_DIMS)
        found: dict[str, tuple[str, Range]] = {}
        for name, low in self._entry.function.dims:
            address = write(f"getelementptr i64, ptr {base}, i32 {positions[name]}")
            found[name] = (self._writer.result(f"load i64, ptr {address}"), (low, None))
        return found

    def _buffers(self) -> list[tuple[ir.Buffer, str]]:
        write = self._writer.value
        slots = {buffer.name: number for number, buffer in enumerate(self._entry.arena)}
        table = {buffer.name: number for number, buffer in enumerate(self._program.table)}
        pointers = self._field(_BUFFERS)
        arena, offsets = (self._field(_ARENA), self._field(_OFFSETS)) if slots else ("null", "null")
        found: list[tuple[ir.Buffer, str]] = []
        for buffer in self._entry.function.buffers:
            if buffer.name in slots:
                address = write(f"getelementptr i64, ptr {offsets}, i32 {slots[buffer.name]}")
                offset = self._writer.result(f"load i64, ptr {address}")
                pointer = write(f"getelementptr i8, ptr {arena}, i64 {offset}")
            elif buffer.name in table:
                address = write(f"getelementptr ptr, ptr {pointers}, i32 {table[buffer.name]}")
                pointer = self._writer.result(f"load ptr, ptr {address}")
            else:
                raise ValueError(
                    f"entry {self._entry.name}: buffer {buffer.name} is neither in table nor arena"
                )
            found.append((buffer, pointer))
        return found

    # -- calls, errors, threads ----------------------------------------------------------------------------

    def _call(self, call: ir.Call) -> None:
        arguments = [f"ptr {self._memory.address(s.buffer, s.leading, s.shape)}" for s in call.buffers]
        arguments += [f"i64 {self._indices.value(size)}" for size in call.dims]
        kernel = symbol(self._kernel_symbols[call.function])
        types = [argument.split()[0] for argument in arguments]
        self._writer.declarations.add(f"declare i32 {kernel}({', '.join([*types, 'i32', 'i32'])}) #0")
        self._regions.write(call, kernel, arguments, self._fail)

    def _fail(self, code: str) -> None:
        self._writer.line(f"store i32 {code}, ptr {self._result}")
        self._writer.branch("finish")

    def _finish(self) -> None:
        writer = self._writer
        writer.start("finish")
        self._target.family.restore_denormals(writer, self._status)
        writer.line(f"ret i32 {writer.result(f'load i32, ptr {self._result}')}")
