"""The memory planner: offsets of an entry's buffers in one arena, for given dims, in native code.

Greedy by size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, section 5.2):
the largest buffer first, each into the smallest gap between the buffers placed so far that are live at the same time.
Sizes are rounded up to 64 bytes and checked: a size or a total beyond 2^61 bytes gives -1. JIT, library and
executable share this planner; ``reference_plan`` is the same in Python, for tests and for resource cards, and plans
entries without open sizes when they are compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.specs.dims import Atom, Call, DimLike, evaluate

from ...loop import ir
from ..text.types import placed, symbol
from ..text.writer import Writer

LIMIT = 1 << 61
#: The limit where pointers have 32 bits: what a pointer difference can be.
LIMIT_32 = (1 << 31) - 64
ALIGN = 64
#: A long buffer of whole pages takes a few lines more if it is staggered: else the next one would begin at the same
#: place of a page, and a kernel that accesses ten of them at equal indices would need ten lines of one set of the first
#: cache, which has eight (docs/decisions/buffers-at-places-of-their-own.md).
PAGE, STAGGER, LEAST_STAGGERED = 4096, 12 * ALIGN, 1 << 16
#: Slots of arenas that are planned in Python, which takes quadratic time.
MOST_SLOTS = 1000

PLANNER_DECLARATIONS = [
    "declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)",
    "declare {i64, i1} @llvm.sadd.with.overflow.i64(i64, i64)",
    "declare i64 @llvm.smax.i64(i64, i64)",
    "declare i64 @llvm.smin.i64(i64, i64)",
]
PLAN_DECLARATION = "declare i64 @netwright.plan(i64, ptr, ptr, ptr, ptr) #0"


def reference_plan(buffers: Sequence[ir.ArenaBuffer], dims: Mapping[str, int]) -> tuple[int, list[int]]:
    """Arena bytes (-1: too large) and one offset per buffer, as the native planner computes them."""
    sizes = [evaluate(buffer.nbytes, dims) for buffer in buffers]
    if any(not 0 <= size <= LIMIT for size in sizes):
        return -1, [0] * len(buffers)
    sizes = [_taken(size, buffer.staggered) for size, buffer in zip(sizes, buffers, strict=True)]
    offsets = [0] * len(buffers)
    placed: list[int] = []
    total = 0
    for number in sorted(range(len(buffers)), key=lambda i: -sizes[i]):
        best, smallest, end = -1, LIMIT, 0
        for other in placed:
            if buffers[other].first > buffers[number].last or buffers[number].first > buffers[other].last:
                continue
            gap = offsets[other] - end
            if sizes[number] <= gap < smallest:
                best, smallest = end, gap
            end = max(end, offsets[other] + sizes[other])
        offsets[number] = best if best >= 0 else end
        if offsets[number] + sizes[number] > LIMIT:
            return -1, [0] * len(buffers)
        total = max(total, offsets[number] + sizes[number])
        position = len(placed)
        while position and offsets[placed[position - 1]] > offsets[number]:
            position -= 1
        placed.insert(position, number)
    return total, offsets


def _taken(size: int, staggered: bool) -> int:
    """How many bytes of an arena a buffer of ``size`` bytes takes."""
    rounded = -(-size // ALIGN) * ALIGN
    aliases = staggered and rounded >= LEAST_STAGGERED and rounded % PAGE == 0
    return rounded + STAGGER if aliases else rounded


def settled_offsets(entry: ir.Entry, limit: int = LIMIT) -> Sequence[int] | None:
    """The offsets of an entry's buffers if they depend on no size that is open, and fit into ``limit`` bytes."""
    if len(entry.arena) > MOST_SLOTS or not all(isinstance(buffer.nbytes, int) for buffer in entry.arena):
        return None
    total, offsets = reference_plan(entry.arena, {})
    return offsets if 0 <= total <= limit else None


def write_plan(
    program: ir.Program, entry: ir.Entry, name: str, limit: int = LIMIT, *, apart: bool = False
) -> str:
    """The LLVM text of ``int64_t NAME(const int64_t *dims, int64_t *offsets)``; ``limit`` is the native planner's.
    ``apart``: it has a section of its own."""
    count = len(entry.arena)
    head = f"define i64 {symbol(name)}(ptr %dims, ptr %offsets) #1{placed(name, apart)} {{\nentry:\n"
    if not count:
        return head + "  ret i64 0\n}\n"
    if count <= MOST_SLOTS and all(isinstance(buffer.nbytes, int) for buffer in entry.arena):
        return _settled(entry, name, head, limit)
    lives = [life for buffer in entry.arena for life in (buffer.first, buffer.last)]
    table = f"{name}.lives"
    constant = (
        f"{symbol(table)} = private unnamed_addr constant [{len(lives)} x i32] "
        f"[{', '.join(f'i32 {life}' for life in lives)}]\n\n"
    )
    # Many buffers have the same size: computing each size once keeps this block short.
    each = list(dict.fromkeys((buffer.nbytes, buffer.staggered) for buffer in entry.arena))
    positions = {size: number for number, size in enumerate(each)}
    chosen = f"{name}.sizes"
    constant += (
        f"{symbol(chosen)} = private unnamed_addr constant [{count} x i32] "
        f"[{', '.join(f'i32 {positions[buffer.nbytes, buffer.staggered]}' for buffer in entry.arena)}]\n\n"
    )
    writer = Writer()
    sizes = writer.slot(f"[{count} x i64]")
    scratch = writer.slot(f"[{2 * count} x i64]")
    distinct = writer.slot(f"[{len(each)} x i64]")
    checked = _Checked(writer, [dim for dim, _ in program.dims])
    for number, (nbytes, staggered) in enumerate(each):
        size = checked.value(nbytes)
        if staggered:
            size = _staggered(writer, size)
        address = writer.value(f"getelementptr i64, ptr {distinct}, i64 {number}")
        writer.line(f"store i64 {size}, ptr {address}")
    before = writer.block
    writer.branch("fill")
    writer.start("fill")
    writer.line(f"%slot = phi i64 [ 0, %{before} ], [ %next, %fill ]")
    which = writer.result(f"getelementptr i32, ptr {symbol(chosen)}, i64 %slot")
    wide = writer.result(f"zext i32 {writer.result(f'load i32, ptr {which}')} to i64")
    source = writer.result(f"getelementptr i64, ptr {distinct}, i64 {wide}")
    target = writer.result(f"getelementptr i64, ptr {sizes}, i64 %slot")
    writer.line(f"store i64 {writer.result(f'load i64, ptr {source}')}, ptr {target}")
    writer.line("%next = add i64 %slot, 1")
    writer.branch_if(writer.result(f"icmp eq i64 %next, {count}"), "filled", "fill")
    writer.start("filled")
    bad = checked.overflowed()
    writer.branch_if(bad, "large", "fits")
    writer.start("large")
    writer.line("ret i64 -1")
    writer.start("fits")
    total = writer.result(
        f"call i64 @netwright.plan(i64 {count}, ptr {sizes}, ptr {symbol(table)}, "
        f"ptr %offsets, ptr {scratch})"
    )
    writer.line(f"ret i64 {total}")
    return constant + head + writer.text() + "\n}\n"


def _settled(entry: ir.Entry, name: str, head: str, limit: int) -> str:
    """The plan of an entry without open sizes: a table of offsets, in units of `ALIGN`."""
    total, offsets = reference_plan(entry.arena, {})
    if not 0 <= total <= limit:
        return head + "  ret i64 -1\n}\n"
    count, table = len(offsets), symbol(f"{name}.offsets")
    unit = "i16" if total // ALIGN < 1 << 16 else "i64"
    numbers = ", ".join(f"{unit} {offset // ALIGN}" for offset in offsets)
    widened = f"  %wide = zext {unit} %units to i64\n" if unit != "i64" else "  %wide = or i64 %units, 0\n"
    return f"""{table} = private unnamed_addr constant [{count} x {unit}] [{numbers}]

{head}  br label %fill
fill:
  %slot = phi i32 [ 0, %entry ], [ %next, %fill ]
  %from = getelementptr {unit}, ptr {table}, i32 %slot
  %units = load {unit}, ptr %from
{widened}  %offset = mul i64 %wide, {ALIGN}
  %to = getelementptr i64, ptr %offsets, i32 %slot
  store i64 %offset, ptr %to
  %next = add nuw nsw i32 %slot, 1
  %done = icmp eq i32 %next, {count}
  br i1 %done, label %filled, label %fill
filled:
  ret i64 {total}
}}
"""


def _staggered(writer: Writer, size: str) -> str:
    """The bytes that a staggered buffer takes, in native code: see ``_taken``."""
    write = writer.value
    rounded = write(f"and i64 {write(f'add i64 {size}, {ALIGN - 1}')}, {-ALIGN}")
    whole = write(f"icmp eq i64 {write(f'and i64 {rounded}, {PAGE - 1}')}, 0")
    aliases = write(f"and i1 {whole}, {write(f'icmp sge i64 {rounded}, {LEAST_STAGGERED}')}")
    return write(f"add i64 {rounded}, {write(f'select i1 {aliases}, i64 {STAGGER}, i64 0')}")


class _Checked:
    """Sizes computed with overflow checks, in the same order of operations as ``specs.dims``."""

    def __init__(self, writer: Writer, dims: list[str]):
        self._writer = writer
        self._positions = {name: number for number, name in enumerate(dims)}
        self._known: dict[Atom, str] = {}
        self._flag: str = "false"

    def overflowed(self) -> str:
        return self._flag

    def value(self, value: DimLike) -> str:
        if isinstance(value, int):
            if abs(value) >= 1 << 63:
                self._flag = "true"
                return "0"
            return str(value)
        total = "0"
        for monomial, factor in value.terms:
            term = str(factor)
            for atom in monomial:
                term = self._operate("smul", term, self._atom(atom))
            total = term if total == "0" else self._operate("sadd", total, term)
        return total

    def _operate(self, operation: str, a: str, b: str) -> str:
        write = self._writer.value
        if operation == "smul" and a == "1":
            return b
        pair = write(f"call {{i64, i1}} @llvm.{operation}.with.overflow.i64(i64 {a}, i64 {b})")
        self._flag = write(f"or i1 {self._flag}, {write(f'extractvalue {{i64, i1}} {pair}, 1')}")
        return write(f"extractvalue {{i64, i1}} {pair}, 0")

    def _atom(self, atom: Atom) -> str:
        if atom not in self._known:
            self._known[atom] = self._load(atom) if isinstance(atom, str) else self._call(atom)
        return self._known[atom]

    def _load(self, name: str) -> str:
        address = self._writer.value(f"getelementptr i64, ptr %dims, i32 {self._positions[name]}")
        return self._writer.result(f"load i64, ptr {address}")

    def _call(self, call: Call) -> str:
        write = self._writer.value
        if call.function == "floordiv":
            numerator, divisor = self.value(call.arguments[0]), call.arguments[1]
            quotient = write(f"sdiv i64 {numerator}, {divisor}")
            remainder = write(f"srem i64 {numerator}, {divisor}")
            return write(f"add i64 {quotient}, {write(f'ashr i64 {remainder}, 63')}")
        total = self.value(call.arguments[0])
        for argument in call.arguments[1:]:
            total = write(f"call i64 @llvm.s{call.function}.i64(i64 {total}, i64 {self.value(argument)})")
        return total
