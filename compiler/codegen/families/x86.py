"""x86: SSE to AVX-512, cpuid, MXCSR."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

from ..text.types import splat, vector
from ..text.writer import Writer
from .base import Family, kept

_YMM, _ZMM = 0x6, 0xE6  # bits of XCR0: the registers that the system must save

#: The features that the code generator uses: leaf and subleaf of cpuid, register and bit, and the state to be saved.
FEATURES = {
    "ssse3": (1, 0, "ecx", 9, 0),
    "sse4.1": (1, 0, "ecx", 19, 0),
    "sse4.2": (1, 0, "ecx", 20, 0),
    "movbe": (1, 0, "ecx", 22, 0),
    "popcnt": (1, 0, "ecx", 23, 0),
    "fma": (1, 0, "ecx", 12, _YMM),
    "avx": (1, 0, "ecx", 28, _YMM),
    "f16c": (1, 0, "ecx", 29, _YMM),
    "bmi": (7, 0, "ebx", 3, 0),
    "avx2": (7, 0, "ebx", 5, _YMM),
    "bmi2": (7, 0, "ebx", 8, 0),
    "avx512f": (7, 0, "ebx", 16, _ZMM),
    "avx512dq": (7, 0, "ebx", 17, _ZMM),
    "avx512ifma": (7, 0, "ebx", 21, _ZMM),
    "avx512cd": (7, 0, "ebx", 28, _ZMM),
    "avx512bw": (7, 0, "ebx", 30, _ZMM),
    "avx512vl": (7, 0, "ebx", 31, _ZMM),
    "avx512vbmi": (7, 0, "ecx", 1, _ZMM),
    "avx512vbmi2": (7, 0, "ecx", 6, _ZMM),
    "gfni": (7, 0, "ecx", 8, 0),
    "avx512vnni": (7, 0, "ecx", 11, _ZMM),
    "avx512bitalg": (7, 0, "ecx", 12, _ZMM),
    "avx512vpopcntdq": (7, 0, "ecx", 14, _ZMM),
    "avx512fp16": (7, 0, "edx", 23, _ZMM),
    "avxvnni": (7, 1, "eax", 4, _YMM),
    "avx512bf16": (7, 1, "eax", 5, _ZMM),
    "cmpccxadd": (7, 1, "eax", 7, 0),
    "avxifma": (7, 1, "eax", 23, _YMM),
    "avxvnniint8": (7, 1, "edx", 4, _YMM),
    "avxneconvert": (7, 1, "edx", 5, _YMM),
    "avxvnniint16": (7, 1, "edx", 10, _YMM),
    "egpr": (7, 1, "edx", 21, 0),
    "lzcnt": (0x80000001, 0, "ecx", 5, 0),
    "sse4a": (0x80000001, 0, "ecx", 6, 0),
    "xop": (0x80000001, 0, "ecx", 11, _YMM),
    "fma4": (0x80000001, 0, "ecx", 16, _YMM),
    "tbm": (0x80000001, 0, "ecx", 21, 0),
}
#: By the bits of a vector: the instruction that adds up pairs of products of 16 bits, and the feature that it needs.
_WORDS = {
    128: ("sse2", "llvm.x86.sse2.pmadd.wd"),
    256: ("avx2", "llvm.x86.avx2.pmadd.wd"),
    512: ("avx512bw", "llvm.x86.avx512.pmaddw.d.512"),
}
_REGISTERS = ("eax", "ebx", "ecx", "edx")
_FRAME = re.compile(r"\bmov[lq]\s+%[er]sp,\s*%[er]bp")
_SUB = re.compile(r"\bsubq\s+\$(\d+),\s*%rsp")
_ALIGN = re.compile(r"\bandq\s+\$-(\d+),\s*%rsp")


class X86(Family):
    """32-bit x86, and what both widths share."""

    architectures = ("i386", "i486", "i586", "i686")
    least_cpu = "i386"
    # Without these, LLVM splits 512-bit vectors on CPUs that it tunes for 256 bits.
    attributes = ('"prefer-vector-width"="512"', '"min-legal-vector-width"="512"')
    flushes_denormals = True
    quantized_data = "uint8"
    pause = "call void @llvm.x86.sse2.pause()"
    declarations = ("declare void @llvm.x86.sse2.pause()",)
    futex = 240

    def store_pieces(self, has: Callable[[str], bool]) -> int:
        """AVX-512 has registers for masks; with AVX's, a store of some lanes takes AMD's processors 18 cycles."""
        return 1 if has("avx512f") else 3

    def widens_half(self, has: Callable[[str], bool]) -> bool:
        return has("f16c")

    def dot4(
        self, writer: Writer, has: Callable[[str], bool], signed: bool, lanes: int, a: str, b: str, c: str
    ) -> str:
        """VNNI multiplies uint8 by int8. Without, the even and the odd bytes become words, of which an instruction
        of SSE2, AVX2 or AVX-512 adds up pairs of products."""
        bits = 32 * lanes
        vnni = (has("avx512vnni") and (bits == 512 or has("avx512vl"))) or (bits < 512 and has("avxvnni"))
        if not signed and vnni and bits in _WORDS:
            whole, quads = vector("i32", lanes), vector("i8", 4 * lanes)
            name = f"llvm.x86.avx512.vpdpbusd.{bits}"
            return writer.call(whole, name, (whole, c), (quads, a), (quads, b))
        if bits not in _WORDS or not has(_WORDS[bits][0]):
            return super().dot4(writer, has, signed, lanes, a, b, c)
        words, whole = vector("i16", 2 * lanes), vector("i32", lanes)
        eight = splat("i16", "8", 2 * lanes)
        a, b = (writer.value(f"bitcast {vector('i8', 4 * lanes)} {x} to {words}") for x in (a, b))
        for odd in (False, True):
            pair = []
            for x, is_signed in ((a, signed), (b, True)):
                if not odd:
                    x = writer.value(f"shl {words} {x}, {eight}")
                pair.append((words, writer.value(f"{'ashr' if is_signed else 'lshr'} {words} {x}, {eight}")))
            c = writer.value(f"add {whole} {c}, {writer.call(whole, _WORDS[bits][1], *pair)}")
        return c

    def vector_bytes(self, assembly: str) -> int:
        return 64 if "%zmm" in assembly else 32 if "%ymm" in assembly else 16

    def broadcast_operand(self, assembly: str) -> bool:
        return "{1to" in assembly

    def vector_registers(self, vector_bytes: int) -> int:
        return 8

    def stack_accesses(self, assembly: Sequence[str]) -> list[int]:
        framed = any(_FRAME.search(line) for line in assembly)  # otherwise rbp is a general register
        access = re.compile(rf"^(?=.*%[xyz]mm)(?=.*\(%[er]{'[sb]' if framed else 's'}p)")
        return [number for number, line in enumerate(assembly) if access.search(line)]

    def flush_denormals(self, writer: Writer) -> str:
        writer.declarations.add("declare void @llvm.x86.sse.stmxcsr(ptr)")
        writer.declarations.add("declare void @llvm.x86.sse.ldmxcsr(ptr)")
        before, slot = writer.slot("i32"), writer.slot("i32")
        writer.line(f"call void @llvm.x86.sse.stmxcsr(ptr {before})")
        old = writer.result(f"load i32, ptr {before}")
        writer.line(f"store i32 {writer.value(f'or i32 {old}, 32832')}, ptr {slot}")  # FTZ and DAZ
        writer.line(f"call void @llvm.x86.sse.ldmxcsr(ptr {slot})")
        return before

    def restore_denormals(self, writer: Writer, status: str) -> None:
        writer.line(f"call void @llvm.x86.sse.ldmxcsr(ptr {status})")


class X8664(X86):
    """x86-64: programs ask cpuid whether the CPU has the features that their code uses."""

    architectures = ("x86_64", "amd64")
    least_cpu = "x86-64"
    least_features = "+sse2"
    futex = 202
    checked: ClassVar[tuple[str, ...]] = tuple(FEATURES)
    early_elements = 0

    def vector_registers(self, vector_bytes: int) -> int:
        return 32 if vector_bytes == 64 else 16

    def frame_bytes(self, assembly: str) -> int:
        pushed = 8 * len(re.findall(r"\bpushq\b", assembly))
        own = max(map(int, _SUB.findall(assembly)), default=0)
        return pushed + own + max(map(int, _ALIGN.findall(assembly)), default=0)

    def asks(self, *, linux: bool, assembles: bool) -> bool:
        return assembles

    def ask(self, name: str, needed: Sequence[str]) -> str:
        asking = f"""{_cpuid("most", "0", "0")}
{_cpuid("most.more", "-2147483648", "0")}
{_cpuid("leaf1.0", "1", "0")}
{_cpuid("leaf7.0.raw", "7", "0")}
{_cpuid("leaf7.1.raw", "7", "1")}
{_cpuid("more.raw", "-2147483647", "0")}
  %has.7 = icmp uge i32 %most.eax, 7
  %has.sub = icmp uge i32 %leaf7.0.raw.eax, 1
  %has.7.1 = and i1 %has.7, %has.sub
  %has.more = icmp uge i32 %most.more.eax, -2147483647
{_known("leaf7.0", "7")}
{_known("leaf7.1", "7.1")}
{_known("more", "more")}
  %saves = and i32 %leaf1.0.ecx, 134217728
  %may.ask = icmp ne i32 %saves, 0
  br i1 %may.ask, label %state, label %judge
state:
  %xcr = call {{ i32, i32 }} asm sideeffect "xgetbv", "={{eax}},={{edx}},{{ecx}}"(i32 0)
  %saved = extractvalue {{ i32, i32 }} %xcr, 0
  br label %judge
judge:
  %state.saved = phi i32 [ 0, %ask ], [ %saved, %state ]
{_judged(needed)}"""
        return kept(name, asking, f"%lacks.{len(needed)}", "judge")


def _cpuid(name: str, leaf: str, subleaf: str) -> str:
    four = "{ i32, i32, i32, i32 }"
    constraints = '"={eax},={ebx},={ecx},={edx},{eax},{ecx}"'
    lines = [f'  %{name} = call {four} asm sideeffect "cpuid", {constraints}(i32 {leaf}, i32 {subleaf})']
    lines += [
        f"  %{name}.{register} = extractvalue {four} %{name}, {i}" for i, register in enumerate(_REGISTERS)
    ]
    return "\n".join(lines)


def _known(leaf: str, condition: str) -> str:
    """The registers that cpuid returns for a leaf; zero if the CPU does not have the leaf."""
    return "\n".join(
        f"  %{leaf}.{register} = select i1 %has.{condition}, i32 %{leaf}.raw.{register}, i32 0"
        for register in _REGISTERS
    )


def _judged(needed: Sequence[str]) -> str:
    lines = ["  %lacks.0 = or i64 0, 0"]
    for number, name in enumerate(needed):
        leaf, subleaf, register, bit, state = FEATURES[name]
        where = "more" if leaf > 7 else f"leaf{leaf}.{subleaf}"
        mask = 1 << bit
        lines += [
            f"  %set.{number} = and i32 %{where}.{register}, {mask - (1 << 32) if bit == 31 else mask}",
            f"  %no.{number} = icmp eq i32 %set.{number}, 0",
            f"  %kept.{number} = and i32 %state.saved, {state}",
            f"  %unkept.{number} = icmp ne i32 %kept.{number}, {state}",
            f"  %lack.{number} = or i1 %no.{number}, %unkept.{number}",
            f"  %wide.{number} = zext i1 %lack.{number} to i64",
            f"  %at.{number} = shl i64 %wide.{number}, {number}",
            f"  %lacks.{number + 1} = or i64 %lacks.{number}, %at.{number}",
        ]
    return "\n".join(lines)
