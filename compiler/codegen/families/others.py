"""Families that objects are made for, with little specific to them."""

from __future__ import annotations

from collections.abc import Callable

from ..writer import Writer
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

    def dot4(
        self, writer: Writer, has: Callable[[str], bool], signed: bool, lanes: int, a: str, b: str, c: str
    ) -> str:
        """smlad, of the DSP extension: the bytes 0 and 2 become words, and the bytes 1 and 3."""
        if lanes != 1 or not has("dsp"):
            return super().dot4(writer, has, signed, lanes, a, b, c)
        a, b = (writer.value(f"bitcast <4 x i8> {x} to i32") for x in (a, b))
        for turn in (0, 8):
            pair = []
            for x, is_signed in ((a, signed), (b, True)):
                if turn:
                    x = writer.call("i32", "llvm.fshr.i32", ("i32", x), ("i32", x), ("i32", str(turn)))
                name = f"llvm.arm.{'sxtb16' if is_signed else 'uxtb16'}"
                pair.append(("i32", writer.call("i32", name, ("i32", x))))
            c = writer.call("i32", "llvm.arm.smlad", *pair, ("i32", c))
        return c

    def vector_bytes(self, assembly: str) -> int:
        return 4

    def vector_registers(self, vector_bytes: int) -> int:
        return 32


class Wasm(Family):
    """WebAssembly with vectors of 16 bytes: its engine decides on registers and stacks, and there is no pause
    instruction."""

    architectures = ("wasm32", "wasm64")
    base_features = "+simd128"
