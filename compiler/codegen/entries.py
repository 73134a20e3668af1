"""Entries as LLVM functions: the context, the arena, threads and error codes around a body that calls kernels.

Threads: every call of a kernel is a region that the threads divide (ll/shares.ll), into as many shares as its work
pays for. All threads go through the same regions in the same order, since that depends on dims alone, never on data.
An error in the data is recorded in the shared block, and latched at the end of the region, where all threads leave
with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial

from netwright.specs.dims import Range
from netwright.specs.manifest import Manifest, c_prefix

from ..loop import ir
from ..loop.check_call import statements_of
from ..loop.marks import MARK, marked, watched
from ..loop.work import WorkEstimates
from .begins import begins
from .expressions import Values
from .features import attributes_of_all, missing_symbol, write_missing
from .guards import write_guard
from .indices import Indices
from .memory import Memory
from .parts import Parts
from .planner import PLAN_DECLARATION, PLANNER_DECLARATIONS, settled_offsets, write_plan
from .regions import SHARE_DECLARATIONS, Alone, Bare, Regions
from .statements import Statements, module
from .support import has_threads, plan_limit
from .target import Target
from .types import symbol
from .writer import Writer

_CONTEXT = "{ ptr, ptr, ptr, ptr, ptr, ptr }"
_DIMS, _BUFFERS, _ARENA, _OFFSETS, _BARRIER, _PASSED = range(6)


def entry_symbol(model: str, entry: str) -> str:
    """The C symbol of an entry."""
    return f"{c_prefix(model)}_{entry}_entry"


def plan_symbol(model: str, entry: str) -> str:
    """The C symbol of an entry's planner."""
    return f"{c_prefix(model)}_{entry}_plan"


def write_entries(
    program: ir.Program,
    kernel_symbols: Mapping[str, str],
    target: Target,
    contents: str | None = None,
    multiples: Mapping[str, int] | None = None,
    watch: bool = False,
    direct: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The LLVM module of all entries of a program, their guards and their planners; kernels and support are only
    declared.

    ``contents`` is the symbol of the contents that the program is linked with, if any. ``multiples`` are the numbers
    that dims must be multiples of, which the guards check for callers in C. With ``watch`` the entries pass a mark at
    each of their moments (``loop.marks.watched``), in place of those for gradients. ``direct``: see
    ``direct_entries``.
    """
    definitions = [
        attributes_of_all(target),
        write_missing(missing_symbol(program.model), target),
    ]
    if contents is not None:
        definitions += [
            f"{symbol(name)} = external hidden constant i8" for name in (contents, f"{contents}_end")
        ]
    declarations = {*PLANNER_DECLARATIONS, PLAN_DECLARATION}
    declarations.update(SHARE_DECLARATIONS if has_threads(target) else ())
    shared: set[str] = set()
    works = WorkEstimates(program.kernels)
    begun = {name: begins(kernel) for name, kernel in program.kernels.items()}
    failing = {name for name, kernel in program.kernels.items() if _may_fail(kernel)}
    for entry in program.entries.values():
        name = entry_symbol(program.model, entry.name)
        given = (direct or {}).get(entry.name)
        frame = _Frame(program, entry, kernel_symbols, target, works, failing, begun, watch, given)
        definitions += [
            *_write_entry(frame, declarations, shared),
            write_guard(program, entry, name, entered_symbol(name), contents, multiples or {}, target, given),
            write_plan(
                program,
                entry,
                plan_symbol(program.model, entry.name),
                plan_limit(target),
                apart=target.is_bare,
            ),
        ]
    return module(target, declarations, *sorted(shared), *definitions, small=target.family.compact)


def direct_entries(program: ir.Program, manifest: Manifest, target: Target) -> dict[str, tuple[str, ...]]:
    """The entries that C functions call without a guard, a context, and a plan, since flash is scarce: those of bare
    machines whose sizes are all settled. What is left of the guard's checks is done in C.

    Such an entry's code is ``entered(void *const *buffers, void *arena, …)`` with the inputs and outputs at the end, in
    the order of the manifest, whose names are the values.
    """
    if not target.is_bare or manifest.dims:
        return {}
    roles = {info.name: info.role for info in manifest.buffers}
    direct: dict[str, tuple[str, ...]] = {}
    for info in manifest.entries:
        entry = program.entries[info.name]
        touched = {*info.reads, *info.writes}
        kept = any(roles[name] in ("parameter", "statistic", "state", "packed") for name in info.writes)
        if not kept and not entry.function.dims and settled_offsets(entry, plan_limit(target)) is not None:
            direct[info.name] = tuple(
                name
                for role in ("input", "output")
                for name in roles
                if roles[name] == role and name in touched
            )
    return direct


def _may_fail(kernel: ir.Function) -> bool:
    """Whether a kernel may return an error, for an index in its data that is out of range."""
    return any(isinstance(statement, ir.LetIndex) for statement in statements_of(kernel.body))


def entered_symbol(entry: str) -> str:
    """The symbol of the function that the guard of ``entry`` calls."""
    return f"{entry}.entered"


@dataclass(frozen=True)
class _Frame:
    """What all functions of an entry share."""

    program: ir.Program
    entry: ir.Entry
    kernel_symbols: Mapping[str, str]
    target: Target
    works: WorkEstimates
    failing: Set[str]
    begins: Mapping[str, Mapping[str, int]]
    watch: bool = False
    direct: Sequence[str] | None = None
    parts: Parts = field(default_factory=Parts)

    @property
    def regions(self) -> type[Regions]:
        if self.target.is_bare:
            return Bare
        return Regions if has_threads(self.target) else Alone

    @property
    def parameters(self) -> list[str]:
        """What the entry and its parts are told of a call."""
        if self.direct is None:
            return ["ptr %context", "i32 %tid"]
        return ["ptr %buffers", "ptr %arena", *(f"ptr %given.{number}" for number in range(len(self.direct)))]

    @property
    def offsets(self) -> Sequence[int] | None:
        """The offsets in the arena, if code is to have them in place of loading them: where flash is scarce, and no
        size is open."""
        return settled_offsets(self.entry, plan_limit(self.target)) if self.target.is_bare else None

    @property
    def fails(self) -> bool:
        """Whether a kernel of the entry may return an error."""
        return any(
            isinstance(statement, ir.Call) and statement.function in self.failing
            for statement in statements_of(self.entry.function.body)
        )

    @property
    def symbol(self) -> str:
        return entered_symbol(entry_symbol(self.program.model, self.entry.name))

    def part_symbol(self, part: str) -> str:
        return f"{self.symbol}.{part}"


def _write_entry(frame: _Frame, declarations: set[str], shared: set[str]) -> Iterator[str]:
    """The entry, as its guard calls it, and its parts. Adds what they declare, and the functions that they share with
    other entries."""
    writer, target = Writer(), frame.target
    result = writer.slot("i32")
    block = _field(writer, _BARRIER) if frame.direct is None else "null"
    # Denormals are a hundred times slower, and make no difference to a network.
    status = target.family.flush_denormals(writer)

    def fail(code: str) -> None:
        writer.line(f"store i32 {code}, ptr {result}")
        writer.branch("finish")

    body = _Body(frame, writer, frame.regions.begun(writer, block), {}, fail)
    body.regions.limit_to(body.indices, frame.works.of_entry(frame.entry.function.body))
    statements = watched(frame.entry).body if frame.watch else marked(frame.entry)
    body.write(frame.parts.divide(statements))
    fail("0")
    writer.start("finish")
    code = body.regions.end(writer.result(f"load i32, ptr {result}"), frame.fails)
    target.family.restore_denormals(writer, status)
    writer.line(f"ret i32 {code}")
    declarations |= writer.declarations
    shared |= writer.definitions
    parameters = [*frame.parameters, *(["i32 %nthreads"] if frame.direct is None else [])]
    head = f"define i32 {symbol(frame.symbol)}({', '.join(parameters)}) #0 {{\nentry:\n"
    yield head + writer.text() + "\n}\n"
    for name, (variables, statements) in frame.parts.by_name.items():
        yield _write_part(frame, name, variables, statements, declarations, shared)


def _write_part(
    frame: _Frame,
    name: str,
    variables: Mapping[str, int | None],
    statements: tuple[ir.Stmt, ...],
    declarations: set[str],
    shared: set[str],
) -> str:
    """A part of the entry: its parameters are values that the entry has computed, its result is the entry's error
    code."""
    writer = Writer()
    given = {
        variable: (symbol(f"variable.{variable}", "%"), (low, None)) for variable, low in variables.items()
    }
    body = _Body(
        frame, writer, frame.regions.passed(writer), given, lambda code: writer.line(f"ret i32 {code}")
    )
    body.write(statements)
    writer.line("ret i32 0")
    declarations |= writer.declarations
    shared |= writer.definitions
    arguments = [
        *frame.parameters,
        *frame.regions.PARAMETERS,
        *(f"i64 {value}" for value, _ in given.values()),
    ]
    head = f"define internal i32 {symbol(frame.part_symbol(name))}({', '.join(arguments)}) #0 {{\nentry:\n"
    return head + writer.text() + "\n}\n"


def _field(writer: Writer, number: int) -> str:
    """The value of a field of the context."""
    at = writer.value(f"getelementptr {_CONTEXT}, ptr %context, i32 0, i32 {number}")
    return writer.result(f"load ptr, ptr {at}")


class _Body:
    """Writes statements of an entry into one function."""

    def __init__(
        self,
        frame: _Frame,
        writer: Writer,
        regions: Regions,
        variables: Mapping[str, tuple[str, Range]],
        fail: Callable[[str], None],
    ):
        self._frame, self._writer, self._fail = frame, writer, fail
        self.regions = regions
        dims, self._buffers = self._find_dims(), self._find_buffers()
        self.indices = Indices(writer, {**dims, **variables})
        regions.indices = self.indices
        buffers = frame.entry.function.buffers
        self._memory = Memory(writer, self.indices, ((buffer, None) for buffer in buffers))

    def write(self, statements: tuple[ir.Stmt, ...]) -> None:
        values = Values(self._writer, self.indices, self._memory, self._frame.target)
        writer = Statements(self._writer, self.indices, self._memory, values, self._fail, self._call)
        writer.body(statements)

    # -- the context ---------------------------------------------------------------------------------------

    def _find_dims(self) -> dict[str, tuple[str, Range]]:
        write = self._writer.value
        positions = {name: i for i, (name, _) in enumerate(self._frame.program.dims)}
        if not self._frame.entry.function.dims:
            return {}
        base = _field(self._writer, _DIMS)
        dims: dict[str, tuple[str, Range]] = {}
        for name, low in self._frame.entry.function.dims:
            address = write(f"getelementptr i64, ptr {base}, i32 {positions[name]}")
            dims[name] = (self._writer.result(f"load i64, ptr {address}"), (low, None))
        return dims

    def _find_buffers(self) -> dict[str, Callable[[], str]]:
        """Functions that load each buffer's address. A program has thousands of buffers: loading an address where a
        call needs it keeps it live for a short time only, so that LLVM's time stays linear in the number of calls."""
        write = self._writer.result
        slots = {buffer.name: number for number, buffer in enumerate(self._frame.entry.arena)}
        table = {buffer.name: number for number, buffer in enumerate(self._frame.program.table)}
        direct, settled = self._frame.direct, self._frame.offsets
        given = {name: f"%given.{number}" for number, name in enumerate(direct or ())}
        pointers = _field(self._writer, _BUFFERS) if direct is None else "%buffers"
        arena = "%arena" if direct is not None else _field(self._writer, _ARENA) if slots else "null"
        offsets = _field(self._writer, _OFFSETS) if slots and settled is None else "null"

        def in_arena(slot: int) -> str:
            if settled is not None:
                return write(f"getelementptr i8, ptr {arena}, i64 {settled[slot]}")
            offset = write(f"load i64, ptr {write(f'getelementptr i64, ptr {offsets}, i32 {slot}')}")
            return write(f"getelementptr i8, ptr {arena}, i64 {offset}")

        def in_table(slot: int) -> str:
            return write(f"load ptr, ptr {write(f'getelementptr ptr, ptr {pointers}, i32 {slot}')}")

        addresses: dict[str, Callable[[], str]] = {}
        for buffer in self._frame.entry.function.buffers:
            if buffer.name in slots:
                addresses[buffer.name] = partial(in_arena, slots[buffer.name])
            elif buffer.name in given:
                addresses[buffer.name] = partial(given.__getitem__, buffer.name)
            elif buffer.name in table:
                addresses[buffer.name] = partial(in_table, table[buffer.name])
            else:
                raise ValueError(
                    f"entry {self._frame.entry.name}: buffer {buffer.name} is neither in table nor arena"
                )
        return addresses

    # -- calls, errors, threads ----------------------------------------------------------------------------

    def _call(self, call: ir.Call) -> None:
        if call.function in self._frame.parts.by_name:
            self._call_part(call)
            return
        if call.function == MARK:
            self._pass_mark(call)
            return
        arguments = [f"ptr {address}" for address in self._addresses(call)]
        arguments += [f"i64 {self.indices.value(size)}" for size in call.dims]
        kernel = symbol(self._frame.kernel_symbols[call.function])
        types = [argument.split()[0] for argument in (*arguments, *self.regions.WHOLE)]
        self._writer.declarations.add(f"declare i32 {kernel}({', '.join(types)}) #0")
        fail = self._fail if call.function in self._frame.failing else None
        works = self._frame.works
        self.regions.write(works.of_call(call), works.is_all_divided(call), kernel, arguments, fail)

    def _pass_mark(self, call: ir.Call) -> None:
        """Has thread 0, which has waited for the other threads' shares, tell the host that a mark is passed."""
        write, label = self._writer.result, self._writer.label
        ask, tell, stay = label("ask"), label("tell"), label("stay")
        self._writer.branch_if(write("icmp eq i32 %tid, 0"), ask, stay)
        self._writer.start(ask)
        at = write(
            f"getelementptr {_CONTEXT}, ptr %context, i32 0, i32 {_PASSED}"
        )  # valid in this branch only
        told = write(f"load ptr, ptr {at}")
        self._writer.branch_if(write(f"icmp ne ptr {told}, null"), tell, stay)
        self._writer.start(tell)
        self._writer.line(f"call void {told}(i32 {call.dims[0]})")
        self._writer.branch(stay)
        self._writer.start(stay)

    def _call_part(self, call: ir.Call) -> None:
        write, label = self._writer.result, self._writer.label
        arguments = [*self._frame.parameters, *self.regions.arguments]
        arguments += [f"i64 {self.indices.value(variable)}" for variable in call.dims]
        code = write(f"call i32 {symbol(self._frame.part_symbol(call.function))}({', '.join(arguments)})")
        leave, stay = label("leave"), label("stay")
        self._writer.branch_if(write(f"icmp ne i32 {code}, 0"), leave, stay)
        self._writer.start(leave)
        self._fail(code)
        self._writer.start(stay)

    def _addresses(self, call: ir.Call) -> Iterator[str]:
        """Where a kernel begins in each of the buffers that it is called with."""
        before = self._frame.begins[call.function]
        parameters = self._frame.program.kernels[call.function].parameters
        for part, parameter in zip(call.buffers, parameters, strict=True):
            offset = self._memory.offset(part.buffer, part.leading, part.shape) + before.get(
                parameter.name, 0
            )
            index, pointer = self.indices.value(offset), self._buffers[part.buffer]()
            element = self._memory.element(part.buffer)
            yield (
                pointer
                if index == "0"
                else self._writer.result(f"getelementptr {element}, ptr {pointer}, i64 {index}")
            )
