"""Families that objects are made for, with little specific to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from ..text.writer import Writer
from .base import Family, Probe


class Thumb(Family):
    """Cortex-M4 and M7: floats one by one, in 32 registers, with denormals.

    Flash is scarce, so tiles are planned for 8 registers, and loops have few steps at once: LeNet then takes 1.4 KB
    beside its weights, and 1.4 million instructions. Products of bytes run in the other registers, which are 13.
    """

    architectures = ("thumbv7em", "thumbv7", "thumbv7m")
    least_cpu = "cortex-m4"
    attributes = ("optsize",)
    flags_nan = True
    compact = True
    probes: ClassVar[Mapping[str, Probe]] = {
        "dsp": Probe("i32 @probe(i32 %x, i32 %y)", "call i32 @llvm.sadd.sat.i32(i32 %x, i32 %y)", r"\bqadd\b")
    }

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
        return 8


class Wasm(Family):
    """WebAssembly with vectors of 16 bytes: its engine decides on registers and stacks, and there is no pause
    instruction."""

    architectures = ("wasm32", "wasm64")
    base_features = "+simd128"
