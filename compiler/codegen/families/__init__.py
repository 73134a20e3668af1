"""Families of CPUs: one object each for what LLVM does not hide. No other code asks for a target's family by name."""

from functools import cache

from .aarch64 import AArch64
from .arm import Arm
from .base import Family
from .others import Thumb, Wasm
from .riscv import Riscv64
from .x86 import X86, X8664

_FAMILIES: tuple[type[Family], ...] = (X8664, X86, AArch64, Arm, Thumb, Riscv64, Wasm)


@cache
def family(architecture: str) -> Family:
    """The family of an architecture, given as in triples."""
    known = {name: cls for cls in _FAMILIES for name in cls.architectures}
    return known.get(architecture, Family)(architecture)
