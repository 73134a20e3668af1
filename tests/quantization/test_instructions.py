"""Each family of CPUs multiplies bytes by the instructions that it has for it."""

from __future__ import annotations

import re

import pytest

from netwright.compiler.codegen.files.aot import emit
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.driver import lower
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.ops.windows.geometry import ConvAttributes
from netwright.compiler.ops.windows.quantized_conv import QuantizedConvAttributes

from ..conftest import Golden
from ..machines import MACHINES

LINUX = "x86_64-unknown-linux-gnu"


def product(dtype: str) -> Graph:
    graph = Graph("predict")
    x, w = graph.input("x", TensorType(dtype, (6, 16))), graph.input("w", TensorType("int8", (4, 80)))
    graph.set_output("y", graph.apply("quantized_conv", x, w, attrs=QuantizedConvAttributes()))
    return graph


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("cpu", "triple", "instruction"),
    [
        ("icelake-server", LINUX, r"vpdpbusd\s.*zmm"),
        ("alderlake", LINUX, r"vpdpbusd\s.*ymm"),
        ("haswell", LINUX, r"vpmaddwd\s.*ymm"),
        ("x86-64", LINUX, "pmaddwd"),
        ("neoverse-n1", "aarch64-unknown-linux-gnu", "sdot"),
        ("cortex-a72", "aarch64-unknown-linux-gnu", "mla"),
        ("cortex-m4", "thumbv7em-none-unknown-eabi", "smlad"),
        ("cortex-m3", "thumbv7m-none-unknown-eabi", "mla|muls"),
    ],
)
def test_instructions(cpu: str, triple: str, instruction: str) -> None:
    target = named_target(cpu, triple)
    machine = describe(target)
    graph = product(machine.quantized_data)
    lowered = lower("m", {"predict": graph}, [], version="0", target="t", machine=machine)
    assert re.search(instruction, emit(lowered.program, "asm", target, lowered.manifest))


@pytest.mark.parametrize(
    ("cpu", "triple", "instruction"),
    [
        ("icelake-server", LINUX, r"vpdpwssd\s.*zmm"),
        ("haswell", LINUX, r"vpmaddwd\s.*ymm"),
        ("neoverse-n1", "aarch64-unknown-linux-gnu", "smlal"),
        ("cortex-m4", "thumbv7em-none-unknown-eabi", "smlabb|mla"),
    ],
)
def test_instructions_of_depthwise_products(cpu: str, triple: str, instruction: str) -> None:
    """Bytes are no reason to multiply 32 bits by 32 where that is slow."""
    target = named_target(cpu, triple)
    machine = describe(target)
    graph = Graph("predict")
    x = graph.input("x", TensorType(machine.quantized_data, (1, 9, 64)))
    w = graph.input("w", TensorType("int8", (3, 1, 64)))
    attrs = ConvAttributes((1,), (1,), 64)
    graph.set_output("y", graph.apply("quantized_groups", x, w, attrs=attrs))
    lowered = lower("m", {"predict": graph}, [], version="0", target="t", machine=machine)
    assembly = emit(lowered.program, "asm", target, lowered.manifest)
    assert re.search(instruction, assembly)
    assert "pmulld" not in assembly


@pytest.mark.parametrize("machine", ["avx512", "neon"])
def test_kernels(machine: str, golden: Golden) -> None:
    lowered = lower(
        "m", {"predict": product("uint8")}, [], version="0", target="t", machine=MACHINES[machine]
    )
    golden.check(f"product.{machine}.txt", program_text(lowered.program))
