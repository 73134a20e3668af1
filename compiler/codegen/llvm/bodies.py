"""The bodies of an entry's functions: where its buffers are, and its calls of kernels, parts and shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial

from netwright.specs.dims import DimLike, Range, dim, product, substitute

from ...loop import ir
from ...loop.checks.calls import statements_of
from ...loop.checks.divided import groups_of, most_shares, rows_of
from ...loop.marks import MARK
from ...loop.work import WorkEstimates
from ..targets.target import Target
from ..text.types import symbol
from ..text.writer import Writer
from .expressions import Values
from .indices import Indices
from .memory import Memory
from .parts import Parts
from .planner import settled_offsets
from .regions import Alone, Bare, Regions
from .statements import Statements
from .support import has_threads, plan_limit

_CONTEXT = "{ ptr, ptr, ptr, ptr, ptr, ptr }"
_DIMS, _BUFFERS, _ARENA, _OFFSETS, BARRIER, _PASSED = range(6)
#: The names, which no dim has, of the first sample of a share and of their number.
_FIRST, _COUNT = "first sample", "samples"


@dataclass(frozen=True)
class Frame:
    """What all functions of an entry share."""

    symbol: str
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

    def part_symbol(self, part: str) -> str:
        return f"{self.symbol}.{part}"


def field_of(writer: Writer, number: int) -> str:
    """The value of a field of the context."""
    at = writer.value(f"getelementptr {_CONTEXT}, ptr %context, i32 0, i32 {number}")
    return writer.result(f"load ptr, ptr {at}")


class Body:
    """Writes statements of an entry into one function."""

    def __init__(
        self,
        frame: Frame,
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
        self._shapes = {buffer.name: buffer.shape for buffer in buffers}
        self._divide: ir.Divide | None = None
        self._memory = Memory(writer, self.indices, ((buffer, None) for buffer in buffers))

    def write(self, statements: tuple[ir.Stmt, ...]) -> None:
        values = Values(self._writer, self.indices, self._memory, self._frame.target)
        writer = Statements(self._writer, self.indices, self._memory, values, self._fail, self._call)
        writer.body(statements)

    def write_share(self, divide: ir.Divide) -> None:
        """Writes the body of ``divide`` for the samples of share %share of %shares."""
        write = self._writer.result
        samples, groups = self.indices.value(dim(divide.dim)), self.indices.value(groups_of(divide))
        share, shares = (write(f"zext i32 {name} to i64") for name in ("%share", "%shares"))
        edges: list[str] = []
        for number in (share, write(f"add i64 {share}, 1")):
            group = write(f"udiv i64 {write(f'mul i64 {groups}, {number}')}, {shares}")
            row = write(f"mul i64 {group}, {divide.rows}")
            edges.append(self._writer.call("i64", "llvm.smin.i64", ("i64", row), ("i64", samples)))
        self.indices.open(_FIRST, edges[0], (0, None))
        self.indices.open(_COUNT, write(f"sub i64 {edges[1]}, {edges[0]}"), (1, None))
        self._divide = divide
        self.write(divide.body)

    # -- the context ---------------------------------------------------------------------------------------

    def _find_dims(self) -> dict[str, tuple[str, Range]]:
        write = self._writer.value
        positions = {name: i for i, (name, _) in enumerate(self._frame.program.dims)}
        if not self._frame.entry.function.dims:
            return {}
        base = field_of(self._writer, _DIMS)
        dims: dict[str, tuple[str, Range]] = {}
        for name, low in self._frame.entry.function.dims:
            address = write(f"getelementptr i64, ptr {base}, i32 {positions[name]}")
            dims[name] = (self._writer.result(f"load i64, ptr {address}"), (low, None))
        return dims

    def _find_buffers(self) -> dict[str, Callable[[], str]]:
        """Functions that load each buffer's address where a call needs it, or have it from a call before: parts of an
        entry are short, so that LLVM's time stays linear in the number of calls. Bare machines have little stack to
        keep addresses on."""
        write = self._writer.result if self._frame.target.is_bare else self._writer.value
        slots = {buffer.name: number for number, buffer in enumerate(self._frame.entry.arena)}
        table = {buffer.name: number for number, buffer in enumerate(self._frame.program.table)}
        direct, settled = self._frame.direct, self._frame.offsets
        given = {name: f"%given.{number}" for number, name in enumerate(direct or ())}
        pointers = field_of(self._writer, _BUFFERS) if direct is None else "%buffers"
        arena = "%arena" if direct is not None else field_of(self._writer, _ARENA) if slots else "null"
        offsets = field_of(self._writer, _OFFSETS) if slots and settled is None else "null"

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
        if call.function in self._frame.parts.shares:
            self._call_shares(call.function)
            return
        if call.function == MARK:
            self._pass_mark(call)
            return
        arguments = [f"ptr {address}" for address in self._addresses(call)]
        own = {} if self._divide is None else {self._divide.dim: dim(_COUNT)}
        arguments += [f"i64 {self.indices.value(substitute(size, own))}" for size in call.dims]
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

    def _call_shares(self, name: str) -> None:
        """Has threads run the shares of what they divide by samples."""
        divide, frame = self._frame.parts.shares[name], self._frame
        calls = [call for call in statements_of(divide.body) if isinstance(call, ir.Call)]
        fail = self._fail if any(call.function in frame.failing for call in calls) else None
        work, share = frame.works.of_entry(divide.body), symbol(frame.part_symbol(name))
        self.regions.write(work, False, share, ["ptr %context"], fail, most_shares(divide))

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
            offset = self._memory.offset(part.buffer, part.leading, part.shape)
            offset = offset + self._before_share(part) + before.get(parameter.name, 0)
            index, pointer = self.indices.value(offset), self._buffers[part.buffer]()
            element = self._memory.element(part.buffer)
            yield (
                pointer
                if index == "0"
                else self._writer.result(f"getelementptr {element}, ptr {pointer}, i64 {index}")
            )

    def _before_share(self, part: ir.Slice) -> DimLike:
        """How many elements of a buffer's part lie before those of the present share's samples."""
        if self._divide is None:
            return 0
        shape = self._shapes[part.buffer] if part.shape is None else part.shape
        rows = rows_of(part, shape, self._divide.dim)
        return 0 if rows is None else dim(_FIRST) * rows.each * product(shape[len(rows.shape) :])
