"""Families that objects are made for, with little specific to them."""

from __future__ import annotations

from .base import Family


class Riscv64(Family):
    """64-bit RISC-V; its pause instruction is an extension, so there is none here."""

    architectures = ("riscv64",)
    futex = 98

    def vector_registers(self, vector_bytes: int) -> int:
        return 32


class Arm(Family):
    """32-bit ARM; its vector instructions always flush denormals."""

    architectures = ("arm", "armv7", "armv7l", "armv8l", "thumbv7")
    flushes_denormals = True
    pause = "call void @llvm.arm.hint(i32 1)"
    declarations = ("declare void @llvm.arm.hint(i32)",)
    futex = 240


class Wasm(Family):
    """WebAssembly: its engine decides on registers and stacks, and there is no pause instruction."""

    architectures = ("wasm32", "wasm64")
