"""Guards: each entry's public function, which runs on every CPU of the family, checks the call, and then enters.

A caller in C can make mistakes that would crash its process: call on a CPU that lacks what the code uses, pass a NULL
pointer, or let an entry write into contents that are part of the library. The guard returns an error code for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netwright.specs.manifest import BAD_NUMBERS, CPU_LACKS, MISSING_POINTER, READ_ONLY_CONTENTS

from ...loop import ir
from ..targets.target import Target
from ..text.types import placed, symbol
from .features import missing_symbol
from .support import has_threads

#: Pointers checked in one block: LLVM takes more than linear time for long blocks.
_AT_ONCE = 32
_CONTEXT = "{ ptr, ptr, ptr, ptr, ptr }"


def write_guard(
    program: ir.Program,
    entry: ir.Entry,
    name: str,
    entered: str,
    contents: str | None,
    multiples: Mapping[str, int],
    target: Target,
    direct: Sequence[str] | None = None,
) -> str:
    """The LLVM text of the entry ``name`` as callers see it; ``entered`` is the function that it calls if nothing is
    wrong.

    ``contents`` is the symbol of the embedded contents, if any, and ``contents``_end their end. ``multiples`` are the
    numbers that dims must be multiples of. Where the ``target`` has no threads, nthreads is 1. ``direct``:
    the buffers that the function takes as arguments (``entries.direct_entries``).
    """
    guard = _Guard()
    lacks = guard.value(f"call i64 {symbol(missing_symbol(program.model))}()")
    guard.leave_if(CPU_LACKS, guard.compare("ne i64", lacks, "0"))
    guard.leave_if(MISSING_POINTER, guard.compare("eq ptr", "%context", "null"))
    negative = guard.compare("slt i32", "%tid", "0")
    wrong = [negative, guard.compare("sge i32", "%tid", "%nthreads")]
    guard.leave_if(
        BAD_NUMBERS, *wrong, *([] if has_threads(target) else [guard.compare("sgt i32", "%nthreads", "1")])
    )

    dims, buffers, arena, offsets, barrier = (
        guard.load("ptr", _CONTEXT, "%context", f"i32 0, i32 {i}") for i in range(5)
    )
    positions = {buffer.name: number for number, buffer in enumerate(program.table)}
    used = [buffer for buffer in entry.function.buffers if buffer.name in positions and 0 not in buffer.shape]
    needed = [dims] if entry.function.dims else []
    needed += [buffers] if used else []
    needed += [arena, offsets] if entry.arena else []
    alone = guard.compare("sle i32", "%nthreads", "1")
    needed.append(guard.value(f"select i1 {alone}, ptr %context, ptr {barrier}"))
    guard.leave_if(MISSING_POINTER, *(guard.compare("eq ptr", pointer, "null") for pointer in needed))

    def address_of(buffer: ir.Buffer) -> str:
        return guard.load("ptr", "ptr", buffers, f"i32 {positions[buffer.name]}")

    for batch in _batches(used):
        guard.leave_if(
            MISSING_POINTER, *(guard.compare("eq ptr", address_of(buffer), "null") for buffer in batch)
        )

    order = {dim: number for number, (dim, _) in enumerate(program.dims)}
    wrong = [
        guard.compare("slt i64", guard.load("i64", "i64", dims, f"i32 {order[dim]}"), str(low))
        for dim, low in entry.function.dims
    ]
    wrong += [
        guard.compare(
            "ne i64",
            guard.value(f"srem i64 {guard.load('i64', 'i64', dims, f'i32 {order[dim]}')}, {multiple}"),
            "0",
        )
        for dim, _ in entry.function.dims
        if (multiple := multiples.get(dim, 1)) > 1
    ]
    if entry.arena:
        address = guard.value(f"ptrtoint ptr {arena} to i64")
        wrong.append(guard.compare("ne i64", guard.value(f"and i64 {address}, 63"), "0"))
    shared = guard.value(f"select i1 {alone}, ptr null, ptr {barrier}")
    odd = guard.value(f"and i64 {guard.value(f'ptrtoint ptr {shared} to i64')}, 7")
    wrong.append(guard.compare("ne i64", odd, "0"))
    guard.leave_if(BAD_NUMBERS, *wrong)
    if contents is not None:
        first, end = symbol(contents), symbol(f"{contents}_end")
        for batch in _batches([buffer for buffer in used if buffer.access != "read"]):
            written = [address_of(buffer) for buffer in batch]
            inside = [
                guard.value(
                    f"and i1 {guard.compare('uge ptr', pointer, first)}, {guard.compare('ult ptr', pointer, end)}"
                )
                for pointer in written
            ]
            guard.leave_if(READ_ONLY_CONTENTS, *inside)
    arguments = "ptr %context, i32 %tid, i32 %nthreads"
    if direct is not None:
        given = (guard.load("ptr", "ptr", buffers, f"i32 {positions[buffer]}") for buffer in direct)
        arguments = ", ".join(f"ptr {pointer}" for pointer in (buffers, arena, *given))
    code = guard.value(f"tail call i32 {symbol(entered)}({arguments})")
    guard.lines.append(f"  ret i32 {code}")
    place = placed(name, target.is_bare)
    head = f"define i32 {symbol(name)}(ptr %context, i32 %tid, i32 %nthreads) #1{place} {{\nentry:\n"
    return head + "\n".join(guard.lines) + "\n}\n"


def _batches(buffers: Sequence[ir.Buffer]) -> Iterator[Sequence[ir.Buffer]]:
    for start in range(0, len(buffers), _AT_ONCE):
        yield buffers[start : start + _AT_ONCE]


class _Guard:
    """Collects the lines of a function that returns error codes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0

    def value(self, text: str) -> str:
        self._count += 1
        self.lines.append(f"  %g{self._count} = {text}")
        return f"%g{self._count}"

    def load(self, type: str, base_type: str, base: str, indices: str) -> str:
        address = self.value(f"getelementptr {base_type}, ptr {base}, {indices}")
        return self.value(f"load {type}, ptr {address}")

    def compare(self, how: str, left: str, right: str) -> str:
        return self.value(f"icmp {how} {left}, {right}")

    def leave_if(self, code: int, *conditions: str) -> None:
        """Returns ``code`` if any of the conditions holds."""
        if not conditions:
            return
        total = conditions[0]
        for other in conditions[1:]:
            total = self.value(f"or i1 {total}, {other}")
        self._count += 1
        leave, stay = f"leave{self._count}", f"stay{self._count}"
        self.lines += [
            f"  br i1 {total}, label %{leave}, label %{stay}",
            f"{leave}:",
            f"  ret i32 {code}",
            f"{stay}:",
        ]
