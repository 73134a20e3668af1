"""What differs between families of CPUs and LLVM does not hide, with defaults for any family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..text.types import splat, vector
from ..text.writer import Writer


@dataclass(frozen=True, slots=True)
class Probe:
    """A function of one operation for which LLVM uses an instruction of a feature wherever code has it.

    ``function`` is its type, name and parameters in LLVM's language, ``operation`` what it returns, ``pattern`` a
    regular expression that its assembly matches if the feature is used.
    """

    function: str
    operation: str
    pattern: str

    @property
    def text(self) -> str:
        """The function, with attributes #0."""
        returned = self.function.split(" @")[0]
        called = re.search(r"call ((?:\S+|<[^>]+>) @[\w.]+)\((.*)\)", self.operation)
        declared = f"declare {called[1]}({re.sub(r' %[a-z]', '', called[2])})\n" if called else ""
        return f"{declared}define {self.function} #0 {{\n  %z = {self.operation}\n  ret {returned} %z\n}}\n"


class Family:
    """CPUs of one instruction set: ``architectures`` are its names in triples, the main one first.

    The defaults work for any family without knowledge of it: a waiting thread spins without a pause, denormals are
    computed with, programs do not check their CPU, stack frames are not read. All families use LLVM's atomic
    operations as fences.
    """

    architectures: ClassVar[tuple[str, ...]] = ()
    least_cpu: ClassVar[str] = "generic"
    """LLVM's name for the baseline that every CPU of the family has."""
    least_features: ClassVar[str] = ""
    base_features: ClassVar[str] = ""
    """Features that code for every CPU of the family uses, where LLVM's baseline is less than all systems have."""
    abi: ClassVar[str] = ""
    """LLVM's name of how functions are called, where its default is another than systems have."""
    checked: ClassVar[tuple[str, ...]] = ()
    """The features that programs check their CPU for, as LLVM spells them."""
    probes: ClassVar[Mapping[str, Probe]] = {}
    """How to learn which features code uses where LLVM inlines functions without regard to them."""
    attributes: ClassVar[tuple[str, ...]] = ()
    """Attributes that every function has."""
    pause: ClassVar[str] = ""
    """The instruction that a waiting thread runs between looks, so that other threads of its core make progress."""
    declarations: ClassVar[tuple[str, ...]] = ()
    """The functions that ``pause`` calls."""
    futex: ClassVar[int] = 0
    """The number of Linux's system call that sleeps until a word of memory changes; 0: unknown."""
    propagates_nan: ClassVar[bool] = False
    """Whether one instruction computes the maximum of two floats, and NaN if either is."""

    flags_nan: ClassVar[bool] = False
    """Whether a comparison of floats sets flags, of which one says that either is NaN."""
    flushes_denormals: ClassVar[bool] = False
    """Whether vector arithmetic treats denormals as zero, in entries or always."""
    compact: ClassVar[bool] = False
    """Whether code should rather be short than fast, since flash is scarce."""
    l1_bytes: ClassVar[int] = 32 << 10
    """The least bytes of a core's first and second data cache."""
    l2_bytes: ClassVar[int] = 256 << 10

    quantized_data: ClassVar[Literal["int8", "uint8"]] = "int8"
    """The dtype of quantized data that its products of bytes take: int8, or uint8. Weights are int8."""

    early_elements: ClassVar[int] = 4
    """How many scalars LLVM loads before arithmetic with all lanes needs them, each in a register of its own."""

    def __init__(self, architecture: str):
        self.name = self.architectures[0] if self.architectures else architecture

    def vector_bytes(self, assembly: str) -> int:
        """The size of the vector registers in which LLVM's code for it holds many floats."""
        return 16

    def broadcast_operand(self, assembly: str) -> bool:
        """Whether LLVM's code for a vector times a scalar in memory reads the scalar as an operand, for all lanes."""
        return False

    def vector_registers(self, vector_bytes: int) -> int:
        """How many vector registers of a size there are."""
        return 16

    def store_pieces(self, has: Callable[[str], bool]) -> int:
        """How many stores at most are better than one with a mask."""
        return 3

    def widens_half(self, has: Callable[[str], bool]) -> bool:
        """Whether an instruction makes float32 of float16. ``has`` as in ``dot4``."""
        return False

    def dot4(
        self, writer: Writer, has: Callable[[str], bool], signed: bool, lanes: int, a: str, b: str, c: str
    ) -> str:
        """Writes c + a·b in int32 with four products of bytes per lane, and returns the result.

        ``a`` (int8 if ``signed``, else uint8) and ``b`` (int8) are vectors of ``4·lanes`` bytes. ``has`` tells
        whether the target has a feature, as LLVM spells it.
        """
        whole = vector("i32", lanes)
        a, b = (writer.value(f"bitcast {vector('i8', 4 * lanes)} {x} to {whole}") for x in (a, b))
        for byte in range(4):
            high = 24 - 8 * byte
            pair = []
            for x, is_signed in ((a, signed), (b, True)):
                if high:
                    x = writer.value(f"shl {whole} {x}, {splat('i32', str(high), lanes)}")
                shift = "ashr" if is_signed else "lshr"
                pair.append(writer.value(f"{shift} {whole} {x}, {splat('i32', '24', lanes)}"))
            c = writer.value(f"add {whole} {c}, {writer.value(f'mul {whole} {pair[0]}, {pair[1]}')}")
        return c

    def flush_denormals(self, writer: Writer) -> str:
        """Writes code after which denormals are zero; returns what `restore_denormals` needs, if anything."""
        return ""

    def restore_denormals(self, writer: Writer, status: str) -> None:
        """Writes code that undoes `flush_denormals`."""

    def ask(self, name: str, needed: Sequence[str]) -> str:
        """The LLVM text of ``int64_t NAME(void)``: bit i is set if the CPU lacks the i-th feature of ``needed``.

        Attributes #1 are those of functions for every CPU of the family. Called only if `asks`.
        """
        return nothing_lacks(name)

    def asks(self, *, linux: bool, assembles: bool) -> bool:
        """Whether programs can check their CPU: under Linux or not, with inline assembly or without."""
        return False

    def stack_accesses(self, assembly: Sequence[str]) -> list[int] | None:
        """The lines of one function's assembly that store a vector register on the stack, load it from there, or
        compute with it there; None if unknown."""
        return None

    def frame_bytes(self, assembly: str) -> int | None:
        """The stack bytes that one function takes besides its return address, read from its assembly; None if
        unknown."""
        return None


def nothing_lacks(name: str) -> str:
    """The text of a check that finds nothing missing."""
    return f'define i64 @"{name}"() #1 {{\n  ret i64 0\n}}\n'


def capabilities(
    name: str, needed: Sequence[str], bits: Mapping[str, tuple[int, int]], asking: str, declared: str
) -> str:
    """The text of a check by two words of bits: each feature has its ``bits`` in the first and in the second.

    ``asking`` are the lines that leave the words in %first and %second; ``declared`` what they call.
    """
    lines = [asking, "  %lacks.0 = or i64 0, 0"]
    for number, feature in enumerate(needed):
        first, second = bits[feature]
        lines += [
            f"  %had.{number} = and i64 %first, {first}",
            f"  %had.more.{number} = and i64 %second, {second}",
            f"  %no.{number} = icmp ne i64 %had.{number}, {first}",
            f"  %no.more.{number} = icmp ne i64 %had.more.{number}, {second}",
            f"  %lack.{number} = or i1 %no.{number}, %no.more.{number}",
            f"  %wide.{number} = zext i1 %lack.{number} to i64",
            f"  %at.{number} = shl i64 %wide.{number}, {number}",
            f"  %lacks.{number + 1} = or i64 %lacks.{number}, %at.{number}",
        ]
    return declared + kept(name, "\n".join(lines), f"%lacks.{len(needed)}", "ask")


def kept(name: str, asking: str, result: str, last: str) -> str:
    """The text of a check that runs once and keeps its result, since asking may take a virtual machine long.

    ``asking`` are the lines of the check; they end in block ``last`` with ``result``.
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
