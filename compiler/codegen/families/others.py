"""Families that objects are made for, with little specific to them."""

from __future__ import annotations

from .base import Family


class Riscv64(Family):
    """64-bit RISC-V; its pause instruction is an extension, so there is none here."""

    architectures = ("riscv64",)
    base_features = "+m,+a,+f,+d,+c"  # what Linux is built for: rv64gc
    abi = "lp64d"
    futex = 98

    def vector_registers(self, vector_bytes: int) -> int:
        return 32


class Arm(Family):
    """32-bit ARM; its vector instructions always flush denormals."""

    architectures = ("arm", "armv7", "armv7l", "armv8l")
    flushes_denormals = True
    pause = "call void @llvm.arm.hint(i32 1)"
    declarations = ("declare void @llvm.arm.hint(i32)",)
    futex = 240


class Thumb(Family):
    """Cortex-M4 and M7: floats one by one, in 32 registers, with denormals."""

    architectures = ("thumbv7em", "thumbv7", "thumbv7m")
    least_cpu = "cortex-m4"

    def vector_bytes(self, assembly: str) -> int:
        return 4

    def vector_registers(self, vector_bytes: int) -> int:
        return 32


class Wasm(Family):
    """WebAssembly with vectors of 16 bytes: its engine decides on registers and stacks, and there is no pause
    instruction."""

    architectures = ("wasm32", "wasm64")
    base_features = "+simd128"
