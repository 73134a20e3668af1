"""Entries as LLVM functions: the context, the arena, threads and error codes around a body that calls kernels.

Threads: every call of a kernel is a region that the threads divide (ll/shares.ll), into as many shares as its work
pays for. All threads go through the same regions in the same order, since that depends on dims alone, never on data.
An error in the data is recorded in the shared block, and latched at the end of the region, where all threads leave
with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netwright.specs.manifest import Manifest, c_prefix

from ...loop import ir
from ...loop.checks.calls import statements_of
from ...loop.marks import marked, watched
from ...loop.work import WorkEstimates
from ..targets.target import Target
from ..text.types import symbol
from ..text.writer import Writer
from .begins import begins
from .bodies import BARRIER, Body, Frame, field_of
from .features import attributes_of_all, missing_symbol, write_missing
from .guards import write_guard
from .planner import PLAN_DECLARATION, PLANNER_DECLARATIONS, settled_offsets, write_plan
from .regions import SHARE_DECLARATIONS, Alone, Regions
from .statements import module
from .support import has_threads, plan_limit


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
        entered = entered_symbol(name)
        frame = Frame(entered, program, entry, kernel_symbols, target, works, failing, begun, watch, given)
        definitions += [
            *_write_entry(frame, declarations, shared),
            write_guard(program, entry, name, entered, contents, multiples or {}, target, given),
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


def _write_entry(frame: Frame, declarations: set[str], shared: set[str]) -> Iterator[str]:
    """The entry, as its guard calls it, and its parts. Adds what they declare, and the functions that they share with
    other entries."""
    writer, target = Writer(), frame.target
    result = writer.slot("i32")
    block = field_of(writer, BARRIER) if frame.direct is None else "null"
    # Denormals are a hundred times slower, and make no difference to a network.
    status = target.family.flush_denormals(writer)

    def fail(code: str) -> None:
        writer.line(f"store i32 {code}, ptr {result}")
        writer.branch("finish")

    frame.parts.threads = frame.regions is Regions
    body = Body(frame, writer, frame.regions.begun(writer, block), {}, fail)
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
    for name, divide in frame.parts.shares.items():
        yield _write_share(frame, name, divide, declarations)


def _write_part(
    frame: Frame,
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
    body = Body(
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


def _write_share(frame: Frame, name: str, divide: ir.Divide, declarations: set[str]) -> str:
    """What a thread runs for its share of samples; the result is the entry's error code."""
    writer = Writer()
    body = Body(frame, writer, Alone.passed(writer), {}, lambda code: writer.line(f"ret i32 {code}"))
    body.write_share(divide)
    writer.line("ret i32 0")
    declarations |= writer.declarations
    head = f"define internal i32 {symbol(frame.part_symbol(name))}(ptr %context, i32 %share, i32 %shares) #0"
    return f"{head} {{\nentry:\n{writer.text()}\n}}\n"
