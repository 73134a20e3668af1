"""Families for which objects are made, and of which little has to be known."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Family

_SYSTEM_CALLS = {"sched_yield": 124, "futex": 98}


class Riscv64(Family):
    """RISC-V of 64 bits, whose instruction to pause is an extension."""

    architectures = ("riscv64",)

    def vector_registers(self, vector_bytes: int) -> int:
        return 32

    def system_call(self, call: str, arguments: Sequence[str]) -> str:
        inputs = "".join(f",{{x{10 + number}}}" for number in range(len(arguments)))
        code = f'"ecall", "={{x10}},{{x17}}{inputs},~{{memory}}"'
        given = ", ".join([f"i64 {_SYSTEM_CALLS[call]}", *arguments])
        return f"call i64 asm sideeffect {code}({given})"


class Arm(Family):
    """ARM of 32 bits; its vectors flush denormals by themselves."""

    architectures = ("arm", "armv7", "armv7l", "armv8l", "thumbv7")
    pause = "call void @llvm.arm.hint(i32 1)"
    declarations = ("declare void @llvm.arm.hint(i32)",)


class Wasm(Family):
    """WebAssembly: the engine around it decides on registers and stacks, and there is no way to pause."""

    architectures = ("wasm32", "wasm64")
