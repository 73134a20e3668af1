"""aarch64: NEON and SVE, the kernel's list of hardware capabilities, FPCR."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

from ..text.types import vector
from ..text.writer import Writer
from .base import Family, capabilities

#: The features that the code generator may use, with the bits of Linux's AT_HWCAP and AT_HWCAP2 that report them.
FEATURES = {
    "crc": (1 << 7, 0),
    "lse": (1 << 8, 0),
    "fullfp16": (1 << 9 | 1 << 10, 0),
    "rdm": (1 << 12, 0),
    "jsconv": (1 << 13, 0),
    "complxnum": (1 << 14, 0),
    "rcpc": (1 << 15, 0),
    "sha3": (1 << 17, 0),
    "dotprod": (1 << 20, 0),
    "sve": (1 << 22, 0),
    "fp16fml": (1 << 23, 0),
    "lse2": (1 << 25, 0),
    "rcpc-immo": (1 << 26, 0),
    "flagm": (1 << 27, 0),
    "sve2": (0, 1 << 1),
    "altnzcv": (0, 1 << 7),
    "fptoint": (0, 1 << 8),
    "i8mm": (0, 1 << 13),
    "bf16": (0, 1 << 14),
    "sme": (0, 1 << 23),
    "mops": (0, 1 << 43),
    "cssc": (0, 1 << 34),
}
_HWCAP, _HWCAP2 = 16, 26
_FRAME = re.compile(r"\b(mov|add)\s+x29,\s*sp\b")
_SUB = re.compile(r"\bsub\s+sp,\s*sp,\s*#(\d+)")
_PUSH = re.compile(r"\[sp,\s*#-(\d+)\]!")


class AArch64(Family):
    """64-bit ARM. Programs for Linux ask its kernel whether the CPU has the features that their code uses."""

    architectures = ("aarch64", "arm64")
    # features that LLVM assumes for the generic CPU, but that not every CPU has
    least_features = "-ete,-trbe,-use-postra-scheduler,-enable-select-opt,-fuse-adrp-add,-fuse-aes"
    checked: ClassVar[tuple[str, ...]] = tuple(FEATURES)
    pause = "call void @llvm.aarch64.hint(i32 1)"
    declarations = ("declare void @llvm.aarch64.hint(i32)",)
    futex = 98
    propagates_nan = True
    flushes_denormals = True

    def vector_registers(self, vector_bytes: int) -> int:
        return 32

    def widens_half(self, has: Callable[[str], bool]) -> bool:
        return True

    def dot4(
        self, writer: Writer, has: Callable[[str], bool], signed: bool, lanes: int, a: str, b: str, c: str
    ) -> str:
        """sdot, or usdot for data of uint8."""
        if lanes not in (2, 4) or not has("dotprod" if signed else "i8mm"):
            return super().dot4(writer, has, signed, lanes, a, b, c)
        whole, quads = vector("i32", lanes), vector("i8", 4 * lanes)
        name = f"llvm.aarch64.neon.{'sdot' if signed else 'usdot'}.v{lanes}i32.v{4 * lanes}i8"
        return writer.call(whole, name, (whole, c), (quads, a), (quads, b))

    def stack_accesses(self, assembly: Sequence[str]) -> list[int]:
        framed = any(_FRAME.search(line) for line in assembly)
        access = re.compile(rf"^\s*(st|ld)u?[rp]\s+[qdsvz]\d+.*\[{'(sp|x29)' if framed else 'sp'}\b")
        return [number for number, line in enumerate(assembly) if access.search(line)]

    def flush_denormals(self, writer: Writer) -> str:
        old = writer.result(writer.called("i64", "llvm.aarch64.get.fpcr"))
        writer.declarations.add("declare void @llvm.aarch64.set.fpcr(i64)")
        writer.line(f"call void @llvm.aarch64.set.fpcr(i64 {writer.value(f'or i64 {old}, 16777216')})")  # FZ
        return old

    def restore_denormals(self, writer: Writer, status: str) -> None:
        writer.line(f"call void @llvm.aarch64.set.fpcr(i64 {status})")

    def frame_bytes(self, assembly: str) -> int:
        return sum(map(int, _PUSH.findall(assembly))) + sum(map(int, _SUB.findall(assembly)))

    def asks(self, *, linux: bool, assembles: bool) -> bool:
        return linux

    def ask(self, name: str, needed: Sequence[str]) -> str:
        asking = (
            f"  %first = call i64 @getauxval(i64 {_HWCAP})\n  %second = call i64 @getauxval(i64 {_HWCAP2})"
        )
        return capabilities(name, needed, FEATURES, asking, "declare i64 @getauxval(i64) #1\n")
