"""Families for which objects are made, and of which little has to be known."""

from __future__ import annotations

from .base import Family


class Riscv64(Family):
    """RISC-V of 64 bits, whose instruction to pause is an extension."""

    architectures = ("riscv64",)
    futex = 98

    def vector_registers(self, vector_bytes: int) -> int:
        return 32


class Arm(Family):
    """ARM of 32 bits; its vectors flush denormals by themselves."""

    architectures = ("arm", "armv7", "armv7l", "armv8l", "thumbv7")
    flushes_denormals = True
    pause = "call void @llvm.arm.hint(i32 1)"
    declarations = ("declare void @llvm.arm.hint(i32)",)
    futex = 240


class Wasm(Family):
    """WebAssembly: the engine around it decides on registers and stacks, and there is no way to pause."""

    architectures = ("wasm32", "wasm64")
