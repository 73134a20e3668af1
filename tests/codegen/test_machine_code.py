"""What the code generator makes of register tiles: the instructions meant, and no spills."""

from __future__ import annotations

import re

import pytest

from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import named_target

from ..machines import NEON
from .codegen_harness import single_kernel_program
from .test_statements import gemm_kernel

LINUX = "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize(("rows", "vectors"), [(4, 2), (6, 4), (14, 2), (5, 5)])
@pytest.mark.parametrize("cpu", ["znver4", "skylake-avx512"])
def test_register_tiles_stay_in_registers(rows: int, vectors: int, cpu: str) -> None:
    assembly = emit(single_kernel_program(gemm_kernel(rows, vectors)), "asm", named_target(cpu, LINUX))
    _, kernel = assembly.split("\nm.gemm:\n")  # entries copy arguments to the stack by vectors, too
    kernel, _ = kernel.split(".Lfunc_end", 1)
    assert kernel.count("vfmadd") >= rows * vectors
    assert re.search(r"vfmadd\w+\s.*%zmm", kernel)
    spilled = [line for line in kernel.splitlines() if re.search(r"%[xyz]mm\d+", line) and "(%rsp)" in line]
    assert spilled == []


def test_code_for_an_older_cpu_has_no_newer_registers() -> None:
    assembly = emit(single_kernel_program(gemm_kernel()), "asm", named_target("haswell", LINUX))
    assert "vfmadd" in assembly
    assert "%zmm" not in assembly
    assembly = emit(single_kernel_program(gemm_kernel()), "asm", named_target("generic", LINUX))
    assert "mulps" in assembly
    assert not re.search(r"%[yz]mm|fmaf", assembly)


def test_vector_registers() -> None:
    widths = {"znver4": 64, "skylake-avx512": 64, "haswell": 32, "generic": 16}
    assert {cpu: describe(named_target(cpu, LINUX)).vector_bytes for cpu in widths} == widths
    neon = describe(named_target("generic", "aarch64-unknown-linux-gnu"))
    assert (neon.vector_bytes, neon.vector_registers, neon.accumulators) == (16, 32, NEON.accumulators)
    assert neon.fma
    assert not neon.masked
