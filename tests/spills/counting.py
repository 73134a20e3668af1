"""Counts vector accesses to the stack in a kernel's assembly, by the loop in which they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import llvmlite.binding as llvm

from netwright.compiler.codegen.llvm.statements import write_kernel
from netwright.compiler.codegen.objects.compile import optimize
from netwright.compiler.codegen.targets.target import Target
from netwright.compiler.loop import ir

#: What LLVM says of a block: its number, its name in the module, and the innermost loop that it is in.
_BLOCK = re.compile(r"^\.?L?BB(\d+_\d+):|^(?:#|//) %bb\.\d+:")
_NAME = re.compile(r"(?:#|//) %([\w.]+)\s*$")
_INNERMOST = re.compile(r"=>\s*This Inner Loop Header")
_WITHIN = re.compile(r"in Loop: Header=BB(\d+_\d+)")
#: The loops over what a contraction sums; lowering calls their variables so.
_REDUCTION = re.compile(r"k(_\d+)?\.\d+$")


@dataclass(frozen=True)
class Spills:
    """Vector accesses to the stack: in innermost loops of contractions, in other innermost loops, anywhere."""

    reduction: int
    inner: int
    all: int

    def __add__(self, other: Spills) -> Spills:
        return Spills(self.reduction + other.reduction, self.inner + other.inner, self.all + other.all)


NONE = Spills(0, 0, 0)
#: LLVM's level of code generation for files; code for this process has `compile.LEVEL`.
FILES = 3


def assembly_of(kernel: ir.Function, target: Target, level: int = FILES) -> str:
    """With LLVM's remarks on loops and blocks, generated at a ``level`` of LLVM's."""
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel="small"
    )
    machine.set_asm_verbosity(True)
    return machine.emit_assembly(optimize(write_kernel(kernel, "kernel", target), target))


def count(assembly: str, target: Target) -> Spills:
    """What a kernel's assembly holds."""
    lines = assembly.splitlines()
    found = target.family.stack_accesses(lines)
    assert found is not None, f"nobody has said how {target.family.name} reaches its stack"
    loops = list(_innermost(lines))
    counts = {True: 0, False: 0}
    for number in found:
        name = loops[number]
        if name is not None:
            counts[_REDUCTION.match(name) is not None] += 1
    return Spills(counts[True], counts[False], len(found))


def _innermost(lines: list[str]) -> Iterator[str | None]:
    """For each line the name of the innermost loop's header that it is in, if it is in one."""
    headers: dict[str, str | None] = {}
    name: str | None = None
    for number, line in enumerate(lines):
        if block := _BLOCK.match(line):
            remarks = [line]
            for below in lines[number + 1 :]:
                if not below.lstrip().startswith(("#", "//")):
                    break
                remarks.append(below)
            text = "\n".join(remarks)
            within = _WITHIN.search(text)
            name = headers.get(within[1]) if within else None
            if block[1] and "Loop Header" in text:
                named = _NAME.search(line)
                name = headers[block[1]] = named[1] if named and _INNERMOST.search(text) else None
        yield name
