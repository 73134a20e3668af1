"""What a family of CPUs needs that LLVM does not hide, and what stands for families that need nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..writer import Writer


class Family:
    """CPUs of one instruction set: ``architectures`` is what triples call it, its own name first.

    What is here serves any family, and knows nothing about it: a thread that waits spins without a pause, denormals
    are computed with, programs do not ask their CPU what it has, stack frames are not understood. Fences are LLVM's
    atomic operations in all families.
    """

    architectures: ClassVar[tuple[str, ...]] = ()
    least_cpu: ClassVar[str] = "generic"
    """LLVM's name for what every CPU of the family has."""
    least_features: ClassVar[str] = ""
    checked: ClassVar[tuple[str, ...]] = ()
    """The features of which programs ask whether their CPU has them, as LLVM spells them."""
    attributes: ClassVar[tuple[str, ...]] = ()
    """Attributes that every function has."""
    pause: ClassVar[str] = ""
    """The instruction that a waiting thread runs per look, so that the other threads of its core get on."""
    declarations: ClassVar[tuple[str, ...]] = ()
    """What ``pause`` calls."""
    futex: ClassVar[int] = 0
    """The number of Linux's system call that sleeps until a word of memory changes; 0: not known."""
    propagates_nan: ClassVar[bool] = False
    """Whether one instruction gives the larger of two floats, and NaN where either is."""

    flushes_denormals: ClassVar[bool] = False
    """Whether arithmetic on vectors takes denormals for zero, in entries or always."""
    l1_bytes: ClassVar[int] = 32 << 10
    """The least that a core has for data in its first cache, and in its second."""
    l2_bytes: ClassVar[int] = 256 << 10

    def __init__(self, architecture: str):
        self.name = self.architectures[0] if self.architectures else architecture

    def vector_bytes(self, assembly: str) -> int:
        """The size of the vector registers in which LLVM's code for it keeps many floats."""
        return 16

    def broadcast_operand(self, assembly: str) -> bool:
        """Whether LLVM's code for a vector times a scalar in memory reads the scalar as an operand, for all lanes."""
        return False

    def vector_registers(self, vector_bytes: int) -> int:
        """How many vector registers of a size there are."""
        return 16

    def flush_denormals(self, writer: Writer) -> str:
        """Writes that denormals are zero from here on; gives what `restore_denormals` needs, if anything."""
        return ""

    def restore_denormals(self, writer: Writer, status: str) -> None:
        """Writes that denormals are again what they were."""

    def ask(self, name: str, needed: Sequence[str]) -> str:
        """The LLVM text of ``int64_t NAME(void)``: bit i is set where the CPU lacks the i-th feature of ``needed``.

        Attributes #1 are those of functions for every CPU of the family. Only where the family `asks`.
        """
        return nothing_lacks(name)

    def asks(self, *, linux: bool, assembles: bool) -> bool:
        """Whether programs can ask: for Linux or not, with inline assembly or without."""
        return False

    def stack_accesses(self, assembly: Sequence[str]) -> list[int] | None:
        """The lines of one function's assembly that move a vector register to the stack, or work on one there."""
        return None

    def frame_bytes(self, assembly: str) -> int | None:
        """The stack that one function takes beside its return address, read from its assembly."""
        return None


def nothing_lacks(name: str) -> str:
    """The text of the function that asks where there is nothing to ask for."""
    return f'define i64 @"{name}"() #1 {{\n  ret i64 0\n}}\n'


def kept(name: str, asking: str, result: str, last: str) -> str:
    """The text of the function that asks once and keeps the answer, since asking may take a virtual machine long.

    ``asking`` are the lines that end in block ``last`` with ``result``.
    """
    return f"""@"{name}.known" = internal global i64 -1

define i64 @"{name}"() #1 {{
entry:
  %known = load atomic i64, ptr @"{name}.known" monotonic, align 8
  %new = icmp eq i64 %known, -1
  br i1 %new, label %ask, label %done
ask:
{asking}
  store atomic i64 {result}, ptr @"{name}.known" monotonic, align 8
  br label %done
done:
  %result = phi i64 [ %known, %entry ], [ {result}, %{last} ]
  ret i64 %result
}}
"""
