"""32-bit ARM under Linux: NEON, and the kernel's list of hardware capabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from .base import Family, Probe, capabilities

#: The features that the code generator may use, with the bits of Linux's AT_HWCAP and AT_HWCAP2 that report them. The
#: kernel does not tell of ARMv8's rounding instructions; a CPU with CRC instructions has them.
FEATURES = {
    "neon": (1 << 12, 0),
    "vfp4": (1 << 16, 0),
    "hwdiv-arm": (1 << 17, 0),
    "fp-armv8": (0, 1 << 4),
    "fullfp16": (1 << 22 | 1 << 23, 0),
}
_HWCAP, _HWCAP2 = 16, 26
_TWO = "@probe(float %x, float %y)"


class Arm(Family):
    """ARMv7-A and later in 32 bits; its vector instructions always flush denormals. Programs for Linux ask its kernel
    whether the CPU has the features that their code uses."""

    architectures = ("arm", "armv7", "armv7l", "armv8l")
    # LLVM's ARMv7-A has NEON and 32 registers of 64 bits. There are CPUs without the one, or both.
    least_features = "-neon,-d32"
    checked: ClassVar[tuple[str, ...]] = tuple(FEATURES)
    probes: ClassVar[Mapping[str, Probe]] = {
        "neon": Probe("<4 x float> @probe(<4 x float> %x)", "fadd <4 x float> %x, %x", r"\bvadd\.f32\s+q"),
        "vfp4": Probe(
            f"float {_TWO}", "call float @llvm.fma.f32(float %x, float %y, float %y)", r"\bvfma\.f32"
        ),
        "hwdiv-arm": Probe("i32 @probe(i32 %x, i32 %y)", "sdiv i32 %x, %y", r"\bsdiv\b"),
        "fp-armv8": Probe(f"float {_TWO}", "call float @llvm.floor.f32(float %x)", r"\bvrintm\.f32"),
        "fullfp16": Probe("half @probe(half %x, half %y)", "fadd half %x, %y", r"\bvadd\.f16"),
    }
    flushes_denormals = True
    pause = "call void @llvm.arm.hint(i32 1)"
    declarations = ("declare void @llvm.arm.hint(i32)",)
    futex = 240

    def asks(self, *, linux: bool, assembles: bool) -> bool:
        return linux

    def ask(self, name: str, needed: Sequence[str]) -> str:
        asking = f"""  %short = call i32 @getauxval(i32 {_HWCAP})
  %short.more = call i32 @getauxval(i32 {_HWCAP2})
  %first = zext i32 %short to i64
  %second = zext i32 %short.more to i64"""
        return capabilities(name, needed, FEATURES, asking, "declare i32 @getauxval(i32) #1\n")
