"""Targets: for which CPU machine code is generated, and how LLVM is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import llvmlite.binding as llvm

from ..families import Family, family
from .cpus import all_cpus, known_cpus, triple_of


@dataclass(frozen=True, slots=True)
class Target:
    """A target: LLVM's triple, CPU name and feature list (``+avx2,-avx512f,…``; empty: all that the CPU has)."""

    triple: str
    cpu: str
    features: str = ""

    @property
    def family(self) -> Family:
        """The family of CPUs that the target belongs to."""
        return family(self.triple.split("-")[0])

    @property
    def is_linux(self) -> bool:
        return "-linux" in self.triple

    @property
    def assembles(self) -> bool:
        """Whether LLVM can assemble inline assembly for it: only for this machine's own family."""
        return self.family is host_target().family

    @property
    def is_darwin(self) -> bool:
        return "-darwin" in self.triple or "-macos" in self.triple

    @property
    def is_windows(self) -> bool:
        return "-windows" in self.triple

    @property
    def is_wasm(self) -> bool:
        return self.family.name.startswith("wasm")

    @property
    def is_posix(self) -> bool:
        """Whether the system has POSIX threads, signals and file permissions."""
        return self.is_linux or self.is_darwin

    @property
    def has_system(self) -> bool:
        """Whether a system loads programs at addresses of its choice; WebAssembly and bare machines know the
        address."""
        return self.is_posix or self.is_windows

    @property
    def is_bare(self) -> bool:
        """Whether there is no system at all."""
        return not (self.has_system or self.is_wasm)

    @property
    def is_64_bit(self) -> bool:
        return "64" in self.family.name


class TargetError(ValueError):
    """LLVM does not know a triple or CPU; the message says which, and what there is."""


@cache
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.initialize_native_asmparser()


@cache
def host_target() -> Target:
    """This machine."""
    _initialize()
    return Target(llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


def named_target(cpu: str, triple: str | None = None) -> Target:
    """The target for a CPU name as LLVM spells it; "native" is this machine, "generic" the baseline of its family.

    Without a triple, a name unknown in this machine's family is looked up in the others, and implies Linux, or macOS
    for CPUs by Apple. Raises TargetError for a triple or name that LLVM does not know.
    """
    _initialize()
    if triple is None and cpu == "native":
        return host_target()
    if cpu == "generic":
        triple = triple or llvm.get_process_triple()
    elif triple is None:
        triple = triple_of(cpu)
    if triple is None:
        raise TargetError(f"LLVM knows no CPU {cpu!r}; {_instead(cpu, all_cpus())}")
    try:
        llvm.Target.from_triple(triple)
    except RuntimeError as error:
        raise TargetError(f"LLVM knows no target {triple!r}") from error
    if cpu == "native":
        here = host_target()
        if Target(triple, cpu).family is not here.family:
            raise TargetError(
                f"native is this computer's CPU, {here.cpu}, and no CPU of {triple}: name one, or generic"
            )
        return Target(triple, here.cpu, here.features)
    if cpu != "generic" and cpu not in known_cpus(triple):
        raise TargetError(f"LLVM knows no CPU {cpu!r} for {triple}; {_instead(cpu, known_cpus(triple))}")
    family = Target(triple, cpu).family
    return Target(triple, family.least_cpu if cpu == "generic" else cpu, family.base_features)


def _instead(cpu: str, known: Iterable[str]) -> str:
    near = get_close_matches(cpu.lower(), sorted(known), 3, 0.6)
    return f"did you mean {', '.join(near)}?" if near else "native is this computer, generic any of its kind"


_machines = threading.local()


def machine(target: Target, *, level: int = 3) -> llvm.TargetMachine:
    """LLVM's code generator for ``target``, at a level from 0 (fast to compile) to 3 (fast code). One per thread: it
    must not be shared between threads."""
    _initialize()
    known: dict[tuple[Target, int], llvm.TargetMachine] = _machines.__dict__.setdefault("known", {})
    if (target, level) not in known:
        known[target, level] = llvm.Target.from_triple(target.triple).create_target_machine(
            cpu=target.cpu,
            features=target.features,
            opt=level,
            reloc="pic" if target.has_system else "static",
            codemodel="small",
            abiname=target.family.abi,
        )
    return known[target, level]


def attributes(target: Target) -> str:
    """The attributes of every function: the CPU, and that vectors keep the width they are written with."""
    parts = ["nounwind", f'"target-cpu"="{target.cpu}"']
    if target.features:
        parts.append(f'"target-features"="{target.features}"')
    return " ".join([*parts, *target.family.attributes])


@cache
def header(target: Target) -> str:
    """The first lines of every module."""
    layout = machine(target).target_data
    return f'target datalayout = "{layout}"\ntarget triple = "{target.triple}"\n'


@cache
def has_instruction(target: Target, intrinsic: str, arity: int) -> bool:
    """Whether ``llvm.INTRINSIC.f32`` is an instruction rather than a call of the C library."""
    arguments = ", ".join(["float %x"] * arity)
    parameters = ", ".join(["float"] * arity)
    text = f"""{header(target)}
declare float @llvm.{intrinsic}.f32({parameters})
define float @probe(float %x) #0 {{
  %y = call float @llvm.{intrinsic}.f32({arguments})
  ret float %y
}}
attributes #0 = {{ {attributes(target)} }}
"""
    assembly = machine(target).emit_assembly(llvm.parse_assembly(text))
    return re.search(rf"\b{intrinsic}f\b", assembly) is None
