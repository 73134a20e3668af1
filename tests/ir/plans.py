"""What lowering decides about a graph, as text: roles, groups, tilings, plans, loops, kernels, memory and calls.

Files are as in ``cases``, in ``plans/<plan>/<rule>.txt``, with a line ``plan:`` in place of ``pass:`` and ``-- plan``
as the mark. The graph is one that the phase ``memory`` leaves as it is: what is decided about it stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from itertools import groupby

from netwright.compiler.codegen.llvm.planner import reference_plan
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Node
from netwright.compiler.graph.text import print_value
from netwright.compiler.loop import ir
from netwright.compiler.loop.marks import watched
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.lowering.blocks import chains
from netwright.compiler.lowering.grouping.groups import Group, Grouping
from netwright.compiler.lowering.grouping.inside import values_inside
from netwright.compiler.lowering.grouping.roles import Roles
from netwright.compiler.lowering.outer.parts import parts_of
from netwright.compiler.lowering.outer.tiling import OuterTiling, outer_tiling
from netwright.compiler.lowering.reading.reuse import values_over
from netwright.compiler.lowering.tiles.ahead import ahead
from netwright.compiler.lowering.tiles.plans import Planned
from netwright.compiler.lowering.tiles.tiling import Tiling, choose_tilings
from netwright.compiler.observers import Observer, Refusal, Stored
from netwright.compiler.plans.costs import Work
from netwright.specs.dims import dim

from ..lowering.engines import lowered
from .cases import Case

MARK = "-- plan\n"
#: What lines of kernels begin with that say how statements run.
_SHOWN = ("kernel", "for", "parallel", "if", "else:", "read", "write", "readwrite", "local")


def roles(case: Case) -> Iterator[str]:
    """A line per node: its role, and what it is read through where that costs nothing."""
    found = Roles(case.before)
    for node in case.before:
        yield f"{_named(node)}: {found.parts[node.id].role}"


def grouping(case: Case) -> Iterator[str]:
    """A line per group in program order, then what runs block by block, and the fusions that were refused."""
    refused = _Refused([])
    groups = Grouping(Roles(case.before), refused)
    for group in groups.groups:
        if group.members:
            values = [value for part in group.members for value in part.node.values if group.fusable]
            stored = [print_value(case.before, value) for value in values if groups.stored(value)]
            yield _group(group) + (f"; stores {', '.join(stored)}" if stored else "")
    for chain in chains(groups.roles, groups, case.machine):
        orders = [group.order for group in (chain.into, chain.multiplied, chain.back)]
        yield f"in blocks of {chain.rows} rows of tiles: groups {', '.join(map(str, orders))}"
    for one in refused.all:
        yield f"refused {_named(one.node)}: {one.rule}; {one.saved} bytes"


def tilings(case: Case) -> Iterator[str]:
    """A line per group, and below it the tilings that its kernel may have, best first."""
    groups = Grouping(Roles(case.before))
    for group in groups.groups:
        if group.fusable:
            yield _group(group)
            least = dict.fromkeys(case.dims, 1)
            outer = outer_tiling(groups.roles, group, group.space, least, case.machine)
            if outer is not None:
                yield f"  outer products: {outer.describe(group.space, group.contractions()[0].extents)}"
            stored = [value for part in group.members for value in part.node.values if groups.stored(value)]
            for tiling in choose_tilings(groups.roles, group, group.space, stored, case.machine):
                yield f"  {_tiling(tiling)}"


def parts(case: Case) -> Iterator[str]:
    """A line per group with a product: in how many parts it is summed up, of samples and of each one's cells."""
    groups = Grouping(Roles(case.before))
    for group in groups.groups:
        if group.multiplies:
            found = parts_of(groups.roles, group, dict.fromkeys(case.dims, 1), case.machine)
            how = "at once" if found is None else f"{found.samples}×{found.rows} {found.name}"
            yield f"{_group(group)}: {how}"


def inside(case: Case) -> Iterator[str]:
    """A line per value that lies inside another: in which one, and how far its elements are moved there."""
    groups = Grouping(Roles(case.before))
    outputs = set(case.before.outputs.values())
    found = values_inside(groups.roles, groups, outputs, dict.fromkeys(case.dims, 1))
    for value, place in found.items():
        names = [print_value(case.before, each) for each in (value, place.whole)]
        yield f"{names[0]} inside {names[1]} at {', '.join(map(str, place.shift))}"


def over(case: Case) -> Iterator[str]:
    """A line per value that takes the memory of another."""
    groups = Grouping(Roles(case.before))
    outputs = set(case.before.outputs.values())
    lying = values_inside(groups.roles, groups, outputs, dict.fromkeys(case.dims, 1))
    fixed = {*outputs, *lying, *(place.whole for place in lying.values())}
    blocks = chains(groups.roles, groups, case.machine)
    late = {group.order for chain in blocks for group in (chain.into, chain.multiplied, chain.back)}
    for new, old in values_over(groups.roles, groups, fixed, late).items():
        yield f"{print_value(case.before, new)} over {print_value(case.before, old)}"


def outer(case: Case) -> Iterator[str]:
    """A line per group: the tiles of its sum of outer products, with their blocks and shares."""
    groups = Grouping(Roles(case.before))
    for group in groups.groups:
        tiling = outer_tiling(groups.roles, group, group.space, dict.fromkeys(case.dims, 1), case.machine)
        text = "no outer products"
        if tiling is not None:
            text = tiling.describe(group.space, group.contractions()[0].extents) + _more(tiling)
        yield f"{_group(group)}: {text}"


def memory(case: Case) -> Iterator[str]:
    """The arena's buffers with the calls between which they live, where they lie for the sizes of ``dims``, and the
    calls."""
    program, text = _lowered(case)
    yield text[text.index("entry main") :].rstrip()
    total, offsets = reference_plan(program.entries["main"].arena, case.dims)
    yield f"{total} bytes" + "".join(
        f", {buffer.name} at {offset}"
        for buffer, offset in zip(program.entries["main"].arena, offsets, strict=True)
    )


def kernels(case: Case) -> Iterator[str]:
    """The kernels."""
    _, text = _lowered(case)
    yield text[text.index("kernel ") : text.index("entry main")].rstrip()


def loops(case: Case) -> Iterator[str]:
    """The loops, conditions and buffers of the kernels, and how many statements are between them."""
    _, text = _lowered(case)
    text = text[text.index("kernel ") : text.index("entry main")]
    for shown, lines in groupby(filter(str.strip, text.splitlines()), lambda line: line.split()[0] in _SHOWN):
        if shown:
            yield from lines
        else:
            first, *others = lines
            yield f"{first[: len(first) - len(first.lstrip())]}{1 + len(others)} statements"


def prefetches(case: Case) -> Iterator[str]:
    """What kernels fetch ahead: each prefetch once, however often it is there."""
    _, text = _lowered(case)
    for kernel in text[: text.index("entry main")].split("kernel ")[1:]:
        lines = dict.fromkeys(line.strip() for line in kernel.splitlines() if "prefetch" in line)
        yield f"{kernel.partition('(')[0]}: {'; '.join(lines) or 'nothing'}"


def _lowered(case: Case) -> tuple[ir.Program, str]:
    """The program, and its text with kernels by number instead of by content."""
    program, _ = lowered(case.before, case.machine, opens=case.opens)
    text = program_text(program)
    for number, name in enumerate(program.kernels):
        text = text.replace(name, f"k{number}")
    return program, text


def planning(case: Case) -> Iterator[str]:
    """Per kernel its plan; what it counts as work; what else could be measured, by the product's signature; and which
    part of the next weights the tile at i0, i1, … fetches ahead."""
    program, _ = lowered(case.before, case.machine)
    for call in watched(program.entries["main"]).moments:
        planned = None if call is None else call.info.planned
        if not isinstance(planned, Planned):
            continue
        yield str(planned.plan)
        if planned.work is not None:
            yield f"  {_work(planned.work)}"
        if planned.is_tunable:
            yield f"  {planned.signature}: {planned.choice}; or {' | '.join(map(str, planned.others))}"
        if planned.plan.prefetch:
            assert planned.tiling is not None
            index = {axis: dim(f"i{axis}") for axis in planned.plan.order}
            made = ahead(planned.tiling, planned.space, planned.plan.order, index, case.machine)
            assert made is not None
            yield f"  fetches part {made.part} of {made.parts}, {made.columns} columns on"


def _more(tiling: OuterTiling) -> str:
    """What a sum of outer products does not say in words."""
    shares = "" if tiling.held is None else f" in shares of {'×'.join(map(str, tiling.held))}"
    cut = "" if tiling.cut is None else f", {tiling.block} steps of axis {tiling.cut}"
    held = f", sums held{shares}" if tiling.finishes else ""
    return cut + held + ("" if tiling.unrolls else ", terms one by one")


def _work(work: Work) -> str:
    outer = "".join(f"{size} × " for size in work.outer)
    counts = f"{work.products} products, {work.cells} cells"
    left = "" if work.left is None else f"; left: {work.left}"
    return (
        f"{outer}{work.rows} × {work.columns} results of {work.terms} terms, {work.inner} innermost; {counts}; "
        f"{work.shared} bytes by columns, {work.others} others; lanes {work.lanes}{left}"
    )


def calls(case: Case) -> Iterator[str]:
    """Per call: its operations, its tiles, and the arithmetic that it counts for which of its layers; then which values
    are in memory once how many moments have been, and for which layers."""
    seen = _Seen([])
    program, _ = lowered(case.before, case.machine, observer=seen)
    for call in watched(program.entries["main"]).moments:
        if call is not None:
            info = call.info
            layers = f" for {info.main!r} of {', '.join(info.layers)}" if info.layers else ""
            yield f"{' '.join(info.operations)} in {info.tiles or 'no tiles'}: {info.flops}{layers}"
    for graph, stored in seen.all:
        layers = f" for {', '.join(stored.layers)}" if stored.layers else ""
        place = f"{stored.buffer} from {stored.offset} after {stored.after}"
        yield f"{print_value(graph, stored.value)} in {place}{layers}"


PLANS: dict[str, Callable[[Case], Iterator[str]]] = {
    "roles": roles,
    "grouping": grouping,
    "tilings": tilings,
    "outer": outer,
    "parts": parts,
    "planning": planning,
    "kernels": kernels,
    "prefetches": prefetches,
    "loops": loops,
    "inside": inside,
    "over": over,
    "calls": calls,
    "memory": memory,
}


class _Refused(Observer):
    def __init__(self, all: list[Refusal]):
        self.all = all

    def refused(self, refusal: Refusal) -> None:
        self.all.append(refusal)


class _Seen(Observer):
    def __init__(self, all: list[tuple[Graph, Stored]]):
        self.all = all

    def lowered(self, entry: str, graph: Graph, stored: Sequence[Stored]) -> None:
        self.all += [(graph, each) for each in stored]


def _named(node: Node) -> str:
    return f"%{node.id} {node.op}"


def _group(group: Group) -> str:
    space = ", ".join(map(str, group.space))
    return f"group {group.order} over [{space}]: {', '.join(_named(part.node) for part in group.members)}"


def _tiling(tiling: Tiling) -> str:
    """What differs from a loop over single elements, but for what follows from the rest."""
    names = [each for each in fields(tiling) if each.name not in ("accumulators", "cells")]
    shown = [(each.name, getattr(tiling, each.name), each.default) for each in names]
    return ", ".join(f"{name} {value}" for name, value, default in shown if value != default)
