"""64-bit RISC-V: its extensions, and what Linux's kernel says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from .base import Family, Probe, capabilities

#: The extensions that the code generator may use, with the bits that report them: of AT_HWCAP, which has one per
#: letter, and of the key 4 of the system call riscv_hwprobe.
FEATURES = {
    "v": (1 << 21, 0),
    "zba": (0, 1 << 3),
    "zbb": (0, 1 << 4),
    "zbs": (0, 1 << 5),
    "zfh": (0, 1 << 27),
    "zfhmin": (0, 1 << 28),
    "zvfh": (0, 1 << 30),
    "zvfhmin": (0, 1 << 31),
    "zfa": (0, 1 << 32),
    "zicond": (0, 1 << 35),
}
_HWCAP, _PROBE, _EXTENSIONS = 16, 258, 4
_INTEGERS = "i64 @probe(i64 %x, i64 %y)"
_HALVES = "<8 x half> @probe(<8 x half> %x)"


class Riscv64(Family):
    """64-bit RISC-V; its pause instruction is an extension, so there is none here. Programs for Linux ask its kernel
    whether the CPU has the extensions that their code uses; what a kernel does not know counts as missing."""

    architectures = ("riscv64",)
    base_features = "+m,+a,+f,+d,+c"  # what Linux is built for: rv64gc
    least_features = base_features
    abi = "lp64d"
    futex = 98
    checked: ClassVar[tuple[str, ...]] = tuple(FEATURES)
    probes: ClassVar[Mapping[str, Probe]] = {
        "v": Probe("<8 x i32> @probe(<8 x i32> %x)", "add <8 x i32> %x, %x", r"\bvadd\.v"),
        "zba": Probe("ptr @probe(ptr %x, i64 %y)", "getelementptr i16, ptr %x, i64 %y", r"\bsh1add\b"),
        "zbb": Probe(_INTEGERS, "call i64 @llvm.ctpop.i64(i64 %x)", r"\bcpop\b"),
        "zbs": Probe(_INTEGERS, "shl i64 1, %x", r"\bbset\b"),
        "zfh": Probe("half @probe(half %x, half %y)", "fadd half %x, %y", r"\bfadd\.h\b"),
        "zfhmin": Probe("float @probe(half %x)", "fpext half %x to float", r"\bfcvt\.s\.h\b"),
        "zvfh": Probe(_HALVES, "fadd <8 x half> %x, %x", r"(?s)\A(?!.*cvt\.).*\bvfadd\.v"),
        "zvfhmin": Probe(
            "<8 x float> @probe(<8 x half> %x)", "fpext <8 x half> %x to <8 x float>", r"\bvfwcvt\.f"
        ),
        "zfa": Probe("float @probe(float %x)", "call float @llvm.floor.f32(float %x)", r"\bfround\.s\b"),
        "zicond": Probe("i64 @probe(i64 %x, i64 %y, i1 %c)", "select i1 %c, i64 %x, i64 0", r"\bczero\."),
    }

    def vector_registers(self, vector_bytes: int) -> int:
        return 32

    def asks(self, *, linux: bool, assembles: bool) -> bool:
        return linux

    def ask(self, name: str, needed: Sequence[str]) -> str:
        asking = f"""  %first = call i64 @getauxval(i64 {_HWCAP})
  %pair = alloca [2 x i64], align 8
  %value = getelementptr i64, ptr %pair, i64 1
  store i64 {_EXTENSIONS}, ptr %pair, align 8
  store i64 0, ptr %value, align 8
  %code = call i64 (i64, ...) @syscall(i64 {_PROBE}, ptr %pair, i64 1, i64 0, ptr null, i64 0)
  %key = load i64, ptr %pair, align 8
  %bits = load i64, ptr %value, align 8
  %works = icmp eq i64 %code, 0
  %knows = icmp eq i64 %key, {_EXTENSIONS}
  %told = and i1 %works, %knows
  %second = select i1 %told, i64 %bits, i64 0"""
        # Programs that wait for threads declare the same function.
        declared = "declare i64 @getauxval(i64) #1\ndeclare i64 @syscall(i64, ...)\n"
        return capabilities(name, needed, FEATURES, asking, declared)
